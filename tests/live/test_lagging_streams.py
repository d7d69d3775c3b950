"""Streams whose clients lag: what has been made goes on being sent while the application makes the next piece."""

from __future__ import annotations

import queue
import threading

import pytest

from tests import inside
from tests.client import PATIENCE, Client, request
from tests.waiting import turns, until

# More than the 4 MiB that a socket's send buffer may grow to on Linux: a client that has read much has taught it that.
LONG = 6_000_000
ROOM = 16_000_000


class Pieces:
    """An application whose pieces the test hands out, one at a time; by `write` where the path says so."""

    def __init__(self):
        self.pieces = queue.SimpleQueue()
        self.sent = threading.Semaphore(0)

    def __call__(self, environ, start_response):
        write = start_response("200 OK", [("Content-Type", "application/octet-stream")])
        if environ["PATH_INFO"] != "/write":
            return self.made()
        for piece in self.made():
            write(piece)
        return []

    def made(self):
        while (piece := self.pieces.get(timeout=PATIENCE)) is not None:
            yield piece
            self.sent.release()


@pytest.mark.parametrize("path", ["/iterable", "/write"])
@pytest.mark.parametrize("in_place", ["auto", "never"])
def test_a_client_that_lags_gets_all_of_a_piece_before_the_next_one_is_made(start, path, in_place):
    app = Pieces()
    running = start(app, max_outbox=ROOM, in_place=in_place)
    with Client(running, receive_buffer=4096) as client:
        client.send(request(path))
        for letter in (b"a", b"b"):
            app.pieces.put(letter * LONG)
            until(running, lambda: inside.lagging(running.server))  # the client has read nothing yet
            if letter == b"a":
                assert client.head().status == 200
            assert int(client.stream.readline(), 16) == LONG
            assert client.stream.read(LONG + 2) == letter * LONG + b"\r\n"  # no other piece is made meanwhile
        app.pieces.put(None)
        assert client.stream.readline() == b"0\r\n"
        assert client.stream.readline() == b"\r\n"
        app.pieces.put(None)
        assert client.ask("/again").content == b""


def test_a_client_that_lags_does_not_hold_the_thread_that_makes_its_stream(start):
    app = Pieces()
    running = start(app, max_outbox=ROOM)
    with Client(running, receive_buffer=4096) as client:
        client.send(request("/"))
        for letter in (b"a", b"b", b"c"):
            app.pieces.put(letter * (LONG // 2))
            assert app.sent.acquire(timeout=PATIENCE)  # although nothing is read
        app.pieces.put(None)
        assert client.response().content == b"".join(letter * (LONG // 2) for letter in (b"a", b"b", b"c"))


def test_a_client_that_stands_still_costs_no_processor_time(start):
    app = Pieces()
    running = start(app, max_outbox=ROOM)
    with Client(running, receive_buffer=4096) as client:
        client.send(request("/"))
        app.pieces.put(b"a" * LONG)
        until(running, lambda: inside.lagging(running.server))
        turns(running, 20)
        seen = inside.leader_turns(running.server)
        turns(running, 5)
        assert inside.leader_turns(running.server) - seen < 50, "the leader spins"
        app.pieces.put(None)
        assert len(client.response().content) == LONG


def test_the_pieces_of_a_lagging_stream_come_in_order(start):
    """The leader and the producer send in turns, as fast as they can."""
    pieces = [b"%08d" % number * 997 for number in range(2000)]

    def app(environ, start_response):
        start_response("200 OK", [])
        return iter(pieces)

    running = start(app, max_outbox=200_000)
    with Client(running, receive_buffer=4096) as client:
        for _ in range(2):
            client.send(request("/"))
            assert client.response().content == b"".join(pieces)
    assert not inside.lagging(running.server)


def test_a_generator_is_told_when_its_lagging_client_leaves(start):
    closed = threading.Event()
    pieces = Pieces()

    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            yield from pieces.made()
        finally:
            closed.set()

    running = start(app, max_outbox=ROOM)
    client = Client(running, receive_buffer=4096)
    client.send(request("/"))
    pieces.pieces.put(b"a" * LONG)
    until(running, lambda: inside.lagging(running.server))
    [connection] = inside.lagging(running.server)
    client.reset()
    until(running, lambda: connection.broken)  # the leader has seen it; the producer still makes the next piece
    pieces.pieces.put(b"b")
    assert closed.wait(PATIENCE)
    pieces.pieces.put(None)
