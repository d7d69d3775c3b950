"""What all tests share: a server on a free port, raw connections to it, and the `portable` environment."""

from __future__ import annotations

import os

if os.environ.get("TPSERVER_TEST_PORTABLE"):
    # Before anything imports tpserver: what Windows does not have.
    import portable

    portable.hide()

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tpserver import Server, make_server

# Long enough for a slow machine, short enough for a person who waits for a failing test.
PATIENCE = 20.0


@dataclass
class Running:
    """A server that serves, in a thread of its own."""

    server: Server
    thread: threading.Thread

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server.server_port)

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def connect(self) -> socket.socket:
        """A raw connection; the test closes it."""
        return socket.create_connection(self.address, timeout=PATIENCE)

    def exchange(self, data: bytes) -> bytes:
        """Sends `data` on a new connection, says that there is no more, and returns all that comes back."""
        with self.connect() as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the server has not stopped"
        self.server.server_close()


def read_all(sock: socket.socket) -> bytes:
    """What comes until the other end closes."""
    pieces = []
    while data := sock.recv(65536):
        pieces.append(data)
    return b"".join(pieces)


def read_response(stream: Any) -> tuple[int, dict[str, str], bytes]:
    """One response from a binary stream (`sock.makefile("rb")`): status, fields by lower-case name, content."""
    status_line = stream.readline()
    assert status_line.startswith(b"HTTP/1.1 "), status_line
    status = int(status_line[9:12])
    fields: dict[str, str] = {}
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.lower()] = value.strip()
    if status in (204, 304) or status < 200:
        return status, fields, b""
    if fields.get("transfer-encoding") == "chunked":
        pieces = []
        while size := int(stream.readline(), 16):
            pieces.append(stream.read(size))
            assert stream.readline() == b"\r\n"
        assert stream.readline() == b"\r\n"
        return status, fields, b"".join(pieces)
    if "content-length" in fields:
        return status, fields, stream.read(int(fields["content-length"]))
    return status, fields, stream.read()


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts servers, by `make_server`'s arguments, on free ports; stops them after the test."""
    started: list[Running] = []

    def start_one(app: Any = None, **options: Any) -> Running:
        server = make_server("127.0.0.1", 0, app, **options)
        thread = threading.Thread(target=server.serve_forever, name="watcher")
        thread.start()
        started.append(Running(server, thread))
        return started[-1]

    yield start_one
    for running in started:
        running.stop()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A server that has stopped leaves no thread behind."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"{thread.name} is left over"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the server says, from debug on."""
    caplog.set_level(logging.DEBUG, logger="tpserver")
    return caplog
