"""Small applications, and bodies for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Application = Callable[..., Any]


def plain_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """An application that says what it was asked."""
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-By", "application")])
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ".encode("latin-1") + content]


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
