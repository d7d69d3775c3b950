"""Clients that say nothing, or too little, or do not read: each is ended in its time, and not before.

But for the last tests the server's clock is moved by hand, so nothing here waits.
"""

from __future__ import annotations

import threading

import pytest

from tests import inside
from tests.client import Client, request
from tests.clock import Clock
from tests.gates import Gates
from tests.waiting import until_left

LARGE = 16 * 1024 * 1024  # more than the kernel keeps for a connection


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def refused_in_time(client):
    response = client.response()
    return response.status == 408 and response.fields["connection"] == "close" and client.ended()


def test_client_that_says_nothing_is_closed(start, clock):
    running = start(Gates(), head_timeout=15)
    with Client(running) as client:
        clock.advance(running, 14)
        until_left(running, 1)
        clock.advance(running, 1)
        assert client.ended()
        until_left(running, 0)


def test_head_that_drips_is_refused(start, clock):
    running = start(Gates(), head_timeout=15)
    with Client(running) as client:
        for byte in b"GET / HTTP/1.1":
            client.send(bytes([byte]))
            clock.advance(running, 1)
        until_left(running, 1)
        clock.advance(running, 1)
        assert refused_in_time(client)


def test_head_that_comes_just_in_time_is_served(start, clock):
    running = start(Gates(), head_timeout=15)
    with Client(running) as client:
        client.send(b"GET /x HTTP/1.1\r\n")
        clock.advance(running, 14)
        client.send(b"Host: a\r\n\r\n")
        assert client.response().content == b"/x "


def test_idle_connection_is_closed_without_a_word(start, clock):
    running = start(Gates(), idle_timeout=75)
    with Client(running) as client:
        assert client.ask("/a").status == 200
        clock.advance(running, 74)
        assert client.ask("/b").status == 200
        clock.advance(running, 74)
        until_left(running, 1)
        clock.advance(running, 1)
        assert client.ended()


def test_next_head_has_its_own_time(start, clock):
    running = start(Gates(), head_timeout=15, idle_timeout=75)
    with Client(running) as client:
        assert client.ask("/a").status == 200
        clock.advance(running, 70)
        client.send(b"GET /b HTTP/1.1\r\n")
        clock.advance(running, 14)
        until_left(running, 1)
        clock.advance(running, 1)
        assert refused_in_time(client)


def test_half_a_head_behind_a_whole_request_is_refused(start, clock):
    running = start(Gates(), head_timeout=15)
    with Client(running) as client:
        client.send(request("/a") + b"GET /half")
        assert client.response().content == b"/a "
        clock.advance(running, 14)
        until_left(running, 1)
        clock.advance(running, 1)
        assert refused_in_time(client)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /", 400),
        (b"GET / HTTP/1.1 x", 400),
        (b"G\0T / HTTP/1.1", 400),
        (b"GET / HTTP/2.0", 505),
    ],
)
def test_a_request_line_that_cannot_be_served_is_answered_before_the_rest_comes(start, clock, line, status):
    with Client(start(Gates())) as client:  # the clock stands still
        client.send(line + b"\r\n")
        assert client.response().status == status
        assert client.ended()


def test_half_content_behind_a_whole_request_is_refused(start, clock):
    running = start(Gates(), min_rate=0, send_timeout=30)
    post = request("/", method="POST", content=b"content")
    with Client(running) as client:
        client.send(post[:-2])
        clock.advance(running, 1)  # the server waits for content once, and then again
        client.send(post[-2:] + post[:-2])
        assert client.response().content == b"/ content"
        clock.advance(running, 29)
        until_left(running, 1)
        clock.advance(running, 1)
        assert refused_in_time(client)


def test_content_that_drips_is_refused(start, clock):
    running = start(Gates(), min_rate=240)
    with Client(running) as client:
        client.send(request("/", "Content-Length: 100000", method="POST"))
        clock.advance(running, 1)
        for _ in range(4):
            client.send(b"x")
            clock.advance(running, 1)
        clock.advance(running, 1)
        assert refused_in_time(client)


def test_content_at_the_least_rate_is_taken(start, clock):
    running = start(Gates(), min_rate=240)
    with Client(running) as client:
        client.send(request("/", f"Content-Length: {240 * 40}", method="POST"))
        for _ in range(40):
            clock.advance(running, 1)
            client.send(b"x" * 240)
        assert client.response().content == b"/ " + b"x" * 240 * 40


