"""wsgi.file_wrapper: every kind of file is sent as it reads, from where it stands, and closed."""

# ruff: noqa: SIM115 (the server closes what an application opens)

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from tests.client import Client, ask, parse, request, to_the_end
from tests.logged import errors
from tests.running import Start
from tpserver.wsgi.file_wrapper import FileWrapper

CONTENT = b"".join(b"line %d\n" % number for number in range(8000))


class Upper(io.FileIO):
    """A file that reads otherwise than its bytes are."""

    def read(self, size: int | None = -1, /) -> bytes:  # type: ignore[override]
        return (super().read(-1 if size is None else size) or b"").upper()


class UpperBuffered(io.BufferedReader):
    """The same with a buffer."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size).upper()


class OnlyRead:
    """The least that PEP 3333 asks of a file-like object."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, size: int) -> bytes:
        return self._file.read(size)


def _at(file: Any, offset: int) -> Any:
    file.seek(offset)
    return file


def _after_reading(file: Any, size: int) -> Any:
    file.read(size)
    return file


def _written(file: Any) -> Any:
    file.write(CONTENT)
    file.seek(0)
    return file


def _overwritten(file: Any) -> Any:
    file.write(b"LINE")  # stays in the buffer
    file.seek(0)
    return file


def _piped() -> Any:
    reading, writing = os.pipe()
    with open(writing, "wb") as file:
        file.write(CONTENT[:1000])
    return open(reading, "rb")


def _zipped() -> Any:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member", CONTENT)
    with zipfile.ZipFile(content) as archive:
        return archive.open("member")


def _beside(path: Path, content: bytes) -> Path:
    packed = path.with_name("packed")
    if not packed.exists():
        packed.write_bytes(content)
    return packed


