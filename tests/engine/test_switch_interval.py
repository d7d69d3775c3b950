"""How long a computing thread keeps the interpreter: longer beside others that compute, not beside those that wait."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests.engine.line_server import Line, LineServer
from tpserver.engine.costs import Cost, Kind
from tpserver.engine.task import Place, Task


def task(waiting: float | None, computing: float = 0.001) -> Task:
    """A request of a route that is known to wait and compute for so many seconds; None: nothing is known of it."""
    cost = None if waiting is None else Cost()
    if cost is not None and waiting is not None:
        cost.waiting, cost.computing = waiting, computing
    connection: Any = SimpleNamespace()
    return Task(Line(b"a line"), connection, Kind.LONG, Place.POOL, cost)


@pytest.mark.parametrize(
    ("waiting", "interval"),
    [
        pytest.param(None, 0.0016, id="nothing is known"),
        pytest.param(0.0, 0.0016, id="they compute"),
        pytest.param(0.001, 0.0016, id="they compute and wait"),
        pytest.param(0.035, 0.0016, id="they compute and wait for the interpreter"),
        pytest.param(0.100, 0.0001, id="they wait"),
    ],
)
def test_the_interval_beside_eight_requests_that_run(
    waiting: float | None, interval: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    intervals: list[float] = []
    monkeypatch.setattr(sys, "setswitchinterval", intervals.append)
    with LineServer() as server:
        server.switch_interval = 0.0001
        server.tasks.running.update(dict.fromkeys(task(waiting) for _ in range(8)))
        server._set_switch_interval(0.0)  # as the watcher does
        server.tasks.running.clear()
    assert intervals == [pytest.approx(interval)]
