"""How the tests of the WSGI side ask a server, and what they look at: bytes as they came, and log lines."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

# Long enough for a slow machine, short enough for a person who waits for a failing test.
PATIENCE = 20.0

Application = Callable[..., Any]
Start = Callable[..., Any]  # the fixture `start`: an application and options in, a running server out
Fields = list[tuple[str, str]]


@dataclass
class Answer:
    """One response. `content` is what stood behind the head: by `ask` as it was framed, by `Kept` decoded."""

    status: int
    fields: Fields
    content: bytes

    def all(self, name: str) -> list[str]:
        """The values of every field of this name."""
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value


def request(
    method: str = "GET", path: str = "/", *fields: str, body: bytes = b"", version: str = "1.1", host: str = "example"
) -> bytes:
    """A request's bytes; each of `fields` is a line."""
    lines = [f"{method} {path} HTTP/{version}", f"Host: {host}", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def parse(raw: bytes) -> Answer:
    """A response's bytes -> its parts, the content as it was framed."""
    head, separator, content = raw.partition(b"\r\n\r\n")
    assert separator, raw
    status_line, *lines = head.decode("latin-1").split("\r\n")
    assert status_line.startswith("HTTP/1.1 "), status_line
    fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Answer(int(status_line[9:12]), fields, content)


def ask(running: Any, method: str = "GET", path: str = "/", *fields: str, **options: Any) -> Answer:
    """One request on a connection of its own; returns when the server has closed that, so all is done by then."""
    return parse(running.exchange(request(method, path, *fields, **options)))


class Kept:
    """One connection for several requests, by the standard library's client; it never connects a second time.

    At its end it waits until the server has closed the connection, so all is done by then.
    """

    def __init__(self, running: Any) -> None:
        self._connection = http.client.HTTPConnection(*running.address, timeout=PATIENCE)
        self._connection.connect()
        self._connection.auto_open = 0

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        sock = self._connection.sock
        if sock is not None and failure is None:
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        self._connection.close()

    def ask(self, method: str = "GET", path: str = "/", body: Any = None, **fields: str) -> Answer:
        """One request, its response read to the end."""
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        self._connection.request(method, path, body, named)
        with self._connection.getresponse() as response:
            content = response.read()
            return Answer(response.status, response.getheaders(), content)


def errors(log: pytest.LogCaptureFixture) -> list[str]:
    """What the server has complained of, a message each."""
    return [record.getMessage() for record in log.records if record.levelno >= logging.ERROR]


class Pieces:
    """An iterable that is no list: a body in pieces, which counts how often it was closed.

    A piece that is an exception is raised, one that is a function is called.
    """

    def __init__(self, *pieces: Any) -> None:
        self._pieces: Iterable[Any] = pieces
        self.began = False
        self.closes = 0
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        self.began = True
        for piece in self._pieces:
            made = piece() if callable(piece) else piece
            if isinstance(made, BaseException):
                raise made
            yield made

    def close(self) -> None:
        self.closes += 1
        self.closed.set()


def answering(result: Any, status: str = "200 OK", fields: Iterable[tuple[str, str]] = ()) -> Application:
    """An application that answers with `result`, or with what it makes where that is a function."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response(status, [*fields] if status[:3] in ("204", "304") else [("Content-Type", "text/plain"), *fields])
        return result() if callable(result) else result

    return app