# How a file is made, given a path that holds CONTENT; what of CONTENT is sent; whether the system may send it.
KINDS: dict[str, tuple[Callable[[Path], Any], bytes, bool]] = {
    "buffered": (lambda path: open(path, "rb"), CONTENT, True),
    "unbuffered": (lambda path: open(path, "rb", buffering=0), CONTENT, True),
    "read and write": (lambda path: open(path, "r+b"), CONTENT, True),
    "at an offset": (lambda path: _at(open(path, "rb"), 777), CONTENT[777:], True),
    "unbuffered, at an offset": (lambda path: _at(open(path, "rb", buffering=0), 777), CONTENT[777:], True),
    "partly read": (lambda path: _after_reading(open(path, "rb"), 777), CONTENT[777:], True),
    "at its end": (lambda path: _at(open(path, "rb"), len(CONTENT)), b"", False),
    "beyond its end": (lambda path: _at(open(path, "rb"), len(CONTENT) + 10), b"", False),
    "with a write still in its buffer": (lambda path: _overwritten(open(path, "r+b")), b"LINE" + CONTENT[4:], True),
    "temporary": (lambda path: _written(tempfile.TemporaryFile()), CONTENT, True),
    "named temporary": (lambda path: _written(tempfile.NamedTemporaryFile()), CONTENT, True),
    "spooled, in memory": (lambda path: _written(tempfile.SpooledTemporaryFile(1 << 20)), CONTENT, False),
    "spooled, on disk": (lambda path: _written(tempfile.SpooledTemporaryFile(100)), CONTENT, False),
    "in memory": (lambda path: io.BytesIO(CONTENT), CONTENT, False),
    "in memory, at an offset": (lambda path: _at(io.BytesIO(CONTENT), 777), CONTENT[777:], False),
    "gzip": (lambda path: gzip.open(_beside(path, gzip.compress(CONTENT))), CONTENT, False),
    "gzip, at an offset": (
        lambda path: _at(gzip.open(_beside(path, gzip.compress(CONTENT))), 777),
        CONTENT[777:],
        False,
    ),
    "bzip2": (lambda path: bz2.open(_beside(path, bz2.compress(CONTENT))), CONTENT, False),
    "zip member": (lambda path: _zipped(), CONTENT, False),
    "pipe": (lambda path: _piped(), CONTENT[:1000], False),
    "only read()": (lambda path: OnlyRead(CONTENT), CONTENT, False),
    "a reader of its own": (Upper, CONTENT.upper(), False),
    "a buffered reader of its own": (lambda path: UpperBuffered(io.FileIO(path)), CONTENT.upper(), False),
    "a buffer around a reader of its own": (lambda path: io.BufferedReader(Upper(path)), CONTENT, False),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


class Sender:
    """An application that sends the file that `make` makes, and keeps the files that it has sent."""

    def __init__(self, make: Callable[[], Any], *fields: tuple[str, str], status: str = "200 OK") -> None:
        self._make = make
        self._fields = list(fields)
        self._status = status
        self.files: list[Any] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        self.files.append(self._make())
        about = [] if self._status[:3] in ("204", "304") else [("Content-Type", "text/plain")]
        start_response(self._status, [*about, *self._fields])
        return environ["wsgi.file_wrapper"](self.files[-1])


@EVERY_KIND
@pytest.mark.parametrize("fields", [True, False], ids=["with its length", "without"])
def test_a_file_is_sent_as_it_reads(
    start: Start, log: pytest.LogCaptureFixture, path: Path, kind: str, fields: bool
) -> None:
    make, content, _ = KINDS[kind]
    if kind == "a buffer around a reader of its own":
        with make(path) as file:
            content = file.read()
    sender = Sender(lambda: make(path), *([("Content-Length", str(len(content)))] if fields else []))
    running = start(sender)
    with to_the_end(running) as kept:
        for _ in range(2):
            answer = kept.ask()
            assert answer.status == 200
            assert answer.content == content
    assert ask(running, version="1.0").content == content
    assert errors(log) == []
    assert all(getattr(file, "closed", True) for file in sender.files)


@pytest.mark.parametrize("name", ["/proc/sys/kernel/ostype", "/sys/kernel/mm/transparent_hugepage/enabled"])
def test_a_file_that_does_not_tell_its_size_is_sent_whole(start: Start, name: str) -> None:
    if sys.platform != "linux" or not os.path.exists(name):
        pytest.skip("this system has no such file")
    with to_the_end(start(Sender(lambda: open(name, "rb")))) as kept:
        for _ in range(2):
            assert kept.ask().content == Path(name).read_bytes()


@EVERY_KIND
def test_the_system_sends_what_is_a_file_and_nothing_else(path: Path, kind: str) -> None:
    make, content, real = KINDS[kind]
    file = make(path)
    wrapper = FileWrapper(file)
    found = wrapper.real_file()
    assert (found is not None) == real
    if found is not None:
        descriptor, offset, length = found
        assert length == len(content)
        os.lseek(descriptor, offset, os.SEEK_SET)
        assert os.read(descriptor, len(content) + 1) == content
    if hasattr(wrapper, "close"):
        wrapper.close()
        assert file.closed


@EVERY_KIND
def test_head_sends_nothing_of_a_file_and_closes_it(start: Start, path: Path, kind: str) -> None:
    make, content, real = KINDS[kind]
    sender = Sender(lambda: make(path))
    running = start(sender)
    answer = ask(running, method="HEAD")
    assert (answer.status, answer.content) == (200, b"")
    assert answer.all("Content-Length") == ([str(len(content))] if real and content else [])
    assert all(getattr(file, "closed", True) for file in sender.files)


def test_a_real_file_has_its_length_without_being_asked(start: Start, path: Path) -> None:
    answer = ask(start(Sender(lambda: open(path, "rb"))))
    assert answer["Content-Length"] == str(len(CONTENT))


@pytest.mark.parametrize("make", [lambda: open(__file__, "rb"), lambda: io.BytesIO(CONTENT)], ids=["real", "memory"])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_content_sends_nothing_of_a_file(start: Start, make: Callable[[], Any], status: str) -> None:
    sender = Sender(make, status=status)
    running = start(sender)
    answer = ask(running)
    assert answer.content == b""
    assert answer.all("Content-Length") == answer.all("Transfer-Encoding") == []
    assert sender.files[0].closed


@pytest.mark.parametrize("kind", ["buffered", "at an offset", "named temporary", "in memory", "gzip", "only read()"])
def test_a_content_length_that_is_smaller_ends_the_file_early(start: Start, path: Path, kind: str) -> None:
    make, content, _ = KINDS[kind]
    with to_the_end(start(Sender(lambda: make(path), ("Content-Length", "9000")))) as kept:
        for _ in range(2):
            assert kept.ask().content == content[:9000]


@pytest.mark.parametrize("kind", ["buffered", "at an offset", "named temporary", "in memory", "gzip", "only read()"])
def test_a_file_that_falls_short_of_the_content_length_ends_the_connection(
    start: Start, log: pytest.LogCaptureFixture, path: Path, kind: str
) -> None:
    make, content, _ = KINDS[kind]
    running = start(Sender(lambda: make(path), ("Content-Length", str(len(content) + 1))))
    with Client(running) as client:
        client.send(request())
        assert parse(client.stream.read()).content == content
    (message,) = errors(log)
    assert "less than its Content-Length" in message


def test_eight_megabytes_arrive_whole_twice_on_one_connection(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(1024) * 8192)
    with to_the_end(start(Sender(lambda: open(path, "rb")))) as kept:
        for _ in range(2):
            assert hashlib.sha256(kept.ask().content).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_a_client_that_goes_while_a_file_is_sent_is_no_error(
    start: Start, log: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(8 << 20))
    sender = Sender(lambda: open(path, "rb"))
    running = start(sender)
    with Client(running) as client:
        client.send(request())
        assert client.sock.recv(10)
    with to_the_end(running) as kept:
        assert len(kept.ask().content) == 8 << 20
    assert all(file.closed for file in sender.files)
    assert errors(log) == []


def test_what_was_written_stands_before_the_file(start: Start, path: Path) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])(b"before ")
        return environ["wsgi.file_wrapper"](open(path, "rb"))

    with to_the_end(start(app)) as kept:
        assert kept.ask().content == b"before " + CONTENT