def test_content_may_pause_when_it_was_fast_before(start, clock):
    running = start(Gates(), min_rate=240, send_timeout=30)
    with Client(running) as client:
        client.send(request("/", "Content-Length: 200000", method="POST"))
        clock.advance(running, 1)
        client.send(b"x" * 100_000)
        clock.advance(running, 29)
        until_left(running, 1)
        client.send(b"x" * 100)
        clock.advance(running, 29)
        until_left(running, 1)
        clock.advance(running, 2)
        assert refused_in_time(client)


def test_any_rate_will_do_where_there_is_no_least(start, clock):
    running = start(Gates(), min_rate=0, send_timeout=30)
    with Client(running) as client:
        client.send(request("/", "Content-Length: 10", method="POST"))
        for _ in range(10):
            clock.advance(running, 29)
            client.send(b"x")
        assert client.response().content == b"/ " + b"x" * 10


def large(environ, start_response):
    start_response("200 OK", [])
    return [b"x" * LARGE]


@pytest.fixture
def large_file(tmp_path):
    (tmp_path / "large.bin").write_bytes(b"x" * LARGE)
    return str(tmp_path)


def wait_until_dropped(client, running, clock, target, more=0):
    client.send(request(target))
    assert client.head().status == 200
    # What the kernel takes counts as read, so the time begins anew when it has taken all that it will.
    clock.advance(running, 1)
    until_left(running, 1)
    clock.advance(running, 30)
    if more:
        clock.advance(running, more)
    until_left(running, 0)


@pytest.mark.parametrize("target", ["/large.bin", "/large"])
@pytest.mark.parametrize(("min_rate", "more"), [(0, 30), (240, 0)], ids=["any rate", "least rate"])
def test_client_that_does_not_read_is_dropped(start, clock, large_file, target, min_rate, more):
    running = start(large, root=large_file, min_rate=min_rate, send_timeout=30)
    with Client(running) as client:
        wait_until_dropped(client, running, clock, target, more)


@pytest.mark.usefixtures("hard_resets")
@pytest.mark.parametrize("target", ["/large.bin", "/large"])
def test_client_that_does_not_read_is_reset_so_that_the_system_keeps_nothing_for_it(start, clock, large_file, target):
    running = start(large, root=large_file, send_timeout=30)
    with Client(running) as client:
        wait_until_dropped(client, running, clock, target)
        with pytest.raises(ConnectionResetError):
            client.stream.read()


@pytest.mark.parametrize("target", ["/large.bin", "/large"])
def test_client_that_reads_slowly_but_fast_enough_gets_everything(start, clock, large_file, target):
    # Buffers between the two may hide the client's progress from the server for a few of its pauses.
    running = start(large, root=large_file, min_rate=240, send_timeout=100)
    with Client(running, receive_buffer=256 * 1024) as client:
        client.send(request(target))
        head = client.head()
        assert (head.status, head.fields["content-length"]) == (200, str(LARGE))
        for _ in range(8):
            assert client.stream.read(LARGE // 8) == b"x" * (LARGE // 8)
            clock.advance(running, 10)
        assert client.ask("/none", method="HEAD").status == 200


def test_real_time_silent_clients_and_half_heads_are_ended(start):
    running = start(Gates(), head_timeout=0.2, idle_timeout=0.2)
    with Client(running) as silent, Client(running) as half, Client(running) as idle:
        half.send(b"GET /")
        assert idle.ask("/").status == 200
        assert silent.ended()
        assert refused_in_time(half)
        assert idle.ended()


def test_real_time_application_learns_that_its_client_does_not_read(start, monkeypatch):
    inside.replace_grace(monkeypatch, 0.1)
    told = threading.Event()

    class Endless:
        def __iter__(self):
            return self

        def __next__(self):
            return b"x" * 65536

        def close(self):
            told.set()

    def app(environ, start_response):
        start_response("200 OK", [])
        return Endless()

    running = start(app, min_rate=1_000_000_000, send_timeout=0.1)
    with Client(running) as client:
        client.send(request("/"))
        assert told.wait(20)
        until_left(running, 0)
