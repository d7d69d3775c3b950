"""How many requests run and how many wait, also when many threads ask at once."""

from __future__ import annotations

import random
import threading
from types import SimpleNamespace

import pytest

from tpserver.engine.admission import Admission

NEVER_RESERVED = 1.0  # a time after `quick_until`


def a_request(name=""):
    return SimpleNamespace(name=name, handed_over=False, connection=SimpleNamespace(away=False))


def enter(admission, request=None, quick=True, now=NEVER_RESERVED):
    return admission.enter(request or a_request(), quick=quick, now=now)


def test_threads_first_then_the_line_then_nobody():
    admission = Admission(threads=2, queue=3)
    assert [enter(admission) for _ in range(7)] == [True, True, False, False, False, None, None]
    assert (admission.running, admission.waiting) == (2, 3)


def test_only_a_request_that_is_taken_changes_hands():
    admission = Admission(threads=1, queue=1)
    requests = [a_request() for _ in range(3)]
    for request in requests:
        enter(admission, request)
    assert [request.handed_over for request in requests] == [True, True, False]
    assert [request.connection.away for request in requests] == [True, True, False]


@pytest.mark.parametrize("quick", [True, False])
def test_those_that_wait_come_in_order(quick):
    admission = Admission(threads=1, queue=9)
    for name in "abcd":
        enter(admission, a_request(name), quick=quick)
    assert [admission.leave(NEVER_RESERVED).name for _ in range(3)] == ["b", "c", "d"]
    assert admission.running == 1
    assert admission.leave(NEVER_RESERVED) is None
    assert admission.running == 0


def test_a_thread_too_many_takes_nobody_with_it():
    admission = Admission(threads=1, queue=9)
    enter(admission)
    admission.occupy()  # a leader was relieved while it served a file
    enter(admission)
    assert (admission.running, admission.waiting) == (2, 1)
    assert admission.leave(NEVER_RESERVED) is None
    assert admission.leave(NEVER_RESERVED) is not None
    assert (admission.running, admission.waiting) == (1, 0)


def test_slow_ones_leave_a_thread_to_quick_ones_for_a_while():
    admission = Admission(threads=3, queue=9)
    admission.quick_until = 10.0
    assert [enter(admission, quick=False, now=9.0) for _ in range(3)] == [True, True, False]
    assert enter(admission, quick=True, now=9.0) is True
    assert admission.leave(9.0) is None  # the thread that is kept
    assert admission.leave(9.0) is not None
    assert (admission.running, admission.waiting) == (2, 0)


def test_a_single_thread_is_for_all():
    admission = Admission(threads=1, queue=9)
    admission.quick_until = 10.0
    assert enter(admission, quick=False, now=9.0) is True


def test_quick_ones_go_before_slow_ones():
    admission = Admission(threads=1, queue=9)
    enter(admission)
    enter(admission, a_request("slow"), quick=False)
    enter(admission, a_request("quick"), quick=True)
    assert [admission.leave(NEVER_RESERVED).name for _ in range(2)] == ["quick", "slow"]


def test_clearing_empties_the_lines():
    admission = Admission(threads=1, queue=9)
    for quick in (True, True, False):
        enter(admission, quick=quick)
    admission.clear()
    assert admission.waiting == 0
    assert admission.leave(NEVER_RESERVED) is None


def test_counts_are_right_when_many_threads_come_and_go():
    admission = Admission(threads=4, queue=8)
    lock = threading.Lock()
    inside = []
    most = [0]
    outcomes = {True: 0, False: 0, None: 0}
    run = []

    def work(request):
        while request is not None:
            with lock:
                inside.append(request)
                most[0] = max(most[0], len(inside))
            with lock:
                inside.remove(request)
                run.append(request.name)
            request = admission.leave(NEVER_RESERVED)

    def come(which):
        rng = random.Random(which)
        for number in range(300):
            request = a_request((which, number))
            outcome = enter(admission, request, quick=rng.random() < 0.5)
            with lock:
                outcomes[outcome] += 1
            if outcome:
                work(request)

    threads = [threading.Thread(target=come, args=(which,)) for which in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (admission.running, admission.waiting) == (0, 0)
    assert 1 <= most[0] <= 4
    assert len(run) == len(set(run)) == outcomes[True] + outcomes[False]
    assert sum(outcomes.values()) == 16 * 300
