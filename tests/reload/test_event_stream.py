"""The stream that tells browsers to load their page again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from tests.client import PATIENCE
from tests.waiting import eventually
from tpserver.reload.events import EventStream, page_end


def listen(stream: EventStream) -> tuple[socket.socket, BinaryIO]:
    """A browser: its socket, and what it hears behind the head."""
    sock = socket.create_connection(("127.0.0.1", stream.port), timeout=PATIENCE)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    file = sock.makefile("rb")
    head = b"".join(iter(file.readline, b"\r\n"))
    assert b"text/event-stream" in head
    assert b"Access-Control-Allow-Origin: *" in head
    assert event(file) == [b"retry: 500"]
    return sock, file


def event(file: BinaryIO) -> list[bytes]:
    return [line.rstrip() for line in iter(file.readline, b"\n")]


@pytest.fixture
def stream() -> Iterator[EventStream]:
    made = EventStream()
    yield made
    made.close()


def test_who_listens_hears_which_process_serves_and_what_has_changed(stream: EventStream) -> None:
    sock, file = listen(stream)
    with sock, file:
        eventually(lambda: stream._clients, "it is not there")
        stream.serves(3)
        stream.tell("reload")
        stream.tell("css")
        assert [event(file) for _ in range(3)] == [
            [b"data: 3"],
            [b"event: reload", b"data:"],
            [b"event: css", b"data:"],
        ]
    late, file = listen(stream)
    with late, file:
        assert event(file) == [b"data: 3"]  # a page of an earlier process is loaded again


def test_who_has_left_is_forgotten(stream: EventStream) -> None:
    stream.serves(1)
    for _ in range(60):
        sock, file = listen(stream)
        sock.close()
        file.close()

    def told() -> bool:
        stream.tell("reload")
        return not stream._clients

    eventually(told, "it is told for ever")


def test_the_script_names_stream_and_process() -> None:
    script = page_end(1234, 7)
    assert b'"http://127.0.0.1:1234/"' in script
    assert b'e.data!="7"' in script
