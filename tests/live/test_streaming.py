"""Responses that are made while they are sent: at once, at the client's pace, and ended when it leaves."""

from __future__ import annotations

import queue
import re
import threading

import pytest

from tests import inside
from tests.client import CLOSE, PATIENCE, Client, request
from tests.waiting import until, until_left


def test_events_arrive_as_they_are_sent(start):
    events = queue.SimpleQueue()

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        while (event := events.get(timeout=PATIENCE)) is not None:
            yield f"data: {event}\n\n".encode()

    with Client(start(app)) as client:
        client.send(request("/events"))
        for number in range(5):
            events.put(number)
            if not number:
                assert client.head().status == 200
            size = int(client.stream.readline(), 16)
            assert client.stream.read(size + 2) == b"data: %d\n\n\r\n" % number
        events.put(None)
        assert client.stream.readline() == b"0\r\n"


@pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["closes", "resets"])
def test_a_generator_is_closed_when_its_client_has_left(start, leave):
    closed, pieces = threading.Event(), queue.SimpleQueue()

    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            while True:
                pieces.get(timeout=PATIENCE)
                yield b"piece"
        finally:
            closed.set()

    running = start(app)
    client = Client(running)
    client.send(request("/"))
    pieces.put(None)
    assert client.head().status == 200
    leave(client)
    for _ in range(3):  # the first is answered by a reset, which comes a moment later
        pieces.put(None)
    assert closed.wait(PATIENCE)
    until_left(running, 0)


@pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["closes", "resets"])
@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not begun"])
def test_a_generator_that_only_waits_is_closed_when_its_client_has_left(start, log, leave, begun):
    closed, waits, left = threading.Event(), threading.Event(), threading.Event()

    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            if begun:
                yield b"piece"
            while not left.is_set():
                yield b""  # PEP 3333: nothing to send yet
                waits.set()
                left.wait(0.01)
        finally:
            closed.set()

    running = start(app)
    client = Client(running)
    client.send(request("/"))
    assert waits.wait(PATIENCE)
    leave(client)
    try:
        assert closed.wait(PATIENCE)
    finally:
        left.set()
    until_left(running, 0)
    assert "raised an exception" not in log.text


def test_a_client_that_has_nothing_more_to_send_gets_what_is_about_to_come(start, monkeypatch):
    monkeypatch.setattr("tpserver.wsgi.response._LOOK", 1000.0)

    def app(environ, start_response):
        start_response("200 OK", [])
        yield from [b"", b"", b"page"]

    with Client(start(app)) as client:
        client.send(request("/", CLOSE))
        client.finish_sending()
        assert client.response().content == b"page"


def test_a_client_that_has_nothing_more_to_send_is_not_taken_for_gone_between_two_pieces(start, monkeypatch):
    monkeypatch.setattr("tpserver.wsgi.response._LOOK", 0.0)  # as if the machine were busy: each look is due

    def app(environ, start_response):
        start_response("200 OK", [])
        yield from [b"", b"one ", b"", b"two ", b"", b"three"]

    with Client(start(app)) as client:
        client.send(request("/", "Connection: close"))
        client.finish_sending()
        assert client.response().content == b"one two three"


def test_a_client_that_has_nothing_more_to_send_still_gets_all(start):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield from [b"x" * 1000] * 100

    with Client(start(app)) as client:
        client.send(request("/", CLOSE))
        client.finish_sending()
        assert len(client.response().content) == 100_000


def test_what_a_slow_reader_has_not_read_is_bounded_and_its_producer_waits(start):
    made = []

    def app(environ, start_response):
        start_response("200 OK", [])
        for _ in range(1000):
            made.append(True)
            yield b"x" * 65536

    running = start(app, max_outbox=256 * 1024)
    with Client(running, receive_buffer=4096) as slow:
        slow.send(request("/"))
        until(running, lambda: made)
        seen = -1
        while seen != len(made):  # until it stands still
            seen = len(made)
            with Client(running) as probe:
                for _ in range(50):
                    assert probe.ask("*", method="OPTIONS").status == 204
        (unsent,) = inside.unsent(running.server)
        assert unsent <= 256 * 1024 + 65536 + 10
        assert len(made) < 200
        assert len(slow.response().content) == 65_536_000


def hints(environ, start_response):
    environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload")])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"page"]


def test_early_hints_come_before_the_answer(start):
    with Client(start(hints)) as client:
        client.send(request("/"))
        head = client.head()
        assert (head.status, head.fields) == (103, {"link": "</style.css>; rel=preload"})
        assert client.response().content == b"page"
        client.send(request("/"))
        assert [client.head().status, client.response().content] == [103, b"page"]


def test_a_client_of_http_1_0_gets_no_early_hints(start):
    with Client(start(hints)) as client:
        assert client.ask("/", version="1.0").status == 200


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (("Link", "a\r\nX: b"), "control character"),
        (("Trailer", "X"), "sends no trailers|does not send"),
        (("content-length", "5"), "Content-Length; an interim response has no content"),
    ],
    ids=["line end", "trailer", "length"],
)
def test_early_hints_are_checked_like_other_fields(start, log, field, said):
    def app(environ, start_response):
        environ["wsgi.early_hints"]([field])
        raise AssertionError("not reached")

    with Client(start(app)) as client:
        assert client.ask("/").status == 500
    assert re.search(said, log.text)


def test_early_hints_after_the_first_bytes_are_refused(start, log):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"first"
        environ["wsgi.early_hints"]([("Link", "</late>")])

    with Client(start(app)) as client:
        client.send(request("/"))
        assert client.head().status == 200
        assert client.stream.read().endswith(b"first\r\n")
    assert "after the first bytes" in log.text


def timed(start, app):
    with Client(start(app, server_timing=True)) as client:
        response = client.ask("/")
        assert response.status == 200
        match = re.fullmatch(
            r"queue;dur=([0-9]+\.[0-9]+), app;dur=([0-9]+\.[0-9]+), total;dur=([0-9]+\.[0-9]+)",
            response.fields["server-timing"],
        )
        assert match, response.fields
        return [float(figure) for figure in match.groups()]


def test_times_are_told_where_that_is_wanted(start):
    def app(environ, start_response):
        threading.Event().wait(0.02)
        start_response("200 OK", [("Date", "Thu, 01 Jan 1970 00:00:00 GMT")])
        return [b"page"]

    waited, application, total = timed(start, app)
    assert application >= 20
    assert waited >= 0
    assert total == pytest.approx(waited + application, abs=0.02)


def test_times_of_a_stream_are_those_of_its_head(start):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"page"

    assert timed(start, app)[1] < 10_000


def test_times_are_not_told_otherwise(start):
    with Client(start(hints)) as client:
        client.send(request("/"))
        client.head()
        assert "server-timing" not in client.response().fields


def test_a_large_piece_arrives_whole_while_the_next_one_is_awaited(start):
    go_on = threading.Event()

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "1000003")])
        yield b"x" * 1_000_000
        go_on.wait(PATIENCE)
        yield b"end"

    with Client(start(app, max_outbox=4_000_000), receive_buffer=4096) as client:
        client.send(request("/"))
        assert client.head().status == 200
        assert client.stream.read(1_000_000) == b"x" * 1_000_000
        assert not go_on.is_set()
        go_on.set()
        assert client.stream.read(3) == b"end"
