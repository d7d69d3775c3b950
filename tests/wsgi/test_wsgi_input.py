"""wsgi.input: the whole content of the request and then nothing, however it came and however it is read."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from typing import Any
from wsgiref.validate import validator

import pytest

from tests.apps import answering
from tests.client import Client, ask, chunked, exchange, parse, request, to_the_end
from tests.running import Start

LINES = b"first line\nsecond line\n\nfourth, without an end"


def reading(read: Callable[[Any], Any]) -> Callable[..., Any]:
    """An application that answers with the repr of what `read` makes of its input."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        result = repr(read(environ["wsgi.input"])).encode("ascii")
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Length", environ.get("CONTENT_LENGTH", "none"))])
        return [result]

    return app


# How an application may read, and what it then has of LINES.
WAYS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "read()": (lambda file: file.read(), LINES),
    "read(-1)": (lambda file: file.read(-1), LINES),
    "read(size of all)": (lambda file: file.read(len(LINES)), LINES),
    "read(more than there is)": (lambda file: file.read(10_000), LINES),
    "read(5), read(1), read(0), read()": (
        lambda file: [file.read(5), file.read(1), file.read(0), file.read()],
        [LINES[:5], LINES[5:6], b"", LINES[6:]],
    ),
    "read(1) until the end": (
        lambda file: list(iter(lambda: file.read(1), b"")),
        [LINES[at : at + 1] for at in range(len(LINES))],
    ),
    "readline()": (lambda file: [file.readline() for _ in range(6)], [*LINES.splitlines(keepends=True), b"", b""]),
    "readline(size)": (lambda file: [file.readline(6), file.readline(100)], [b"first ", b"line\n"]),
    "readlines()": (lambda file: file.readlines(), LINES.splitlines(keepends=True)),
    "iteration": (lambda file: list(file), LINES.splitlines(keepends=True)),
    "read() and beyond": (
        lambda file: [file.read(), file.read(), file.read(1), file.readline()],
        [LINES, b"", b"", b""],
    ),
    "beyond the end by iteration": (lambda file: [file.read(), list(file), file.readlines()], [LINES, [], []]),
}
EVERY_WAY = pytest.mark.parametrize(("read", "expected"), WAYS.values(), ids=WAYS)


@EVERY_WAY
def test_content_with_a_length_is_read(start: Start, read: Callable[[Any], Any], expected: Any) -> None:
    assert ask(start(reading(read)), method="POST", content=LINES).content == repr(expected).encode("ascii")


@EVERY_WAY
def test_content_in_chunks_is_read(start: Start, read: Callable[[Any], Any], expected: Any) -> None:
    raw = exchange(start(reading(read)), chunked("/", LINES[:3], LINES[3:20], LINES[20:], extension=";extension=1"))
    assert parse(raw).content == repr(expected).encode("ascii")


def test_content_in_chunks_has_its_length_in_the_environ(start: Start) -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.append((environ["CONTENT_LENGTH"], environ["wsgi.input"].read(1000), "HTTP_TRANSFER_ENCODING" in environ))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x"]

    running = start(validator(app))
    with_trailers = chunked("/", b"one", b"two", extension=";extension=1", trailers="X-Trailer: dropped\r\n")
    exchange(running, with_trailers + chunked("/") + chunked("/", b"x"))
    assert seen == [("6", b"onetwo", False), ("0", b"", False), ("1", b"x", False)]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_content_is_read_as_nothing(start: Start, method: str) -> None:
    running = start(reading(lambda file: [file.read(), file.read(5), file.readline(), list(file)]))
    answer = ask(running, method=method)
    assert (answer["X-Length"], answer.content) == ("none", b"[b'', b'', b'', []]")
    answer = ask(running, "/", "Content-Length: 0", method=method)
    assert (answer["X-Length"], answer.content) == ("0", b"[b'', b'', b'', []]")


