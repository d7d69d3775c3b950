"""Stopping while a thread has answered its request but has not yet counted itself out."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests import inside
from tests.client import PATIENCE, Client, exchange
from tests.failures.limited import get
from tests.running import Running, Start
from tpserver import Server, make_server


def serving(server: Server) -> threading.Thread:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    return thread


def test_a_thread_that_is_about_to_finish_is_not_left_behind(
    start: Start, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    def app(environ, start_response):  # type: ignore[no-untyped-def]
        start_response("200 OK", [])
        return [b"fine"]

    inside.run_in_pool(monkeypatch)
    running = start(app)
    server = running.server

    def late(leave: Callable[[], object]) -> object:
        inside.wait_for_end(server, 0.3)  # as long as the server takes to stop, where it does not wait for this
        return leave()

    inside.around_end_of_request(monkeypatch, server, late)
    assert exchange(running, get("/")).endswith(b"fine")
    running.stop()
    assert "left behind" not in log.text


def test_what_was_left_behind_ends_while_the_server_serves_again(
    monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def app(environ, start_response):  # type: ignore[no-untyped-def]
        if environ["PATH_INFO"] == "/hold":
            begun.set()
            go_on.wait(PATIENCE)
            ended.set()
        start_response("200 OK", [])
        return [b"fine"]

    with make_server("127.0.0.1", 0, app, drain_timeout=0.0) as server:
        first = Running(server, serving(server))
        with Client(first) as client:
            client.send(get("/hold"))
            assert begun.wait(PATIENCE)
            assert exchange(first, get("/")).endswith(b"fine")  # another thread leads
            server.shutdown()
            assert "1 request still runs" in log.text
            log.clear()
            again = Running(server, serving(server))
            go_on.set()
            assert ended.wait(PATIENCE)
        assert exchange(again, get("/")).endswith(b"fine")
        again.stop()
        assert "left behind" not in log.text
    assert "fault" not in log.text
