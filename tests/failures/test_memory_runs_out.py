"""MemoryError where the server itself works: it costs a connection or a turn, never the server."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import Running, read_all

from tests.failures.limited import get, post
from tests.live.raw_client import until_left
from tpserver import handler
from tpserver.engine import connections
from tpserver.engine.connection import Connection
from tpserver.engine.polling import new_poller
from tpserver.logs import access_log
from tpserver.spool import Spool

Start = Callable[..., Running]


def app(environ: Any, start_response: Any) -> Any:
    content = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [b"fine %d" % len(content)]


class Shortage:
    """Makes a function of the server's fail, so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.left = 0
        really = getattr(owner, name)

        def scarce(*arguments: Any, **more: Any) -> Any:
            if self.left:
                self.left -= 1
                raise MemoryError
            return really(*arguments, **more)

        monkeypatch.setattr(owner, name, scarce)


PLACES: dict[str, tuple[Any, str]] = {
    "reading a message": (handler, "_read_message"),
    "storing a content": (Spool, "new_content"),
    "writing an answer": (Connection, "write"),
    "sending an answer": (Connection, "flush"),
    "polling": (type(new_poller()), "poll"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_client_or_two_is_lost_and_the_others_are_served(
    start: Start, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture, place: str
) -> None:
    shortage = Shortage(monkeypatch, *PLACES[place])
    running = start(app)
    with running.connect() as there_before:
        assert running.exchange(post("/", 10)).endswith(b"fine 10")
        for _ in range(3):
            shortage.left = 1
            with running.connect() as sock:
                try:
                    sock.sendall(post("/", 10))
                    read_all(sock)
                except OSError:
                    pass  # it is the one that is lost
            assert running.exchange(post("/", 10)).endswith(b"fine 10")
        assert shortage.left == 0
        there_before.sendall(get("/"))
        assert read_all(there_before).endswith(b"fine 0")
    until_left(running, 0)
    assert "tpserver has a fault" in log.text or "exception" in log.text


def test_a_connection_for_which_there_is_no_memory_is_closed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start(app)
    assert running.exchange(get("/")).endswith(b"fine 0")
    refused: list[socket.socket] = []

    def connection(sock: socket.socket, *arguments: Any) -> Connection:
        if not refused:
            refused.append(sock)
            raise MemoryError
        return Connection(sock, *arguments)

    monkeypatch.setattr(connections, "Connection", connection)
    try:
        with running.connect() as lost:
            lost.settimeout(1.0)
            ended = b"not yet"
            with contextlib.suppress(OSError):
                ended = lost.recv(1)
        assert running.exchange(get("/")).endswith(b"fine 0")
        assert ended == b""
    finally:
        refused[0].close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_access_log_goes_on(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shortage = Shortage(monkeypatch, access_log, "combined")
    running = start(app, access_log=str(tmp_path / "log.txt"))
    shortage.left = 1
    for _ in range(5):
        assert running.exchange(get("/")).endswith(b"fine 0")
    while shortage.left:
        assert running.exchange(get("/")).endswith(b"fine 0")
    assert running.exchange(get("/last")).endswith(b"fine 0")
    running.stop()
    assert "GET /last " in (tmp_path / "log.txt").read_text()


def test_a_socket_that_cannot_be_made_ready_costs_that_client_only(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start(app)
    assert running.exchange(get("/")).endswith(b"fine 0")
    really = socket.socket.setblocking
    refused: list[socket.socket] = []

    def setblocking(sock: socket.socket, flag: bool) -> None:
        if not refused and not flag:
            refused.append(sock)
            raise OSError(22, "Invalid argument")
        really(sock, flag)

    monkeypatch.setattr(socket.socket, "setblocking", setblocking)
    with running.connect() as lost:
        lost.settimeout(20)
        assert lost.recv(1) == b""
    assert running.exchange(get("/")).endswith(b"fine 0")
