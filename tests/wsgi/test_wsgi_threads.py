"""Requests of the application side by side: as many as there are threads, whatever they were thought to cost."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests import inside
from tests.client import PATIENCE, request, several
from tests.logged import errors
from tests.running import Start
from tpserver.engine import costs

Environ = dict[str, Any]


class Meeting:
    """An application at whose `/meet` and `/exit` as many requests wait for each other as there are threads."""

    def __init__(self, threads: int) -> None:
        self._together = threading.Barrier(threads, timeout=PATIENCE)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] != "/quick":
            self._together.wait()
        if environ["PATH_INFO"] == "/exit":
            sys.exit("on purpose")
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1")])
        return [b"x"]


def ask_at_once(running: Any, number: int, path: str) -> set[bytes]:
    """Sends so many requests before it reads an answer; the status lines that come."""
    with several(running, number) as clients:
        for client in clients:
            client.send(request(path))
        return {client.sock.recv(15) for client in clients}


def test_errors_in_every_thread_leave_every_thread_at_work(start: Start, log: pytest.LogCaptureFixture) -> None:
    threads = 4
    running = start(Meeting(threads), threads=threads)
    for path, line in [("/exit", b"HTTP/1.1 500 In"), ("/meet", b"HTTP/1.1 200 OK")] * 2:
        assert ask_at_once(running, threads, path) == {line}
    assert len(errors(log)) == 2 * threads


def test_requests_that_wait_for_each_other_run_at_once_although_quick_ones_came_just_before(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside.take_short_waits_as_they_are(monkeypatch)
    monkeypatch.setattr(costs, "BRIEF", PATIENCE)  # long ones leave a thread to brief ones: where the machine is busy
    # A thread that is kept for quick requests must be let go when none come any more, though no other one ends.
    threads = 2
    running = start(Meeting(threads), threads=threads)
    for _ in range(20):  # so that /meet is known to wait
        assert ask_at_once(running, threads, "/meet") == {b"HTTP/1.1 200 OK"}
    for _ in range(3):
        assert ask_at_once(running, 1, "/quick") == {b"HTTP/1.1 200 OK"}
    assert ask_at_once(running, threads, "/meet") == {b"HTTP/1.1 200 OK"}
