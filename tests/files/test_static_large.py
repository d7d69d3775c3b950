"""Large files: whole, bit by bit to slow readers, and never passed off as complete when they are not."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import CLOSE, Client, ask, request
from tests.running import Start
from tests.waiting import eventually

SIZE = 20 * 1024 * 1024
STEP = 256 * 1024


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A sparse file with a mark in every megabyte."""
    path = tmp_path / "large.bin"
    with path.open("wb") as stream:
        for at in range(0, SIZE, 1024 * 1024):
            stream.seek(at)
            stream.write(b"mark %d" % at)
        stream.truncate(SIZE)
    return path


def digest(stream: Any, length: int) -> str:
    """The hash of so many bytes; they must be there."""
    found = hashlib.sha256()
    while length:
        data = stream.read(min(STEP, length))
        assert data, "it ends too early"
        found.update(data)
        length -= len(data)
    return found.hexdigest()


def test_a_large_file_arrives_whole(start: Start, large: Path) -> None:
    with large.open("rb") as file:
        expected = digest(file, SIZE)
    with Client(start(root=str(large.parent))) as client:
        for _ in range(2):
            client.send(request("/large.bin"))
            assert client.head().fields["content-length"] == str(SIZE)
            assert digest(client.stream, SIZE) == expected


def test_an_old_client_gets_a_large_file_whole(start: Start, large: Path) -> None:
    with Client(start(root=str(large.parent))) as client:
        client.send(request("/large.bin", version="1.0"))
        client.head()
        digest(client.stream, SIZE)
        assert client.stream.read() == b""


def test_others_are_served_while_a_client_does_not_read(start: Start, large: Path) -> None:
    (large.parent / "a.txt").write_bytes(b"small")
    running = start(root=str(large.parent))
    with Client(running) as client:
        client.send(request("/large.bin"))
        client.head()
        for _ in range(10):
            assert ask(running, "/a.txt").content == b"small"
        digest(client.stream, SIZE)


def received(client: Client) -> int:
    """How many bytes come until the connection ends, one way or another."""
    length = 0
    with contextlib.suppress(ConnectionResetError):
        while data := client.stream.read(STEP):
            length += len(data)
    return length


def test_a_file_that_is_truncated_meanwhile_ends_the_connection_too_early(start: Start, large: Path) -> None:
    with Client(start(root=str(large.parent))) as client:
        client.send(request("/large.bin") + request("/large.bin"))
        assert client.head().fields["content-length"] == str(SIZE)
        os.truncate(large, 1000)
        assert received(client) < SIZE


@pytest.mark.parametrize("asked", ["", "bytes=0-", "bytes=0-999999,2000000-"])
@pytest.mark.parametrize("length", [SIZE, 1000, SIZE + 1000], ids=["as long", "shorter", "longer"])
def test_a_file_that_is_written_anew_meanwhile_never_comes_as_a_whole(
    start: Start, large: Path, asked: str, length: int
) -> None:
    """Half of it would be of one version and half of another, and its length right."""
    with Client(start(root=str(large.parent))) as client:
        client.send(request("/large.bin", *([f"Range: {asked}"] if asked else [])))
        promised = int(client.head().fields["content-length"])
        with large.open("r+b") as rewritten:
            rewritten.write(b"n" * length)
            rewritten.truncate(length)
        assert received(client) < promised


def test_a_file_that_is_cut_off_is_whole_again_at_the_next_request(start: Start, large: Path) -> None:
    running = start(root=str(large.parent))
    with Client(running) as client:
        client.send(request("/large.bin"))
        client.head()
        large.write_bytes(b"new")
        received(client)
    assert ask(running, "/large.bin").content == b"new"


def test_a_file_that_grows_meanwhile_is_sent_as_long_as_it_was(start: Start, large: Path) -> None:
    with Client(start(root=str(large.parent))) as client:
        client.send(request("/large.bin"))
        client.head()
        with large.open("ab") as more:
            more.write(b"more")
        digest(client.stream, SIZE)
        client.send(request("/large.bin", CLOSE))
        assert client.head().fields["content-length"] == str(SIZE + 4)
        digest(client.stream, SIZE)
        assert client.stream.read() == b"more"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps an open file from being replaced")
