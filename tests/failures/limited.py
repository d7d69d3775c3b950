"""What the failure tests share: a server in a process of its own, with less of something than it would like."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.console import Console, tpserver

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has it")


@contextmanager
def limited(limits: str, app: str, folder: Path, *arguments: str, **how: Any) -> Iterator[Console]:
    """`tpserver faulty:app` under `ulimit LIMITS` (hard and soft), where the module `faulty` has the text `app`."""
    (folder / "faulty.py").write_text(app, encoding="utf-8")
    # What measures coverage would write its own file under the same limits, and complain.
    unmeasured = "unset COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG"
    shell = ("sh", "-c", f'{unmeasured}; ulimit {limits} && exec "$@"', "sh") if limits else ()
    with tpserver("faulty:app", *arguments, cwd=folder, command=shell, **how) as console:
        yield console


def exchange(console: Console, data: bytes) -> bytes:
    """Sends `data` on a new connection; all that comes back until the server closes."""
    pieces = []
    with console.connect() as sock:
        try:
            sock.sendall(data)
        except OSError:
            pass  # it has been refused, and the answer may still be there
        try:
            while piece := sock.recv(65536):
                pieces.append(piece)
        except OSError:
            pass
    return b"".join(pieces)


def get(path: str) -> bytes:
    """A request that ends its connection."""
    return f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode("ascii")


def post(path: str, size: int) -> bytes:
    """The same, with content of so many bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
    return head.encode("ascii") + b"x" * size


def post_chunked(path: str, size: int) -> bytes:
    """The same, in one chunk."""
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode("ascii") + b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n"
