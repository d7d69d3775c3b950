"""Waiting for what a server does by itself, without sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from tests import inside
from tests.client import PATIENCE, Client
from tests.running import Running


def turns(running: Running, count: int = 2) -> None:
    """Returns when the server has seen all that was sent before: it has answered something later, twice."""
    with Client(running) as probe:
        for _ in range(count):
            assert probe.ask("*", method="OPTIONS").status == 204


def until(running: Running, condition: Callable[[], object]) -> None:
    """Goes on asking for something else until `condition` holds."""
    end = monotonic() + PATIENCE
    with Client(running) as probe:
        while True:
            assert probe.ask("*", method="OPTIONS").status == 204
            if condition():
                break
            assert monotonic() < end, "it has not come to pass"


def until_left(running: Running, connections: int) -> None:
    """Waits until the server has so many connections, and no request that runs or waits."""
    server = running.server
    expected = (connections + 1, 0)  # the one connection more is the asker's
    until(running, lambda: (inside.open_connections(server), inside.busy(server)) == expected)


def until_waiting(running: Running, count: int) -> None:
    """Waits until so many requests wait for a thread."""
    until(running, lambda: inside.waiting(running.server) == count)


def until_settled(running: Running) -> None:
    """Waits until the leader has all connections, with all that was sent before: none is with a relieved leader."""
    turns(running)
    until(running, lambda: not inside.any_detached(running.server))


def eventually(condition: Callable[[], object], what: str) -> None:
    """Waits until `condition` holds, for what nothing announces."""
    end = monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert monotonic() < end, what
        pause.wait(0.005)
