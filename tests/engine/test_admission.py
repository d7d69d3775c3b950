"""How many requests run and how many wait, also when many threads ask at once."""

from __future__ import annotations

import random
import threading
from types import SimpleNamespace

import pytest

from tpserver.engine.admission import COMPUTING, QUICK, SHARE, WAITING, Admission

NEVER_RESERVED = 1.0  # a time after `quick_until`


class Request:
    def __init__(self, name="", arrived=NEVER_RESERVED):
        self.name = name
        self.arrived = self.begun = arrived
        self.handed_over = self.waited = False
        self.connection = SimpleNamespace(detached=False)


def enter(admission, request=None, kind=QUICK, now=NEVER_RESERVED):
    """With no thread reserved, but where the test says so."""
    if now == NEVER_RESERVED:
        admission.quick_until = 0.0
        try:
            return admission.enter(request or Request(), kind=kind, now=now)
        finally:
            admission.quick_until = 0.0
    return admission.enter(request or Request(), kind=kind, now=now)


def leave(admission, now=NEVER_RESERVED):
    return admission.leave(None, now)


def test_threads_first_then_the_line_then_nobody():
    admission = Admission(threads=2, queue=3)
    assert [enter(admission) for _ in range(7)] == [True, True, False, False, False, None, None]
    assert (admission.running, admission.waiting) == (2, 3)


def test_only_a_request_that_is_taken_changes_hands():
    admission = Admission(threads=1, queue=1)
    requests = [Request() for _ in range(3)]
    for request in requests:
        enter(admission, request)
    assert [request.handed_over for request in requests] == [True, True, False]
    assert [request.connection.detached for request in requests] == [True, True, False]


@pytest.mark.parametrize("kind", [QUICK, WAITING])
def test_those_that_wait_come_in_order(kind):
    admission = Admission(threads=1, queue=9)
    for name in "abcd":
        enter(admission, Request(name), kind=kind)
    assert [leave(admission).name for _ in range(3)] == ["b", "c", "d"]
    assert admission.running == 1
    assert leave(admission) is None
    assert admission.running == 0


def test_a_thread_too_many_takes_nobody_with_it():
    admission = Admission(threads=1, queue=9)
    enter(admission)
    admission.occupy(NEVER_RESERVED)  # a leader was relieved while it served a file
    enter(admission)
    assert (admission.running, admission.waiting) == (2, 1)
    assert leave(admission) is None
    assert leave(admission) is not None
    assert (admission.running, admission.waiting) == (1, 0)


def test_one_computes_at_a_time_while_others_wait_beside_it():
    admission = Admission(threads=4, queue=9, one_computes=True)
    first = Request("first")
    assert enter(admission, first, kind=COMPUTING) is True
    assert enter(admission, Request("second"), kind=COMPUTING) is False
    assert enter(admission, kind=WAITING) is True
    assert admission.running == 2
    assert admission.leave(first, NEVER_RESERVED).name == "second"


def test_without_an_interpreter_lock_as_many_compute_as_there_are_threads():
    admission = Admission(threads=3, queue=9, one_computes=False)
    assert [enter(admission, kind=COMPUTING) for _ in range(4)] == [True, True, True, False]


def test_a_long_report_does_not_hold_up_short_ones_for_good():
    admission = Admission(threads=4, queue=9, one_computes=True)
    enter(admission, kind=COMPUTING, now=10.0)
    enter(admission, Request("short"), kind=COMPUTING, now=10.0)
    now, computed = 10.0, 0.0
    while now < 10.0 + SHARE - 0.01:
        assert admission.due(now, computed) is None  # the interpreter is busy
        now += 0.005
        computed += 0.005
    assert admission.due(10.0 + SHARE, computed).name == "short"


@pytest.mark.parametrize("share", [0.1, 1.9], ids=["it waits", "it computes without the lock"])
def test_what_does_not_need_the_interpreter_does_not_keep_others_waiting(share):
    admission = Admission(threads=4, queue=9, one_computes=True)
    enter(admission, kind=COMPUTING, now=10.0)
    enter(admission, Request("next"), kind=COMPUTING, now=10.0)
    started = [admission.due(10.0 + at * 0.01, at * 0.01 * share) for at in range(8)]
    assert [request.name for request in started if request] == ["next"]


