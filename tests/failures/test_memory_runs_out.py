"""MemoryError where the server itself works: it costs a connection or a turn, never the server."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

import pytest

from tests import inside
from tests.client import Client, exchange
from tests.failures.limited import get, post
from tests.running import Start
from tests.waiting import until_left
from tpserver.logs import access_log
from tpserver.protocol import Receiver
from tpserver.spool import Spool


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
    "reading a message": (Receiver, "read_message"),
    "storing a content": (Spool, "new_content"),
    "writing an answer": inside.WRITE,
    "sending an answer": inside.FLUSH,
    "polling": (type(inside.new_poller()), "poll"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_client_or_two_is_lost_and_the_others_are_served(
    start: Start, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture, place: str
) -> None:
    shortage = Shortage(monkeypatch, *PLACES[place])
    running = start(app)
    with Client(running) as there_before:
        assert exchange(running, post("/", 10)).endswith(b"fine 10")
        for _ in range(3):
            shortage.left = 1
            with Client(running) as client:
                try:
                    client.send(post("/", 10))
                    client.stream.read()
                except OSError:
                    pass  # it is the one that is lost
            assert exchange(running, post("/", 10)).endswith(b"fine 10")
        assert shortage.left == 0
        there_before.send(get("/"))
        assert there_before.stream.read().endswith(b"fine 0")
    until_left(running, 0)
    assert "internal error" in log.text or "exception" in log.text


def test_a_connection_for_which_there_is_no_memory_is_closed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start(app)
    assert exchange(running, get("/")).endswith(b"fine 0")
    refused: list[socket.socket] = []

    owner, name = inside.NEW_CONNECTION
    really = getattr(owner, name)

    def connection(sock: socket.socket, *arguments: Any) -> Any:
        if not refused:
            refused.append(sock)
            raise MemoryError
        return really(sock, *arguments)

    monkeypatch.setattr(owner, name, connection)
    try:
        with Client(running) as lost:
            lost.sock.settimeout(1.0)
            ended = b"not yet"
            with contextlib.suppress(OSError):
                ended = lost.sock.recv(1)
        assert exchange(running, get("/")).endswith(b"fine 0")
        assert ended == b""
    finally:
        refused[0].close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_access_log_goes_on(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shortage = Shortage(monkeypatch, access_log, "combined")
    running = start(app, access_log=str(tmp_path / "log.txt"))
    shortage.left = 1
    for _ in range(5):
        assert exchange(running, get("/")).endswith(b"fine 0")
    while shortage.left:
        assert exchange(running, get("/")).endswith(b"fine 0")
    assert exchange(running, get("/last")).endswith(b"fine 0")
    running.stop()
    assert "GET /last " in (tmp_path / "log.txt").read_text()


def test_a_socket_that_cannot_be_made_ready_costs_that_client_only(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start(app)
    assert exchange(running, get("/")).endswith(b"fine 0")
    really = socket.socket.setblocking
    refused: list[socket.socket] = []

    def setblocking(sock: socket.socket, flag: bool) -> None:
        if not refused and not flag:
            refused.append(sock)
            raise OSError(22, "Invalid argument")
        really(sock, flag)

    monkeypatch.setattr(socket.socket, "setblocking", setblocking)
    with Client(running) as lost:
        assert lost.ended()
    assert exchange(running, get("/")).endswith(b"fine 0")
