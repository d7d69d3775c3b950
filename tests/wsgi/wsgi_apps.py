"""Applications that keep PEP 3333, one for each way of answering: what they send must not depend on the way."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

Environ = dict[str, Any]
TEXT = [("Content-Type", "text/plain")]


def list_of_one(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT])
    return [b"Hello, world!"]


def list_of_one_with_length(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT, ("Content-Length", "13")])
    return [b"Hello, world!"]


def list_of_many(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT])
    return [b"Hello", b"", b", ", b"world!"]


def tuple_of_two(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT])
    return b"Hello, ", b"world!"


def generator(environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Calls start_response in its first step, when the server already iterates."""
    start_response("200 OK", [*TEXT])
    yield b"Hello, "
    yield b"world!"


def generator_with_length(environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [*TEXT, ("Content-Length", "13")])
    yield b"Hello, "
    yield b"world!"


def generator_with_empty_pieces(environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [*TEXT])
    yield b""
    yield b"Hello, "
    yield b""
    yield b"world!"
    yield b""


def by_write(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    write = start_response("200 OK", [*TEXT])
    write(b"Hello, ")
    write(b"world!")
    return []


def by_write_and_list(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT])(b"Hello, ")
    return [b"world!"]


def by_write_and_generator(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT])(b"Hello, ")
    return (piece for piece in (b"wor", b"ld!"))


def by_file_wrapper(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT])
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"Hello, world!"), 5)
    return wrapped


def by_gzip_file(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT])
    packed = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(b"Hello, world!")))
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](packed)
    return wrapped


class Instance:
    """A class as an application: calling it makes the iterable."""

    def __init__(self, environ: Environ, start_response: Callable[..., Any]) -> None:
        self._start_response = start_response

    def __iter__(self) -> Iterator[bytes]:
        self._start_response("200 OK", [*TEXT])
        yield b"Hello, world!"


def second_thought(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Begins with an answer, fails, and replaces it as PEP 3333 shows."""
    start_response("500 Not meant", [("Content-Type", "text/html"), ("X-First", "yes")])
    try:
        raise LookupError("on purpose")
    except LookupError:
        start_response("200 OK", [*TEXT], sys.exc_info())
        return [b"Hello, world!"]


class Case(NamedTuple):
    """`length`: whether the response to GET, in HTTP/1.1, has a Content-Length (else it is chunked)."""

    app: Callable[..., Iterable[bytes]]
    length: bool


# Every one of them answers GET with HELLO.
HELLO = b"Hello, world!"
CONFORMING = {
    "list of one": Case(list_of_one, length=True),
    "list of one, with its length": Case(list_of_one_with_length, length=True),
    "list of many": Case(list_of_many, length=True),
    "tuple": Case(tuple_of_two, length=True),
    "generator": Case(generator, length=False),
    "generator, with its length": Case(generator_with_length, length=True),
    "generator with empty pieces": Case(generator_with_empty_pieces, length=False),
    "write()": Case(by_write, length=False),
    "write(), then a list": Case(by_write_and_list, length=False),
    "write(), then a generator": Case(by_write_and_generator, length=False),
    "file wrapper": Case(by_file_wrapper, length=False),
    "gzip file": Case(by_gzip_file, length=False),
    "class": Case(Instance, length=False),
    "start_response with exc_info": Case(second_thought, length=True),
}
