"""A request that runs for too long is logged once, with the place where it is, and again when it has ended."""

from __future__ import annotations

import gc
import sys
import threading

from tests import inside
from tests.client import PATIENCE, Client, request
from tests.gates import Gates
from tests.waiting import until


def told(log):
    return [record.getMessage() for record in log.records if "has run for" in record.getMessage()]


def ended(log):
    return [record.getMessage() for record in log.records if "has ended after" in record.getMessage()]


def a_place_to_hang(gate):
    gate.wait(PATIENCE)


def test_it_is_logged_with_its_stack_once_and_again_at_its_end(start, log):
    gate = threading.Event()

    def app(environ, start_response):
        a_place_to_hang(gate)
        start_response("200 OK", [])
        return [b"done"]

    running = start(app, slow_request=0.01)
    with Client(running) as client:
        client.send(request("/report?year=1999", method="DELETE"))
        until(running, lambda: told(log))
        gate.set()
        assert client.response().content == b"done"
        until(running, lambda: ended(log))
    (line,) = told(log)
    assert line.startswith("DELETE /report?year=1999 has run for ")
    assert "in a_place_to_hang" in line
    assert "in app" in line
    assert "socketserver" not in line
    (line,) = ended(log)
    assert line.startswith("DELETE /report?year=1999 has ended after ")
    assert running.server.stats()["requests"]["slow"] == 1


def test_one_in_the_pool_is_logged_too(start, log):
    with Gates() as gates:
        running = start(gates, slow_request=0.01, in_place="never")
        with Client(running) as client:
            client.send(request("/hold/it"))
            until(running, lambda: told(log))
            gates.open("it")
            assert client.response().status == 200
            until(running, lambda: ended(log))
    assert told(log)[0].startswith("GET /hold/it has run for ")


def test_it_says_so_where_the_client_is_slow(start, log):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"x" * 50_000_000

    running = start(app, slow_request=1000)
    with Client(running, receive_buffer=4096) as client:
        client.send(request("/"))
        until(running, lambda: inside.waits_for_room(running.server))
        inside.check_slow(running.server, 1e12)
    assert told(log)[0].endswith("\n  (it waits for its client to read what was sent)")


def test_it_says_so_where_the_content_is_slow(start, log):
    def app(environ, start_response):
        environ["wsgi.input"].read()
        raise AssertionError("not reached")

    running = start(app, slow_request=0.01, stream_body=["/"])
    with Client(running) as client:
        client.send(request("/", "Content-Length: 10", method="POST"))
        until(running, lambda: told(log))
    line = told(log)[0]
    assert "in app" in line
    assert line.endswith("\n  (it waits for its client to send more of its content)")


def test_quick_ones_are_not_and_nothing_is_where_it_is_off(start, log):
    with Gates() as gates:
        running = start(gates, slow_request=0)
        with Client(running) as client:
            client.send(request("/hold/it"))
            gates.arrived()
            inside.check_slow(running.server, 1e12)
            gates.open("it")
            assert client.response().status == 200
    assert not told(log)
    assert not ended(log)


def test_nothing_is_collected_while_the_stack_is_read(start, log, monkeypatch):
    """The interpreter would stand still for good, now and then (CPython's issue 106883)."""
    real = sys._current_frames
    collecting = []

    def frames():
        collecting.append(gc.isenabled())
        return real()

    monkeypatch.setattr(sys, "_current_frames", frames)
    with Gates() as gates:
        running = start(gates, slow_request=0.01)
        with Client(running) as client:
            client.send(request("/hold/it"))
            until(running, lambda: told(log))
            gates.open("it")
            assert client.response().status == 200
    assert collecting == [False]
    assert gc.isenabled()