def test_a_file_may_be_wrapped_once_more(start: Start, path: Path) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        file = environ["wsgi.file_wrapper"](open(path, "rb"), 1000)
        try:
            yield from (block.upper() for block in file)
        finally:
            file.close()

    with to_the_end(start(validator(app))) as kept:
        assert kept.ask().content == CONTENT.upper()


def test_the_block_size_is_the_applications_choice() -> None:
    assert [len(block) for block in FileWrapper(io.BytesIO(CONTENT), 10_000)] == [10_000] * 7 + [len(CONTENT) - 70_000]


def test_what_is_left_of_a_wrapper_that_was_begun_is_sent(start: Start, path: Path) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        wrapper = environ["wsgi.file_wrapper"](open(path, "rb"), 100)
        next(wrapper)
        return wrapper

    with to_the_end(start(app)) as kept:
        assert kept.ask().content == CONTENT[100:]


def test_a_file_of_text_is_a_500(start: Start, log: pytest.LogCaptureFixture, path: Path) -> None:
    sender = Sender(lambda: open(path, encoding="ascii"))
    assert ask(start(sender)).status == 500
    assert "bytes" in errors(log)[0]
    assert sender.files[0].closed


def test_a_closed_file_is_a_500(start: Start, log: pytest.LogCaptureFixture, path: Path) -> None:
    def closed() -> Any:
        with open(path, "rb") as file:
            return file

    assert ask(start(Sender(closed))).status == 500
    assert "closed file" in log.text


def test_a_file_without_start_response_is_a_500(start: Start, log: pytest.LogCaptureFixture, path: Path) -> None:
    files = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        files.append(open(path, "rb"))
        return environ["wsgi.file_wrapper"](files[-1])

    assert ask(start(app)).status == 500
    assert "start_response" in errors(log)[0]
    assert files[0].closed
