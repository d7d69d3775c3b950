"""Retry-After: for how many seconds a refused client is told to wait."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engine.admission_fakes import NOW, Office
from tpserver.engine.costs import Kind

BRIEF, COMPUTING = Kind.BRIEF, Kind.COMPUTING


def retry_after(threads: int, waiting: int, took: Callable[[Office], None]) -> int:
    office = Office(threads=threads, queue=10_000)
    took(office)
    for _ in range(threads):
        office.run()
    for _ in range(waiting):
        office.come()
    return office.admission.retry_after


def took(seconds: float, times: int = 1) -> Callable[[Office], None]:
    """So many have run, one after the other, with none waiting."""

    def run(office: Office) -> None:
        for number in range(times):
            office.end(office.run(now=NOW + number), NOW + number + seconds)

    return run


def test_retry_after_grows_with_the_queue_and_with_what_a_request_takes() -> None:
    assert retry_after(2, 0, took(0.5)) == 1
    assert retry_after(2, 20, took(0.5)) == 5
    assert retry_after(2, 40, took(0.5)) == 10
    assert retry_after(2, 20, took(1.0, times=100)) == 10
    assert retry_after(8, 20, took(0.5)) == 2


def test_retry_after_is_between_a_second_and_a_minute() -> None:
    assert retry_after(2, 0, lambda office: None) == 1
    assert retry_after(2, 5, took(0.001)) == 1
    assert retry_after(1, 100, took(5.0)) == 60


def test_retry_after_counts_how_many_run_at_once() -> None:
    """Computing ones run one at a time: as many threads as there are do not make that faster."""
    office = Office(threads=8, queue=100)
    for _ in range(60):
        office.come(COMPUTING)
    now = NOW
    for _ in range(40):
        (running,) = office.tasks.running
        now += 0.4
        office.end(running, now)
        office.next(now)
    assert office.tasks.waiting == 19
    assert office.admission.retry_after == pytest.approx(0.4 * 19, abs=1)


def test_a_pause_between_two_queues_does_not_make_retry_after_long() -> None:
    office = Office(threads=1, queue=100)
    now = NOW
    for _ in range(5):
        running = office.run(now=now)
        office.come(BRIEF, now=now)
        office.end(running, now + 0.1)
        assert office.next(now + 0.1) == ""
        office.end(next(iter(office.tasks.running)), now + 0.2)
        now += 1000.0
    office.run(now=now)
    for _ in range(10):
        office.come()
    assert office.admission.retry_after == 1


def test_what_never_ran_teaches_nothing() -> None:
    office = Office()
    task = office.run()
    office.admission.release(task, NOW + 100.0, ran=False)
    assert office.admission.mean == 0.0
