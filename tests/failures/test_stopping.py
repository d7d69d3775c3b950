"""Stopping while a thread has answered its request but has not yet counted itself out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from running import Running

from tests.failures.limited import get
from tpserver.engine.placement import Placement
from tpserver.engine.routes import Route


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
