"""What slow readers may take: of this server's memory, and of the system's, which all programs share."""

from __future__ import annotations

import socket

import pytest

from tests import inside
from tests.client import Client, request
from tests.running import Start
from tests.waiting import turns, until

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