def digest(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answers with length and hash of the content."""
    source = environ["wsgi.input"]
    size, hashed = 0, hashlib.sha256()
    while block := source.read(8192):
        size += len(block)
        hashed.update(block)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['CONTENT_LENGTH']} {size} {hashed.hexdigest()}".encode("ascii")]


def expected_digest(content: bytes) -> bytes:
    return f"{len(content)} {len(content)} {hashlib.sha256(content).hexdigest()}".encode("ascii")


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 5_000_000])  # 64 KiB is where it goes to disk
def test_content_of_any_size_arrives_whole(start: Start, size: int) -> None:
    content = (b"0123456789abcde" * (size // 15 + 1))[:size]
    with to_the_end(start(validator(digest))) as kept:
        for _ in range(2):
            assert kept.ask(method="PUT", content=content).content == expected_digest(content)


@pytest.mark.parametrize("block", [1000, 65536, 1_000_000])
def test_five_megabytes_in_chunks_arrive_whole(start: Start, block: int) -> None:
    content = bytes(range(250)) * 20_000

    blocks = (content[at : at + block] for at in range(0, len(content), block))
    with to_the_end(start(validator(digest))) as kept:
        kept.send(chunked("/", *blocks, method="PUT"))
        assert kept.response().content == expected_digest(content)
        assert kept.ask(method="PUT", content=b"more").content == expected_digest(b"more")


def test_content_of_any_bytes_arrives_as_it_is(start: Start) -> None:
    content = bytes(range(256)) + b"\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    with to_the_end(start(validator(digest))) as kept:
        assert kept.ask(method="POST", content=content).content == expected_digest(content)


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_content_that_is_not_read_does_not_disturb_the_next_request(start: Start, size: int) -> None:
    with to_the_end(start(validator(answering([b"x"])))) as kept:
        assert [kept.ask(method="POST", content=b"GET / HTTP/1.1\r\n" * size).content for _ in range(3)] == [b"x"] * 3


def test_an_application_that_closes_its_input_disturbs_nobody(start: Start) -> None:
    running = start(reading(lambda file: file.close()))
    with to_the_end(running) as kept:
        for content in (b"text", b"x" * 100_000, b""):
            assert kept.ask(method="POST", content=content).content == b"None"


def rows(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Reads as the csv module's documentation says."""
    file = environ["wsgi.input"]
    said = (file.readable(), file.closed, file.isatty())
    text = io.TextIOWrapper(file, "utf-8", newline="")
    found = list(csv.reader(text))
    text.close()
    start_response("200 OK", [])
    return [repr((len(found), found[-1], said, file.closed)).encode()]


@pytest.mark.parametrize("stream_body", [[], ["/"]], ids=["collected", "arriving"])
@pytest.mark.parametrize("in_chunks", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize("count", [1, 16384, 50_000])
def test_an_upload_can_be_read_as_text(start: Start, stream_body: list[str], in_chunks: bool, count: int) -> None:
    content = "a,\u20ac".encode() + b"\n" + b"c,d\n" * count
    expected = repr((count + 1, ["c", "d"], (True, False, False), True)).encode()
    with to_the_end(start(rows, stream_body=stream_body)) as kept:
        for _ in range(2):
            kept.send(chunked("/", content) if in_chunks else request(method="POST", content=content))
            assert kept.response().content == expected


@pytest.mark.parametrize("stream_body", [[], ["/"]], ids=["collected", "arriving"])
def test_an_upload_is_a_file_to_read_from(start: Start, stream_body: list[str]) -> None:
    content = b"0123456789abcdef" * 10_000

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        file = environ["wsgi.input"]
        assert isinstance(file, io.BufferedIOBase)
        assert not file.writable()
        assert file.seekable() == (not stream_body)
        beginning = bytearray(5)
        assert file.readinto(beginning) == 5
        some = file.read1()
        assert some
        rest = file.read()
        assert file.read1() == b""
        file.close()
        with pytest.raises(ValueError, match="closed"):
            file.read()
        start_response("200 OK", [])
        return [bytes(beginning) + some + rest]

    with to_the_end(start(app, stream_body=stream_body)) as kept:
        assert kept.ask(method="POST", content=content).content == content


def test_a_client_that_waits_to_be_told_is_told_to_go_on(start: Start) -> None:
    with Client(start(validator(digest))) as client:
        client.send(request("/", "Expect: 100-continue", "Content-Length: 4", method="PUT"))
        assert client.stream.readline() + client.stream.readline() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"text")
        assert client.stream.readline() == b"HTTP/1.1 200 OK\r\n"