@pytest.mark.parametrize("change", ["replace", "delete"])
def test_a_file_that_is_replaced_or_deleted_meanwhile_is_sent_to_its_end(
    start: Start, large: Path, change: str
) -> None:
    with large.open("rb") as file:
        expected = digest(file, SIZE)
    with Client(start(root=str(large.parent))) as client:
        client.send(request("/large.bin"))
        client.head()
        if change == "replace":
            large.with_name("new").write_bytes(b"new")
            os.replace(large.with_name("new"), large)
        else:
            large.unlink()
        assert digest(client.stream, SIZE) == expected
        client.send(request("/large.bin", CLOSE))
        answer = client.head()
        assert (answer.status, client.stream.read() == b"new") == ((200, True) if change == "replace" else (404, False))


GIB = 1 << 30


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file of 5 GiB with four bytes on each side of the fourth, and four at its end; the rest is a hole."""
    path = tmp_path_factory.mktemp("huge") / "huge.bin"
    try:
        with path.open("wb") as stream:
            if sys.platform == "win32":
                raise OSError("a hole takes its place on the disk here")
            stream.seek(4 * GIB - 4)
            stream.write(b"fourTH..")
            stream.seek(5 * GIB - 4)
            stream.write(b"last")
        if path.stat().st_blocks * 512 > GIB:
            raise OSError("this file system knows no holes")
    except OSError as error:
        path.unlink()
        pytest.skip(str(error))
    yield path
    path.unlink()


@pytest.mark.parametrize(
    ("asked", "content", "content_range"),
    [
        ("bytes=4294967292-4294967299", b"fourTH..", "bytes 4294967292-4294967299/5368709120"),
        ("bytes=4294967296-4294967297", b"TH", "bytes 4294967296-4294967297/5368709120"),
        ("bytes=5368709116-", b"last", "bytes 5368709116-5368709119/5368709120"),
        ("bytes=-5", b"\0last", "bytes 5368709115-5368709119/5368709120"),
        ("bytes=5368709119-99999999999999999999", b"t", "bytes 5368709119-5368709119/5368709120"),
    ],
)
def test_parts_beyond_four_gibibytes(start: Start, huge: Path, asked: str, content: bytes, content_range: str) -> None:
    answer = ask(start(root=str(huge.parent)), "/huge.bin", f"Range: {asked}")
    assert (answer.status, answer.content) == (206, content)
    assert answer.fields["content-range"] == content_range


def test_several_parts_on_both_sides_of_four_gibibytes(start: Start, huge: Path) -> None:
    answer = ask(start(root=str(huge.parent)), "/huge.bin", "Range: bytes=-4,0-1,4294967294-4294967297")
    assert int(answer.fields["content-length"]) == len(answer.content)
    for part in (b"\r\n\r\nlast\r\n--", b"\r\n\r\n\0\0\r\n--", b"\r\n\r\nurTH\r\n--"):
        assert part in answer.content


def test_beyond_the_end_of_five_gibibytes(start: Start, huge: Path) -> None:
    answer = ask(start(root=str(huge.parent)), "/huge.bin", "Range: bytes=5368709120-")
    assert (answer.status, answer.fields["content-range"]) == (416, "bytes */5368709120")


def test_the_size_of_a_huge_file_is_told_and_it_begins_to_come(start: Start, huge: Path) -> None:
    running = start(root=str(huge.parent))
    assert ask(running, "/huge.bin", method="HEAD").fields["content-length"] == str(5 * GIB)
    with Client(running) as client:
        client.send(request("/huge.bin"))
        assert client.head().fields["content-length"] == str(5 * GIB)
        assert client.stream.read(STEP) == bytes(STEP)
    with Client(running) as client:
        client.send(request("/huge.bin", f"Range: bytes={4 * GIB - STEP}-"))
        assert client.head().fields["content-length"] == str(GIB + STEP)
        assert client.stream.read(STEP + 4) == bytes(STEP - 4) + b"fourTH.."


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which files are open")
def test_a_file_is_closed_when_its_reader_has_left(start: Start, large: Path) -> None:
    def is_open() -> bool:
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{descriptor}") == str(large):
                    return True
            except FileNotFoundError:
                pass
        return False

    running = start(root=str(large.parent))
    for method in ("GET", "HEAD"):
        with Client(running) as client:
            client.send(request("/large.bin", method=method))
            client.head()
            assert is_open() is (method == "GET")
        eventually(lambda: not is_open(), "the file is still open")
    ask(running, "/large.bin", "If-None-Match: *")
    eventually(lambda: not is_open(), "the file is still open")
