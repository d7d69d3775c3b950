"""What slow readers may take: of this server's memory, and of the system's, which all programs share."""

from __future__ import annotations

import socket
import sys

import pytest

from tests import inside
from tests.client import Client, request
from tests.clock import Clock
from tests.running import Running, Start
from tests.waiting import turns, until, until_left

LONG = 8 * 1024 * 1024
# What a client that reads nothing may have been sent: the system's least, and what this client's own buffer takes.
TAKEN = 512 * 1024


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="this system has no such limit")
def test_the_system_does_not_take_megabytes_for_a_client_that_reads_nothing(start: Start) -> None:
    def app(environ, start_response):  # type: ignore[no-untyped-def]
        start_response("200 OK", [("Content-Length", str(LONG))])
        return [b"x" * LONG]

    running = start(app)
    with Client(running, receive_buffer=4096) as client:
        client.send(request("/long"))
        left: list[int] = []

        def sending() -> bool:
            left[:] = inside.unsent(running.server)
            return bool(left)

        until(running, sending)
        turns(running, 50)
        assert sending()
        assert LONG - left[0] < TAKEN


def reads_nothing(start: Start, **options: float) -> tuple[Running, Client]:
    """A server, and a client that has asked for much and reads nothing."""

    def app(environ, start_response):  # type: ignore[no-untyped-def]
        start_response("200 OK", [("Content-Length", str(LONG))])
        return [b"x" * LONG]

    running = start(app, **options)
    client = Client(running, receive_buffer=4096)
    client.send(request("/long"))
    until(running, lambda: inside.unsent(running.server))
    return running, client


def reset_is_seen(client: Client) -> bool:
    try:
        while client.sock.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


@pytest.mark.usefixtures("hard_resets")
def test_one_that_is_dropped_is_reset_so_that_the_system_keeps_nothing_for_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    running, client = reads_nothing(start, min_rate=0)
    with client:
        clock.advance(running, 31)
        until_left(running, 0)
        assert running.server.stats()["ended"] == {"slow reader": 1}
        assert reset_is_seen(client)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does it in its own time")
def test_what_a_closed_connection_has_left_in_the_system_is_reset_in_time(start: Start) -> None:
    """The whole response may be in the system's buffers, whose client reads none of it: no server is told then."""
    running = start(send_timeout=7, root=".")
    with Client(running) as client:
        client.ask("*", method="OPTIONS")
        (mine,) = [one.sock for one in running.server.connections.by_fd.copy().values()]
        assert mine.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
