"""The statistics of a moment, from the registry."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.engine.line_server import Gate, LineServer, Serving, serving
from tpserver.engine import admission


def until(running: Serving, threads: int, waiting: int) -> None:
    server = running.server
    running.until(lambda: (len(server.tasks.running), server.tasks.waiting) == (threads, waiting))


def test_it_tells_what_runs_and_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_KEPT_FOR", 0.0)
    with serving(LineServer(threads=2, queue=7)) as running, Gate() as gate, ExitStack() as stack:
        server = running.server
        running.actions[b"hold"] = running.actions[b"more"] = gate
        empty = server.stats()
        assert empty["threads"] == {"limit": 2, "busy": 0, "in_place": 0}
        assert (empty["queue"]["limit"], empty["queue"]["waiting"]) == (7, 0)
        for number, line in enumerate((b"hold", b"hold", b"more", b"hold", b"quick"), 1):
            client = stack.enter_context(running.client())
            client.send(line + b"\n")
            until(running, min(number, 3), max(number - 3, 0))
        for _ in range(3):
            gate.reached()  # one that is in the registry may not have come to its thread
        busy = server.stats()
        assert busy["threads"] == {"limit": 2, "busy": 3, "in_place": 0}
        assert (busy["queue"]["waiting"], busy["queue"]["slow"], busy["queue"]["quick"]) == (2, 1, 1)
        assert busy["requests"]["promotions"] >= 2
        assert busy["requests"]["in_pool"] == 1
        assert {one["route"]: one["place"] for one in busy["routes"]}.keys() == {"hold", "more"}
        gate.open()
        running.until_left(5)
        done = server.stats()
        assert (done["threads"]["busy"], done["queue"]["waiting"]) == (0, 0)
        assert done["queue"]["mean_seconds"] > 0


def test_a_request_in_place_is_told_and_one_of_the_leaders_own_is_not() -> None:
    with serving(LineServer(threads=2)) as running, running.client() as client:
        seen: list[int] = []
        running.actions[b"look"] = lambda _: seen.append(running.server.stats()["threads"]["in_place"])
        running.actions[b"own"] = running.actions[b"look"]
        assert client.ask(b"look") == b"kool"
        assert client.ask(b"own") == b"nwo"
        assert seen == [1, 0]


def test_it_can_be_asked_before_and_after_the_server_serves() -> None:
    server = LineServer()
    assert server.stats()["connections"]["open"] == 0
    with serving(server) as running, running.client() as client:
        assert client.ask(b"line") == b"enil"
    after = server.stats()
    assert (after["connections"]["open"], after["requests"]["handled"]) == (0, 1)
