"""How many requests run and how many wait, which is next, also when many threads ask at once."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from tests.client import PATIENCE
from tests.engine.admission_fakes import NOW, Office, name
from tpserver.engine import admission as module
from tpserver.engine.admission import Admitted
from tpserver.engine.costs import Kind
from tpserver.engine.lagging import LAGGING_LEADERS
from tpserver.engine.task import Place, Task

STARTED, QUEUED, REFUSED = Admitted.STARTED, Admitted.QUEUED, Admitted.REFUSED
QUICK, TRIAL, LONG_TRIAL, BRIEF, LONG, COMPUTING = (
    Kind.QUICK, Kind.TRIAL, Kind.LONG_TRIAL, Kind.BRIEF, Kind.LONG, Kind.COMPUTING
)  # fmt: skip


# -- places


@pytest.mark.parametrize("in_place", [True, False])
def test_threads_first_then_the_queue_then_none(in_place: bool) -> None:
    office = Office(threads=2, queue=3, in_place=in_place)
    assert [office.come() for _ in range(7)] == [STARTED, STARTED, QUEUED, QUEUED, QUEUED, REFUSED, REFUSED]
    assert (len(office.tasks.running), office.tasks.waiting) == (2, 3)


def test_both_queues_together_are_bounded() -> None:
    office = Office(threads=1, queue=2)
    assert [office.come(kind) for kind in (LONG, LONG, QUICK, QUICK, LONG)] == [
        STARTED, QUEUED, QUEUED, REFUSED, REFUSED
    ]  # fmt: skip


def test_a_thread_too_many_takes_a_place_in_the_queue() -> None:
    """The leader that was relieved of a quick request is one more than there are threads."""
    office = Office(threads=1, queue=2)
    office.run()
    office.relieve()
    assert [office.come() for _ in range(2)] == [QUEUED, REFUSED]


def test_a_task_says_where_it_is() -> None:
    office = Office(threads=1)
    started, queued = office.task(), office.task()
    office.admission.admit(started, NOW)
    office.admission.admit(queued, NOW)
    assert (started.place, started.begun, queued.place) == (Place.POOL, NOW, Place.QUEUED)


def test_the_leader_has_a_place_beside_all_threads_for_one_quick_request() -> None:
    office = Office(threads=2)
    for _ in range(2):
        office.run()
    assert office.admission.place_for_leader()
    office.relieve()
    assert not office.admission.place_for_leader()


def test_a_leader_that_may_run_nothing_has_no_place() -> None:
    office = Office(in_place=False)
    assert not office.admission.place_for_leader()
    assert not office.admission.place_for_leader(TRIAL)


def test_a_trial_takes_the_place_of_a_thread() -> None:
    office = Office(threads=2)
    office.run()
    assert office.admission.place_for_leader(TRIAL)
    office.admission.on_trial = True
    assert office.come(LONG) is QUEUED
    assert office.next() is None
    office.admission.on_trial = False
    office.admission._brief_at = -1e9
    assert office.next() == ""
    assert not office.admission.place_for_leader(TRIAL)


@pytest.mark.parametrize(("kind", "may"), [(TRIAL, True), (LONG_TRIAL, False)])
def test_a_trial_of_a_long_route_leaves_a_thread_to_brief_ones_too(kind: Kind, may: bool) -> None:
    office = Office(threads=3)
    for _ in range(2):
        office.run(LONG)
    office.end(office.run(BRIEF))
    assert office.admission.place_for_leader(kind, NOW) is may
    office.come(kind, "trial")
    assert office.next() is None
    assert office.next_in_place() == ("trial" if may else None)


def test_a_trial_that_was_relieved_has_one_place_not_two() -> None:
    office = Office(threads=2)
    office.admission.on_trial = True
    office.relieve()
    assert (len(office.tasks.running), office.admission.on_trial) == (1, False)
    assert office.come() is STARTED


@pytest.mark.parametrize("kind", [LONG, COMPUTING, BRIEF])
def test_only_quick_ones_and_those_on_trial_are_run_by_the_leader(kind: Kind) -> None:
    assert not Office().admission.place_for_leader(kind)


# -- who is next


@pytest.mark.parametrize("kind", [BRIEF, LONG, COMPUTING])
def test_those_that_wait_for_the_pool_come_in_order(kind: Kind) -> None:
    office = Office(threads=1)
    running = office.run()
    for each in "abc":
        assert office.come(kind, each) is QUEUED
    assert office.next() is None
    office.end(running)
    assert office.next() == "a"
    assert office.next() is None
    assert (len(office.tasks.running), office.tasks.waiting) == (1, 2)


def test_quick_ones_that_wait_are_the_leaders_and_no_threads() -> None:
    office = Office(threads=1)
    running = office.run()
    relieved = office.relieve()
    for each in "ab":
        assert office.come(QUICK, each) is QUEUED
    assert office.next_in_place() is None
    office.end(running)
    assert [office.next(), office.next_in_place(), office.next_in_place()] == [None, "a", "b"]
    office.end(relieved)
    assert (len(office.tasks.running), office.tasks.waiting) == (0, 0)


def test_quick_ones_are_the_pools_where_the_leader_runs_none() -> None:
    office = Office(threads=1, in_place=False)
    running = office.run(QUICK)
    assert office.come(QUICK, "next") is QUEUED
    office.end(running)
    assert office.next_in_place() is None
    assert office.next() == "next"


def queued_then_turned(office: Office, before: Kind, after: Kind) -> None:
    """One waits as what it was taken for, and is known to be of another kind now."""
    task = office.task(before, "turned")
    assert office.admission.admit(task, NOW) is QUEUED
    request: Any = task.request
    request.kind = after


def test_one_that_has_turned_out_to_be_quick_is_run_by_the_leader() -> None:
    office = Office(threads=1)
    running = office.run()
    queued_then_turned(office, LONG, QUICK)
    office.end(running)
    assert office.next() is None
    assert office.next_in_place() == "turned"


def test_one_that_has_turned_out_to_be_slow_is_run_by_the_pool() -> None:
    office = Office(threads=1)
    running, relieved = office.run(), office.relieve()
    queued_then_turned(office, QUICK, LONG)
    office.end(running)
    office.end(relieved)
    assert office.next_in_place() is None
    assert office.next() == "turned"


def test_one_on_trial_goes_to_the_leader_when_there_is_a_place_and_the_others_wait_for_the_verdict() -> None:
    office = Office(threads=1)
    running = office.run()
    for each in "ab":
        assert office.come(TRIAL, each) is QUEUED
    assert office.next() is None
    office.end(running)
    assert office.next() is None
    assert [len(queue) for queue in (office.tasks.for_leader, office.tasks.for_pool)] == [1, 1]
    assert office.next_in_place() == "a"
    assert office.tasks.waiting == 1


# -- what is released


def test_what_is_released_twice_is_counted_once() -> None:
    office = Office()
    task = office.run()
    assert [office.admission.release(task, NOW) for _ in range(2)] == [True, False]
    assert len(office.tasks.running) == 0


# -- many threads


def test_counts_are_right_when_many_threads_come_and_go() -> None:
    office = Office(threads=4, queue=8)
    lock = threading.Lock()
    inside: list[Task] = []
    most = 0
    outcomes = dict.fromkeys(Admitted, 0)
    ran: list[str | None] = []

    def work(task: Task | None) -> None:
        nonlocal most
        while task is not None:
            with lock:
                inside.append(task)
                most = max(most, len(inside))
                ran.append(name(task))
            with lock:
                inside.remove(task)
            office.end(task)
            task = office.admission.next_for_pool(NOW)

    def come(which: int) -> None:
        rng = random.Random(which)
        for number in range(300):
            task = office.task(rng.choice((BRIEF, LONG, COMPUTING)), f"{which} {number}")
            outcome = office.admission.admit(task, NOW)
            with lock:
                outcomes[outcome] += 1
            if outcome is STARTED:
                work(task)

    threads = [threading.Thread(target=come, args=(which,)) for which in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    work(office.admission.next_for_pool(NOW))  # as the watcher: a long one may wait while a thread is kept
    while office.tasks.waiting:
        work(office.admission.next_for_pool(NOW + module._KEPT_FOR))
    assert (len(office.tasks.running), office.tasks.waiting) == (0, 0)
    assert 1 <= most <= 4
    assert len(ran) == len(set(ran)) == outcomes[STARTED] + outcomes[QUEUED]
    assert sum(outcomes.values()) == 16 * 300


# -- those that wait for their clients


def lag(*tasks: Task) -> None:
    for task in tasks:
        task.connection.lags = True


def test_those_that_wait_for_their_clients_give_their_places_to_others_up_to_a_bound() -> None:
    office = Office(threads=2, queue=1)
    office.admission.stream_threads = 1
    first, second = office.run(), office.run()
    assert office.come(name="waits") is QUEUED
    assert office.come() is REFUSED
    lag(first)
    assert office.next() == "waits"
    lag(second)  # one more than may
    assert office.next() is None
    assert office.come() is QUEUED
    assert office.come() is REFUSED
    office.end(first)
    assert len(office.tasks.running) == 2


def test_long_ones_that_wait_for_their_clients_leave_the_places_of_long_ones() -> None:
    office = Office(threads=3)
    office.admission.stream_threads = 2
    office.end(office.run(BRIEF))
    lag(office.run(LONG), office.run(LONG))
    assert office.come(LONG) is STARTED
    assert office.come(LONG) is STARTED
    assert office.come(LONG) is QUEUED


def test_any_number_of_them_keeps_no_quick_one_waiting() -> None:
    office = Office(threads=2)
    running = [office.run(), office.run(), office.relieve()]
    assert not office.admission.place_for_leader()
    lag(running[0])
    assert office.admission.place_for_leader()


def test_so_many_leaders_wait_for_clients_that_others_are_left() -> None:
    office = Office(threads=2)
    lag(*(office.relieve() for _ in range(LAGGING_LEADERS + 2)))
    assert office.admission.place_for_leader()
    lag(office.relieve())
    assert not office.admission.place_for_leader()
