"""How a connection ends: at once where its client has said that it sends nothing more, else it is waited for."""

from __future__ import annotations

import socket

import pytest

from tests.client import CLOSE, PATIENCE, Client, request
from tests.gates import Gates
from tests.waiting import turns, until, until_left

LARGE = 20_000_000


def test_one_whose_client_has_said_so_is_closed_without_waiting_for_it(start):
    running = start(Gates())
    for more in ({"version": "1.0"}, {}):
        with Client(running) as client:
            client.send(request("/x", *([] if more else [CLOSE]), **more))
            assert client.response().content == b"/x "
            until_left(running, 0)  # though the client has not closed its side
            assert client.ended()


def test_one_that_was_kept_before_is_closed_as_well(start):
    running = start(Gates())
    with Client(running) as client:
        assert client.ask("/one").content == b"/one "
        client.send(request("/two", CLOSE))
        assert client.response().content == b"/two "
        until_left(running, 0)
        assert client.ended()


@pytest.mark.parametrize(
    "data",
    [request("/x", CLOSE, method="POST", content=b"abc"), request("/x", CLOSE) + b"\r\n"],
    ids=["behind a content", "with bytes behind the request"],
)
def test_one_whose_client_may_have_sent_more_is_waited_for(start, data):
    running = start(Gates())
    with Client(running) as client:
        client.send(data)
        assert client.response().status == 200
        assert client.ended()
        until(running, lambda: running.server.stats()["connections"]["lingering"] == 1)
        client.send(b"\r\n")
        turns(running)
        assert running.server.stats()["connections"]["lingering"] == 1
        client.finish_sending()
        until_left(running, 0)


@pytest.mark.parametrize("where", ["in place", "in the pool"])
def test_a_large_response_comes_whole_on_a_connection_that_closes(start, where):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(LARGE))])
        return [b"x" * LARGE]

    running = start(app, **({} if where == "in place" else {"in_place": "never"}))
    with Client(running) as client:
        client.send(request("/", CLOSE))
        until(running, lambda: running.server.stats()["connections"]["sending"] == 1)
        assert client.response().content == b"x" * LARGE
        assert client.ended()
    until_left(running, 0)


def test_every_accepted_socket_sends_at_once(start, monkeypatch):
    """Without TCP_NODELAY the second piece of a response waits for the client's acknowledgement of the first."""
    running = start(Gates())
    seen = []
    accept = running.server.get_request

    def get_request():
        sock, address = accept()
        seen.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        return sock, address

    monkeypatch.setattr(running.server, "get_request", get_request)
    for _ in range(3):
        with Client(running) as client:
            client.sock.settimeout(PATIENCE)
            assert client.ask("/x").content == b"/x "
    assert len(seen) == 3
    assert all(seen)
