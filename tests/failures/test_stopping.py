"""Stopping while a thread has answered its request but has not yet counted itself out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.failures.limited import get
from tests.running import PATIENCE, Running
from tpserver import Server, make_server
from tpserver.engine.placement import Placement
from tpserver.engine.routes import Route


def serving(server: Server) -> threading.Thread:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    return thread


def test_a_thread_that_is_about_to_finish_is_not_left_behind(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    def app(environ, start_response):  # type: ignore[no-untyped-def]
        start_response("200 OK", [])
        return [b"fine"]

    in_the_pool = Route()
    in_the_pool.computing = 1.0
    monkeypatch.setattr(Placement, "route", lambda *_: in_the_pool)
    running = start(app)
    server = running.server
    leave = server.admission.leave

    def leave_late(*arguments: Any, **more: Any) -> object:
        server._down.wait(0.3)  # as long as the server takes to stop, where it does not wait for this
        return leave(*arguments, **more)

    monkeypatch.setattr(server.admission, "leave", leave_late)
    assert running.exchange(get("/")).endswith(b"fine")
    running.stop()
    assert not server.left_behind
    assert "left behind" not in log.text


def test_what_was_left_behind_ends_while_the_server_serves_again(log: pytest.LogCaptureFixture) -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def app(environ, start_response):  # type: ignore[no-untyped-def]
        if environ["PATH_INFO"] == "/hold":
            begun.set()
            go_on.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"fine"]

    with make_server("127.0.0.1", 0, app, drain_timeout=0.0) as server:
        first = Running(server, serving(server))
        with first.connect() as client:
            client.sendall(get("/hold"))
            assert begun.wait(PATIENCE)
            assert first.exchange(get("/")).endswith(b"fine")  # somebody else leads
            server.shutdown()
            assert server.left_behind
            leave = server.admission.leave

            def leave_and_tell(*arguments: Any, **more: Any) -> object:
                try:
                    return leave(*arguments, **more)
                finally:
                    ended.set()

            server.admission.leave = leave_and_tell  # type: ignore[method-assign]
            again = Running(server, serving(server))
            go_on.set()
            assert ended.wait(PATIENCE)
        assert again.exchange(get("/")).endswith(b"fine")
        again.stop()
        assert not server.left_behind
    assert "fault" not in log.text