def test_waiting_and_computing_ones_go_in_the_order_in_which_they_came():
    admission = Admission(threads=1, queue=9)
    enter(admission)
    for at, (name, kind) in enumerate([("a", COMPUTING), ("b", WAITING), ("c", COMPUTING), ("d", WAITING)]):
        enter(admission, Request(name, arrived=NEVER_RESERVED + at), kind=kind)
    order = []
    request = leave(admission)
    while request is not None:
        order.append(request.name)
        request = admission.leave(request, NEVER_RESERVED)
    assert "".join(order) == "abcd"


def test_those_that_have_waited_for_too_long_are_taken_out():
    admission = Admission(threads=1, queue=9)
    enter(admission)
    for at, kind in enumerate([QUICK, WAITING, COMPUTING]):
        enter(admission, Request(str(at), arrived=10.0 + at), kind=kind)
    assert admission.expired(9.9) is None
    assert {admission.expired(11.0).name, admission.expired(11.0).name} == {"0", "1"}
    assert admission.expired(11.0) is None
    assert admission.waiting == 1


def test_retry_after_grows_with_the_line_and_with_what_a_request_takes():
    admission = Admission(threads=2, queue=100)
    assert admission.retry_after == 1
    for _ in range(200):
        request = Request()
        enter(admission, request, now=0.0)
        admission.leave(request, 0.5)
    for _ in range(22):
        enter(admission)
    assert admission.retry_after == 5  # 20 in line, half a second each, by two threads


def fill(admission, kind, took, count=20):
    """One request of that kind has taken so long; and so many stand in line behind others."""
    request = Request(arrived=9.0)
    enter(admission, request, kind=kind, now=9.0)
    admission.leave(request, 9.0 + took)
    while admission.lengths[kind] < count:
        enter(admission, kind=kind, now=10.0)


def test_retry_after_tells_what_one_request_has_shown_already():
    admission = Admission(threads=2, queue=100)
    fill(admission, QUICK, 0.5)
    assert admission.retry_after == 5


def test_retry_after_knows_that_requests_that_compute_go_one_after_the_other():
    admission = Admission(threads=8, queue=100, one_computes=True)
    fill(admission, COMPUTING, 0.5)
    assert admission.retry_after == 10
    admission = Admission(threads=2, queue=100, one_computes=False)
    fill(admission, COMPUTING, 0.5)
    assert admission.retry_after == 5


def test_retry_after_of_a_slow_line_is_not_made_short_by_quick_requests():
    admission = Admission(threads=2, queue=100)
    for _ in range(1000):
        quick = Request(arrived=8.0)
        enter(admission, quick, now=8.0)
        admission.leave(quick, 8.0)
    fill(admission, WAITING, 1.0)
    assert admission.retry_after == 10


def test_what_never_ran_teaches_nothing():
    admission = Admission(threads=1, queue=9)
    request = Request()
    enter(admission, request, now=0.0)
    admission.leave(request, 100.0, ran=False)
    assert admission.mean == 0.0


def test_slow_ones_leave_a_thread_to_quick_ones_for_a_while():
    admission = Admission(threads=3, queue=9)
    admission.quick_until = 10.0
    assert [enter(admission, kind=WAITING, now=9.0) for _ in range(3)] == [True, True, False]
    quick = Request(arrived=9.0)
    assert enter(admission, quick, kind=QUICK, now=9.0) is True
    assert admission.leave(quick, 9.0) is None  # the thread that is kept
    assert leave(admission, 9.0) is not None
    assert (admission.running, admission.waiting) == (2, 0)


def test_a_quick_page_finds_a_thread_although_none_has_been_asked_for_in_the_last_seconds():
    admission = Admission(threads=3, queue=9)
    quick = Request(arrived=9.0)
    enter(admission, quick, now=9.0)
    assert admission.leave(quick, 9.01) is None
    assert [enter(admission, kind=WAITING, now=at) for at in (20.0, 40.0, 60.0)] == [True, True, False]
    assert enter(admission, kind=QUICK, now=65.0) is True


def test_slow_requests_have_all_threads_where_none_is_quick():
    admission = Admission(threads=3, queue=9)
    for at in (9.0, 10.0, 11.0):  # nobody knew that they were slow
        slow = Request(arrived=at)
        enter(admission, slow, now=at)
        assert admission.leave(slow, at + 0.5) is None
    assert [enter(admission, kind=WAITING, now=at) for at in (13.0, 15.0, 15.0)] == [True, True, True]


