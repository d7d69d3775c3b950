"""Large files: whole, bit by bit to slow readers, and never passed off as complete when they are not."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from static_client import Start, ask, connected, eventually, read_head, request

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
    with large.open("rb") as stream:
        expected = digest(stream, SIZE)
    with connected(start(root=str(large.parent))) as (sock, stream):
        for _ in range(2):
            sock.sendall(request("/large.bin"))
            assert read_head(stream).fields["content-length"] == str(SIZE)
            assert digest(stream, SIZE) == expected


def test_an_old_client_gets_a_large_file_whole(start: Start, large: Path) -> None:
    with connected(start(root=str(large.parent))) as (sock, stream):
        sock.sendall(request("/large.bin", version="1.0"))
        read_head(stream)
        digest(stream, SIZE)
        assert stream.read() == b""


def test_others_are_served_while_a_client_does_not_read(start: Start, large: Path) -> None:
    (large.parent / "a.txt").write_bytes(b"small")
    running = start(root=str(large.parent))
    with connected(running) as (sock, stream):
        sock.sendall(request("/large.bin"))
        read_head(stream)
        for _ in range(10):
            assert ask(running, "/a.txt").content == b"small"
        digest(stream, SIZE)


def test_a_file_that_is_truncated_meanwhile_ends_the_connection_too_early(start: Start, large: Path) -> None:
    with connected(start(root=str(large.parent))) as (sock, stream):
        sock.sendall(request("/large.bin") + request("/large.bin"))
        assert read_head(stream).fields["content-length"] == str(SIZE)
        os.truncate(large, 1000)
        received = 0
        try:
            while data := stream.read(STEP):
                received += len(data)
        except ConnectionResetError:
            pass
        assert received < SIZE


def test_a_file_that_grows_meanwhile_is_sent_as_long_as_it_was(start: Start, large: Path) -> None:
    with connected(start(root=str(large.parent))) as (sock, stream):
        sock.sendall(request("/large.bin"))
        read_head(stream)
        with large.open("ab") as more:
            more.write(b"more")
        digest(stream, SIZE)
        sock.sendall(request("/large.bin", "Connection: close"))
        assert read_head(stream).fields["content-length"] == str(SIZE + 4)
        digest(stream, SIZE)
        assert stream.read() == b"more"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps an open file from being replaced")
@pytest.mark.parametrize("change", ["replace", "delete"])
def test_a_file_that_is_replaced_or_deleted_meanwhile_is_sent_to_its_end(
    start: Start, large: Path, change: str
) -> None:
    with large.open("rb") as stream:
        expected = digest(stream, SIZE)
    with connected(start(root=str(large.parent))) as (sock, stream):
        sock.sendall(request("/large.bin"))
        read_head(stream)
        if change == "replace":
            large.with_name("new").write_bytes(b"new")
            os.replace(large.with_name("new"), large)
        else:
            large.unlink()
        assert digest(stream, SIZE) == expected
        sock.sendall(request("/large.bin", "Connection: close"))
        answer = read_head(stream)
        assert (answer.status, stream.read() == b"new") == ((200, True) if change == "replace" else (404, False))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux tells which files are open")
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
        with connected(running) as (sock, stream):
            sock.sendall(request("/large.bin", method=method))
            read_head(stream)
            assert is_open() is (method == "GET")
        eventually(lambda: not is_open(), "the file is still open")
    ask(running, "/large.bin", "If-None-Match: *")
    eventually(lambda: not is_open(), "the file is still open")
