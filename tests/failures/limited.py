"""What the failure tests share: a server in a process of its own, with less of something than it would like."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.client import CLOSE, chunked, request
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


def get(path: str) -> bytes:
    """A request that ends its connection."""
    return request(path, CLOSE)


def post(path: str, size: int) -> bytes:
    """The same, with content of so many bytes."""
    return request(path, CLOSE, method="POST", content=b"x" * size)


def post_chunked(path: str, size: int) -> bytes:
    """The same, in one chunk."""
    return chunked(path, b"x" * size, fields=[CLOSE])
