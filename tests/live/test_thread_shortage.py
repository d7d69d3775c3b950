"""A system that has no thread left, and applications that leave their process by the back door."""

from __future__ import annotations

import os
import threading

import pytest

from tests import inside
from tests.client import CLOSE, Client, request, several
from tests.gates import Gates
from tests.waiting import until
from tpserver import make_server


def only_threads(monkeypatch, allowed):
    """Beyond so many no thread can be started that leads or is the pool's. The event says that one was to be."""
    really = threading.Thread.start
    refused, started = threading.Event(), []

    def start(thread):
        if thread.name.startswith("tpserver-") and thread.name != "tpserver-watcher":
            if len(started) >= allowed:
                refused.set()
                raise RuntimeError("can't start new thread")
            started.append(thread)
        really(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    return refused


def test_server_goes_on_with_the_threads_that_it_has(start, monkeypatch, log):
    refused = only_threads(monkeypatch, 3)
    with Gates() as gates:
        running = start(gates)
        with several(running, 4) as (first, second, waits, quick):
            for client, name in ((first, "first"), (second, "second")):  # in one that led, and in the pool's
                client.send(request(f"/hold/{name}"))
                assert gates.arrived() == [name]
            waits.send(request("/hold/waits"))
            assert refused.wait(20)
            for number in range(20):
                assert quick.ask(f"/{number}").status == 200
            gates.open("second")
            assert second.response().status == 200
            assert gates.arrived() == ["waits"]
            gates.open("waits")
            gates.open("first")
            assert waits.response().status == first.response().status == 200
    assert "cannot start a thread" in log.text


def test_server_that_cannot_start_any_thread_says_so(monkeypatch, log):
    with make_server("127.0.0.1", 0, Gates()) as server:
        only_threads(monkeypatch, 0)
        with pytest.raises(RuntimeError, match="thread"):
            server.serve_forever()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_application_that_forks_keeps_its_connection(start):
    def app(environ, start_response):
        child = os.fork()
        if child == 0:
            os._exit(7)
        _, status = os.waitpid(child, 0)
        start_response("200 OK", [])
        return [b"%d" % os.waitstatus_to_exitcode(status)]

    running = start(app)
    with Client(running) as client, Client(running) as other:
        for _ in range(3):
            assert client.ask("/").content == b"7"
            assert other.ask("/").content == b"7"
        assert client.ask("/", CLOSE).content == b"7"
        assert client.ended()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_child_that_outlives_its_request_does_not_hold_the_connection_open(start):
    reading, writing = os.pipe()
    children = []

    def app(environ, start_response):
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)  # until the test closes its end
            os._exit(0)
        children.append(child)
        start_response("200 OK", [])
        return [b"born"]

    with Client(start(app)) as client:
        try:
            assert client.ask("/", CLOSE).content == b"born"
            assert client.ended()
        finally:
            os.close(writing)
            os.close(reading)
            for child in children:
                os.waitpid(child, 0)


def test_application_that_exits_ends_its_request_only(start, log):
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/exit":
            raise SystemExit(3)
        start_response("200 OK", [])
        return [b"here"]

    running = start(app)
    with Client(running) as client:
        assert client.ask("/exit").status == 500
        assert client.ask("/").content == b"here"
        until(running, lambda: inside.running(running.server) == 0)
