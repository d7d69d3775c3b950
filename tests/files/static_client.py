"""How the tests of the files ask a server: targets as they are written, never tidied up by a client."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import pytest

PATIENCE = 20.0

Start = Callable[..., Any]  # the fixture `start`: an application and options in, a running server out


class Answer(NamedTuple):
    """One response. The fields' names in lower case; the content is what came behind the head."""

    status: int
    fields: dict[str, str]
    content: bytes
    head: bytes


def request(target: str, *lines: str, method: str = "GET", version: str = "1.1", content: bytes = b"") -> bytes:
    """The bytes of a request; each of `lines` is a field."""
    length = [f"Content-Length: {len(content)}"] if content else []
    text = "\r\n".join([f"{method} {target} HTTP/{version}", "Host: server.example", *lines, *length, "", ""])
    return text.encode("latin-1") + content


def parse(data: bytes) -> Answer:
    """A response and all that followed it on its connection -> its parts."""
    head, end, content = data.partition(b"\r\n\r\n")
    assert end, data
    first, *lines = head.decode("latin-1").split("\r\n")
    assert first.startswith("HTTP/1.1 "), first
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        assert name.lower() not in fields, f"{name} came twice"
        fields[name.lower()] = value.strip()
    return Answer(int(first[9:12]), fields, content, head)


def ask(running: Any, target: str, *lines: str, **how: Any) -> Answer:
    """One request on a connection of its own, and everything that comes on it until the server closes."""
    return parse(running.exchange(request(target, *lines, **how)))


@contextmanager
def connected(running: Any) -> Iterator[tuple[Any, Any]]:
    """A connection: the socket, and the stream of what comes from it."""
    with running.connect() as sock, sock.makefile("rb") as stream:
        yield sock, stream


def read_head(stream: Any) -> Answer:
    """The next response's head; its content is left in the stream."""
    lines = []
    while (line := stream.readline()) != b"\r\n":
        assert line.endswith(b"\r\n"), "the head was cut off"
        lines.append(line)
    return parse(b"".join([*lines, b"\r\n"]))


def link(path: Path, target: str | os.PathLike[str]) -> Path:
    """A symbolic link at `path`; skips the test where a user may not make one (Windows)."""
    try:
        path.symlink_to(target, target_is_directory=(path.parent / target).is_dir())
    except (OSError, NotImplementedError) as error:
        pytest.skip(f"no symbolic links here: {error}")
    return path


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Waits until `condition` holds, for what nothing announces."""
    end = monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert monotonic() < end, what
        pause.wait(0.005)


def plain_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """An application that says what it was asked."""
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-By", "application")])
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ".encode("latin-1") + content]
