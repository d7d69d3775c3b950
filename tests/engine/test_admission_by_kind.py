"""Which requests leave a thread to others: long ones to brief ones, and one computing request at a time."""

from __future__ import annotations

import pytest

from tests.engine.admission_fakes import NOW, Office, name
from tpserver.engine import admission as module
from tpserver.engine.admission import Admitted
from tpserver.engine.costs import Kind

STARTED, QUEUED = Admitted.STARTED, Admitted.QUEUED
QUICK, BRIEF, LONG, COMPUTING = Kind.QUICK, Kind.BRIEF, Kind.LONG, Kind.COMPUTING


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
    assert office.tasks.waiting == 2  # the brief one runs
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
