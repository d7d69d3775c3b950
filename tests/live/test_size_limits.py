"""Requests that are larger than the server takes, and those that are just as large as it does."""

from __future__ import annotations

import socket

import pytest
from raw_client import Client, Clock, Gates, chunked, request, until_left

from tpserver.engine import states


def head_of(size):
    """A GET whose head has exactly so many bytes."""
    empty = len(request("/x", "X-Fill: "))
    return request("/x", "X-Fill: " + "f" * (size - empty))


def test_largest_head_is_served(start):
    with Client(start(Gates(), max_head=1024)) as client:
        client.send(head_of(1024))
        assert client.response().status == 200


@pytest.mark.parametrize(
    ("options", "data", "status"),
    [
        ({"max_head": 1024}, head_of(1025), 431),
        ({"max_fields": 5}, request("/", *(f"X-{number}: 1" for number in range(5))), 431),
        ({"max_head": 1024}, request("/" + "x" * 1024), 414),
        ({"max_body": 1000}, request("/", method="POST", body=b"x" * 1001), 413),
        ({"max_body": 1000}, chunked("/", b"x" * 600, b"x" * 401), 413),
        ({"max_head": 1024}, chunked("/", b"x", trailers=f"X: {'x' * 1024}\r\n"), 431),
    ],
    ids=["head", "fields", "request line", "content", "content in chunks", "trailers"],
)
def test_too_large_is_refused_and_the_connection_closed(start, options, data, status):
    gates = Gates()
    with Client(start(gates, **options)) as client:
        client.send(data + request("/behind"))
        response = client.response()
        assert (response.status, response.fields["connection"]) == (status, "close")
        assert client.ended()
    assert gates.seen == []


@pytest.mark.parametrize("data", [request("/", method="POST", body=b"x" * 1000), chunked("/", b"x" * 600, b"x" * 400)])
def test_largest_content_is_served(start, data):
    with Client(start(Gates(), max_body=1000)) as client:
        client.send(data)
        assert client.response().body == b"/ " + b"x" * 1000


def test_client_that_is_still_sending_gets_to_read_why_it_was_refused(start, monkeypatch):
    Clock(monkeypatch)  # stands still, so that a slow machine has its time
    running = start(Gates(), max_body=1000)
    piece = b"x" * 1024 * 1024
    with Client(running) as client:
        client.send(request("/", f"Content-Length: {64 * len(piece)}", method="POST"))
        for _ in range(16):
            client.send(piece)  # neither a reset nor a broken pipe
        assert client.response().status == 413
        assert client.ended()
    until_left(running, 0)


def test_client_that_does_not_close_behind_an_error_is_closed(start, monkeypatch):
    clock = Clock(monkeypatch)
    running = start(Gates())
    with Client(running) as client:
        client.send(b"nonsense\r\n\r\n")
        assert client.response().status == 400
        assert client.ended()
        clock.advance(running, states.LINGER - 1)
        until_left(running, 1)
        clock.advance(running, 1)
        until_left(running, 0)


def test_refused_client_that_has_ended_its_side_is_closed_at_once(start, monkeypatch):
    Clock(monkeypatch)
    running = start(Gates())
    with Client(running) as client:
        client.send(b"nonsense\r\n\r\n")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.response().status == 400
        until_left(running, 0)


def test_a_client_that_speaks_tls_is_told_at_once(start):
    with Client(start(Gates())) as client:
        client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100)
        assert client.response().status == 400
        assert client.ended()
