"""The watcher: relief after two looks, patience, checks of which each is made, and its rest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.client import PATIENCE
from tpserver.engine import watcher as module
from tpserver.engine.leadership import Leadership
from tpserver.engine.watcher import Watcher
from tpserver.system.bell import Bell
from tpserver.system.clock import clock


class Watched:
    """A watcher whose looks are counted, and whose clock is moved by them: `tick` seconds a look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tick: float = 0.004) -> None:
        self.leadership = Leadership()
        self.relieved: list[int] = []
        self.turns = 0
        self.now = 1000.0
        self.rests: list[float] = []
        self.each_look: Callable[[int], object] = lambda look: None
        self.watcher = Watcher(self.leadership, self._relieve, lambda: self.turns)
        self._tick = tick
        monkeypatch.setattr(clock, "perf_counter", lambda: self.now)
        monkeypatch.setattr(self.watcher, "_bell", SimpleNamespace(wait=self._wait))

    def _relieve(self, attention_id: int) -> bool:
        self.relieved.append(attention_id)
        self.leadership.current = None
        return True

    def _wait(self, timeout: float) -> None:
        self.rests.append(timeout)
        self.now += self._tick

    def attend(self, patience: float = 0.0) -> None:
        connection: Any = SimpleNamespace()
        self.leadership.attention_id += 1
        self.leadership.patient_until = self.now + patience
        self.leadership.current = connection

    def watch(self, looks: int) -> None:
        """So many looks; before each one `each_look` is told its number."""
        seen = 0

        def enough() -> bool:
            nonlocal seen
            seen += 1
            if seen <= looks:
                self.each_look(seen)
            return seen > looks

        self.watcher.watch(enough)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_a_leader_that_is_seen_twice_at_one_thing_is_relieved_once(watched: Watched) -> None:
    watched.attend()
    watched.watch(1)
    assert watched.relieved == []
    watched.watch(2)
    assert watched.relieved == [1]
    watched.watch(5)
    assert watched.relieved == [1]


def test_a_leader_that_goes_on_is_not_relieved(watched: Watched) -> None:
    watched.each_look = lambda _: watched.attend()
    watched.watch(100)
    assert watched.relieved == []


def test_a_leader_that_is_at_nothing_is_not_relieved(watched: Watched) -> None:
    watched.watch(100)
    assert watched.relieved == []


@pytest.mark.parametrize(("patience", "looks"), [(0.0, 2), (0.003, 2), (0.0079, 2), (0.0081, 3), (0.039, 10)])
def test_a_request_that_is_known_to_compute_is_given_its_time(watched: Watched, patience: float, looks: int) -> None:
    watched.attend(patience)
    watched.watch(looks - 1)
    assert watched.relieved == []
    watched.attend(patience)
    watched.watch(looks)
    assert len(watched.relieved) == 1


def test_the_tick_after_a_relief_is_short_for_a_while(watched: Watched) -> None:
    watched.attend()
    watched.watcher.busy = lambda: True
    watched.watch(200)
    short = [at for at, rest in enumerate(watched.rests) if rest == module.TICK]
    assert short[0] == 2
    assert len(short) == pytest.approx(module._REST / 0.004, abs=2)
    assert short == list(range(2, 2 + len(short)))


def test_it_sleeps_when_it_has_been_quiet_and_looks_now_and_then(watched: Watched) -> None:
    slept = []
    watched.each_look = lambda look: slept.append(watched.rests[-1:] == [module._REST])
    watched.watch(30)
    assert slept[0] is False
    assert slept[-1] is True
    assert not watched.watcher.sleeps


@pytest.mark.parametrize("what", ["turns", "busy", "attends"])
def test_it_does_not_sleep_while_there_is_something(watched: Watched, what: str) -> None:
    def go_on(_: int) -> None:
        if what == "turns":
            watched.turns += 1
        elif what == "attends":
            watched.attend()

    watched.watcher.busy = lambda: what == "busy"
    watched.each_look = go_on
    watched.watch(50)
    assert module._REST not in watched.rests


def test_it_does_not_lie_down_when_a_turn_has_begun_that_could_not_wake_it(watched: Watched) -> None:
    """The leader counts its turn, and then looks whether the watcher sleeps."""
    watched.watch(30)
    assert watched.rests[-1] == module._REST

    def turn_begins(look: int) -> None:
        if look == 20:
            watched.turns += 1
            watched.rests.clear()

    # By then it has seen the turns before; this one comes between its look and its rest.
    watched.each_look = turn_begins
    watched.watch(20)
    assert watched.rests == []


def test_a_call_wakes_it_from_its_sleep() -> None:
    watcher = Watcher(Leadership(), lambda _: False, lambda: 0)
    asleep, ended = threading.Event(), threading.Event()

    class Patient(Bell):
        def wait(self, timeout: float) -> bool:
            if watcher.sleeps:
                asleep.set()
            return super().wait(PATIENCE if watcher.sleeps else timeout)

    watcher._bell = Patient()
    thread = threading.Thread(target=watcher.watch, args=(ended.is_set,))
    thread.start()
    assert asleep.wait(PATIENCE)
    ended.set()
    watcher.wake()
    thread.join(PATIENCE / 2)
    assert not thread.is_alive()


def test_a_check_that_fails_does_not_keep_the_others_from_theirs(
    watched: Watched, log: pytest.LogCaptureFixture
) -> None:
    done: list[float] = []

    def fail(now: float) -> None:
        raise MemoryError

    watched.watcher.make_round([fail, done.append], 5.0)
    assert done == [5.0]
    assert [record.levelno for record in log.records] == [logging.ERROR]


def test_what_is_no_error_of_a_check_ends_it(watched: Watched) -> None:
    def end(now: float) -> None:
        raise SystemExit

    watched.watcher.checks = [end]
    with pytest.raises(SystemExit):
        watched.watch(100)


def test_it_goes_on_after_a_fault_of_its_own(watched: Watched, log: pytest.LogCaptureFixture) -> None:
    def fail(look: int) -> None:
        if look == 3:
            raise MemoryError

    watched.each_look = fail
    watched.watch(10)
    assert "MemoryError" in log.text


def test_rounds_are_some_ticks_apart(watched: Watched) -> None:
    rounds: list[float] = []
    watched.watcher.busy = lambda: True
    watched.watcher.checks = [rounds.append]
    watched.watch(101)
    assert len(rounds) == pytest.approx(101 * 0.004 / module._ROUND, abs=1)


def test_rare_rounds_are_five_times_as_far_apart(watched: Watched) -> None:
    rounds: list[float] = []
    watched.watcher.busy = lambda: True
    watched.watcher.rare_checks = [rounds.append]
    watched.watch(101)
    assert len(rounds) == pytest.approx(101 * 0.004 / module._ROUND / 5, abs=1)
