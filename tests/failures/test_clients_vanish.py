"""ECONNRESET and EPIPE in the states that tests/live/test_client_resets.py does not come by."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests import inside
from tests.client import CLOSE, PATIENCE, Client, request
from tests.gates import Gates
from tests.logged import errors
from tests.running import Running, Start
from tests.waiting import turns, until, until_left


@pytest.fixture
def running(start: Start, gates: Gates, log: pytest.LogCaptureFixture) -> Iterator[Running]:
    """A server that has no connection left at the end, serves others, and has complained of nothing."""
    running = start(gates, threads=2, max_connections=3)
    yield running
    until_left(running, 0)
    with Client(running) as client:
        assert client.ask("/after").status == 200
    assert errors(log) == []


def test_reset_after_being_told_to_go_on(running: Running) -> None:
    client = Client(running)
    client.send(request("/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
    assert client.head().status == 100
    client.reset()


def test_reset_between_the_answers_to_pipelined_requests(running: Running, gates: Gates) -> None:
    client = Client(running)
    client.send(b"".join(request(f"/{number}") for number in range(500)) + request("/hold/it") + request("/never"))
    for _ in range(100):
        assert client.response().status == 200
    gates.arrived()
    client.reset()
    turns(running)
    gates.open("it")


def test_reset_of_a_connection_that_was_one_too_many(running: Running) -> None:
    with Client(running), Client(running), Client(running):
        turned_away = Client(running)
        assert turned_away.response().status == 503
        turned_away.reset()
    while inside.open_connections(running.server):  # there is no room for one that asks
        inside.wake_leader(running.server)


def test_reset_behind_the_last_answer(running: Running) -> None:
    client = Client(running)
    assert client.ask("/", CLOSE).status == 200
    client.reset()


def test_reset_while_the_server_drains(start: Start, gates: Gates, log: pytest.LogCaptureFixture) -> None:
    running = start(gates)
    client = Client(running)
    client.send(request("/hold/it"))
    gates.arrived()
    running.server.begin_shutdown()
    client.reset()
    gates.open("it")
    running.thread.join(PATIENCE)
    assert not running.thread.is_alive()
    assert "fault" not in log.text


def test_an_application_that_writes_to_a_client_who_has_gone_is_told_and_may_clean_up(
    start: Start, log: pytest.LogCaptureFixture
) -> None:
    gone, written = threading.Event(), threading.Event()
    told: list[BaseException] = []
    closed = threading.Event()

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/stream":
            start_response("200 OK", [])
            return [b""]
        write = start_response("200 OK", [])
        write(b"begun")
        written.set()
        gone.wait(PATIENCE)
        try:
            while True:  # the first may still go to the kernel; the next is an EPIPE
                write(b"x" * 1000)
        except OSError as error:
            told.append(error)
            raise
        finally:
            closed.set()

    running = start(app)
    client = Client(running)
    client.send(request("/stream"))
    assert client.head().status == 200
    assert written.wait(PATIENCE)
    client.reset()
    turns(running)
    gone.set()
    assert closed.wait(PATIENCE)
    assert isinstance(told[0], ConnectionAbortedError)
    until(running, lambda: inside.running(running.server) == 0)
    assert errors(log) == []


def test_a_client_that_reads_no_more_but_goes_on_asking(running: Running) -> None:
    with Client(running) as client:
        client.sock.shutdown(socket.SHUT_RD)
        for _ in range(20):
            client.send(request("/"))
            turns(running)