def test_a_single_thread_is_for_all():
    admission = Admission(threads=1, queue=9)
    admission.quick_until = 10.0
    assert enter(admission, kind=WAITING, now=9.0) is True


def test_quick_ones_go_before_slow_ones():
    admission = Admission(threads=1, queue=9)
    enter(admission)
    enter(admission, Request("slow"), kind=WAITING)
    enter(admission, Request("quick"), kind=QUICK)
    assert [leave(admission).name for _ in range(2)] == ["quick", "slow"]


def test_clearing_empties_the_lines():
    admission = Admission(threads=1, queue=9)
    for kind in (QUICK, QUICK, WAITING, COMPUTING):
        enter(admission, kind=kind)
    admission.clear()
    assert admission.waiting == 0
    assert leave(admission) is None


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
            request = leave(admission)

    def come(which):
        rng = random.Random(which)
        for number in range(300):
            request = Request((which, number))
            outcome = enter(admission, request, kind=rng.choice((QUICK, WAITING)))
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


def test_what_turns_out_to_be_quick_goes_before_those_that_it_stood_behind():
    admission = Admission(threads=1, queue=9)
    enter(admission)
    for at, name in enumerate(["slow", "page", "slow too"]):
        enter(admission, Request(name, arrived=NEVER_RESERVED + at), kind=WAITING)
    admission.sort(lambda request: QUICK if request.name == "page" else WAITING)
    order = []
    request = leave(admission)
    while request is not None:
        order.append(request.name)
        request = admission.leave(request, NEVER_RESERVED)
    assert order == ["page", "slow", "slow too"]


def test_a_slow_one_is_not_passed_by_quick_ones_for_good():
    admission = Admission(threads=1, queue=9)
    enter(admission)
    enter(admission, Request("slow"), kind=WAITING)
    for name in ("quick", "quick too"):
        enter(admission, Request(name))
    assert leave(admission, NEVER_RESERVED + 0.01).name == "quick"
    assert leave(admission, NEVER_RESERVED + 0.2).name == "slow"
    assert leave(admission, NEVER_RESERVED + 0.2).name == "quick too"


def test_one_that_waits_can_be_taken_out_of_its_line_once():
    admission = Admission(threads=1, queue=9)
    enter(admission)
    request = Request()
    enter(admission, request)
    assert admission.in_line() == [request]
    assert admission.take_out(request) is True
    assert admission.take_out(request) is False
    assert leave(admission) is None


@pytest.mark.parametrize("kind", [WAITING, COMPUTING])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_slow_one_gets_a_thread_although_brief_ones_occupy_all_of_them(threads, kind):
    admission = Admission(threads=threads, queue=99)
    running = [Request("brief") for _ in range(threads)]
    assert all(enter(admission, request, now=9.0) for request in running)
    for _ in range(20):
        enter(admission, Request("brief"), now=9.0)
    enter(admission, Request("slow", arrived=9.0), kind=kind, now=9.0)
    assert admission.leave(running.pop(), 9.05).name == "brief"
    assert admission.leave(running.pop() if running else None, 9.2).name == "slow"


def test_slow_ones_that_are_late_leave_half_of_the_threads_to_brief_ones():
    admission = Admission(threads=4, queue=99)
    running = [Request("brief", arrived=9.0) for _ in range(4)]
    for request in running:
        enter(admission, request, now=9.0)
    for _ in range(20):
        enter(admission, Request("brief", arrived=9.0), now=9.0)
        enter(admission, Request("slow", arrived=9.0), kind=WAITING, now=9.0)
    order = []
    for _ in range(12):  # brief ones end, slow ones go on
        ended = next(request for request in running if request.name == "brief")
        running.remove(ended)
        running.append(admission.leave(ended, 9.5))
        order.append(running[-1].name)
    assert order[:3] == ["slow", "brief", "slow"]
    assert set(order[3:]) == {"brief"}
    assert [request.name for request in running].count("slow") == 2


def test_slow_ones_that_are_late_do_not_keep_quick_ones_from_an_only_thread():
    admission = Admission(threads=1, queue=99)
    request = Request()
    enter(admission, request)
    for _ in range(4):
        enter(admission, Request("slow"), kind=WAITING)
        enter(admission, Request("quick"))
    order = []
    for _ in range(6):
        request = admission.leave(request, NEVER_RESERVED + 9)
        order.append(request.name)
    assert order == ["slow", "quick"] * 3
