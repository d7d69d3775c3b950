"""How many requests run and how many wait, which is next, also when many threads ask at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.client import PATIENCE
from tpserver.engine import admission as module
from tpserver.engine.admission import Admission, Admitted
from tpserver.engine.costs import Kind
from tpserver.engine.task import Place, Task, Tasks

STARTED, QUEUED, REFUSED = Admitted.STARTED, Admitted.QUEUED, Admitted.REFUSED
QUICK, TRIAL, LONG_TRIAL, BRIEF, LONG, COMPUTING = (
    Kind.QUICK, Kind.TRIAL, Kind.LONG_TRIAL, Kind.BRIEF, Kind.LONG, Kind.COMPUTING
)  # fmt: skip
NOW = 100.0


class Asked:
    """A request that is known by its name."""

    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        self.kind = kind
        self.arrived = NOW


class KnownCosts:
    """Says of each request what kind it is by now."""

    def kind(self, request: Any, now: float) -> Kind:
        kind: Kind = request.kind
        return kind


class Office:
    """An admission, and what a test does with it."""

    def __init__(self, threads: int = 2, queue: int = 9, *, in_place: bool = True, one_computes: bool = True) -> None:
        self.tasks = Tasks()
        costs: Any = KnownCosts()
        self.admission = Admission(self.tasks, costs, threads, queue, in_place=in_place, one_computes=one_computes)

    def task(self, kind: Kind = BRIEF, name: str = "") -> Task:
        request: Any = Asked(name, kind)
        connection: Any = SimpleNamespace()
        return Task(request, connection, kind, Place.QUEUED)

    def come(self, kind: Kind = BRIEF, name: str = "", now: float = NOW) -> Admitted:
        return self.admission.admit(self.task(kind, name), now)

    def run(self, kind: Kind = BRIEF, now: float = NOW) -> Task:
        """One more runs in the pool."""
        task = self.task(kind)
        assert self.admission.admit(task, now) is STARTED
        return task

    def relieve(self) -> Task:
        """A leader is relieved of one more."""
        task = self.task(LONG)
        task.place = Place.RELIEVED
        self.admission.begin_relieved(task)
        return task

    def end(self, task: Task, now: float = NOW) -> None:
        assert self.admission.release(task, now)

    def next(self, now: float = NOW) -> str | None:
        """The name of the next one for the pool."""
        return name(self.admission.next_for_pool(now))

    def next_in_place(self, now: float = NOW) -> str | None:
        return name(self.admission.next_for_leader(now))


def name(task: Task | None) -> str | None:
    request: Any = task.request if task is not None else None
    return None if request is None else str(request.name)


# -- places


@pytest.mark.parametrize("in_place", [True, False])
def test_threads_first_then_the_queue_then_none(in_place: bool) -> None:
    office = Office(threads=2, queue=3, in_place=in_place)
    assert [office.come() for _ in range(7)] == [STARTED, STARTED, QUEUED, QUEUED, QUEUED, REFUSED, REFUSED]
    assert (office.admission.running, office.admission.waiting) == (2, 3)


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
    assert (office.admission.running, office.admission.on_trial) == (1, False)
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
    assert (office.admission.running, office.admission.waiting) == (1, 2)


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
    assert (office.admission.running, office.admission.waiting) == (0, 0)


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
    assert office.next_in_place() == "a"
    assert office.admission.waiting == 1


# -- brief ones, long ones


def test_long_ones_leave_a_thread_to_brief_ones_for_a_while() -> None:
    office = Office(threads=3)
    office.end(office.run(BRIEF))
    assert [office.come(LONG, str(number)) for number in range(3)] == [STARTED, STARTED, QUEUED]
    assert office.come(BRIEF) is STARTED
    assert office.next(NOW + module._KEPT_FOR - 1) is None


def test_long_ones_have_all_threads_when_no_brief_one_has_come_for_a_while() -> None:
    office = Office(threads=3)
    office.end(office.run(BRIEF))
    later = NOW + module._KEPT_FOR
    assert [office.come(LONG, now=later) for _ in range(4)] == [STARTED, STARTED, STARTED, QUEUED]


@pytest.mark.parametrize("kind", [LONG, COMPUTING])
def test_long_ones_have_all_threads_where_none_is_brief(kind: Kind) -> None:
    office = Office(threads=3, one_computes=False)
    assert [office.come(kind) for _ in range(4)] == [STARTED, STARTED, STARTED, QUEUED]


def test_quick_ones_count_as_brief_where_the_leader_runs_none() -> None:
    office = Office(threads=3, in_place=False)
    office.end(office.run(QUICK))
    assert [office.come(LONG) for _ in range(3)] == [STARTED, STARTED, QUEUED]


def test_a_single_thread_is_for_all() -> None:
    office = Office(threads=1)
    office.end(office.run(BRIEF))
    assert office.come(LONG) is STARTED


def test_a_brief_one_passes_long_ones_that_leave_it_a_thread() -> None:
    office = Office(threads=2)
    office.end(office.run(BRIEF))
    office.run(LONG)
    for kind, each in ((LONG, "a"), (LONG, "b"), (BRIEF, "brief")):
        office.come(kind, each)
    assert office.admission.waiting == 2  # the brief one runs
    task = next(one for one in office.tasks.running if name(one) == "brief")
    office.come(BRIEF, "brief too")
    office.end(task)
    assert office.next() == "brief too"
    assert [name(one) for one in office.tasks.for_pool] == ["a", "b"]


@pytest.mark.parametrize("kind", [LONG, COMPUTING])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_long_one_gets_a_thread_although_brief_ones_occupy_all_of_them(threads: int, kind: Kind) -> None:
    office = Office(threads=threads, queue=99)
    running = [office.run(BRIEF) for _ in range(threads)]
    office.come(BRIEF, "brief")
    office.come(kind, "long")
    for _ in range(20):
        office.come(BRIEF, "brief")
    order = []
    for _ in range(3):
        office.end(running.pop(0))
        order.append(office.next())
        running.extend(one for one in office.tasks.running if one not in running)
    assert order == ["brief", "long", "brief"]


def test_long_ones_that_come_all_the_time_leave_a_thread_to_brief_ones_that_do_so_too() -> None:
    office = Office(threads=4, queue=99)
    running = [office.run(BRIEF) for _ in range(4)]
    for _ in range(20):
        office.come(LONG, "long")
        office.come(BRIEF, "brief")
    order = []
    for _ in range(12):  # brief ones end, long ones go on
        ended = next(one for one in running if one.kind is BRIEF)
        running.remove(ended)
        office.end(ended)
        order.append(office.next())
        running.extend(one for one in office.tasks.running if one not in running)
    assert order[:5] == ["long", "brief", "long", "brief", "long"]
    assert set(order[5:]) == {"brief"}


# -- computing ones


def test_one_computes_at_a_time_while_others_wait_beside_it() -> None:
    office = Office(threads=4)
    first = office.run(COMPUTING)
    assert office.come(COMPUTING, "second") is QUEUED
    assert office.come(LONG) is STARTED
    assert office.next() is None
    office.end(first)
    assert office.next() == "second"


def test_without_an_interpreter_lock_as_many_compute_as_there_are_threads() -> None:
    office = Office(threads=3, one_computes=False)
    assert [office.come(COMPUTING) for _ in range(4)] == [STARTED, STARTED, STARTED, QUEUED]


def test_a_long_report_does_not_hold_up_short_ones_for_good() -> None:
    office = Office(threads=4)
    office.run(COMPUTING)
    office.come(COMPUTING, "short")
    assert office.next(NOW + module._ALONE - 0.01) is None
    assert office.next(NOW + module._ALONE) == "short"


@pytest.mark.parametrize(
    ("share", "expected"), [(0.1, "next"), (0.9, None), (1.0, None), (1.9, "next")],
    ids=["it waits", "nearly busy", "busy", "it computes without the lock"],
)  # fmt: skip
def test_what_does_not_need_the_interpreter_does_not_keep_others_waiting(share: float, expected: str | None) -> None:
    office = Office(threads=4)
    office.run(COMPUTING)
    office.come(COMPUTING, "next")
    office.admission.share_interpreter(0.02 * share, 0.02, NOW)
    assert office.next(NOW + 0.01) == expected


def test_that_the_interpreter_was_free_is_forgotten_with_the_next_look() -> None:
    office = Office(threads=4)
    office.run(COMPUTING)
    office.come(COMPUTING, "next")
    office.admission.share_interpreter(0.0, 0.02, NOW)
    assert office.next(NOW + 0.02) is None


# -- what is released


def test_what_is_released_twice_is_counted_once() -> None:
    office = Office()
    task = office.run()
    assert [office.admission.release(task, NOW) for _ in range(2)] == [True, False]
    assert office.admission.running == 0


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


def test_retry_after_tells_the_pace_at_which_requests_end_while_others_wait() -> None:
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
    assert office.admission.waiting == 19
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
    while office.admission.waiting:
        work(office.admission.next_for_pool(NOW + module._KEPT_FOR))
    assert (office.admission.running, office.admission.waiting) == (0, 0)
    assert 1 <= most <= 4
    assert len(ran) == len(set(ran)) == outcomes[STARTED] + outcomes[QUEUED]
    assert sum(outcomes.values()) == 16 * 300
