"""Where a request goes, and how its task ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.dispatch_fakes import GROUPS, LEADER, Asked, Desk, FakeConnection
from tpserver.engine import dispatch
from tpserver.engine.costs import SPAN, Kind
from tpserver.engine.task import Place
from tpserver.engine.waiting import LEFT_AFTER
from tpserver.transport.polling import ClientSide


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


# -- where it goes


@pytest.mark.parametrize("group", ["quick", "unknown"])
def test_a_quick_request_runs_in_place(desk: Desk, group: str) -> None:
    connection = desk.come(group)
    assert (desk.answered, desk.pool.jobs, desk.tasks.everything()) == ([group], [], [])
    assert not connection.detached


@pytest.mark.parametrize("group", ["brief", "long", "computing"])
def test_a_slow_request_runs_in_the_pool(desk: Desk, group: str) -> None:
    connection = desk.come(group)
    assert (desk.answered, connection.detached, len(desk.tasks.running)) == ([], True, 1)
    desk.pool.work()
    assert (desk.answered, desk.returned) == ([group], [connection])
    assert (len(desk.tasks.running), desk.dispatch.pooled) == (0, 1)
    assert desk.tasks.everything() == []


def test_a_request_whose_content_is_still_arriving_runs_in_the_pool(desk: Desk) -> None:
    desk.admission.in_place = False
    desk.come("quick", content_arriving=True)
    assert len(desk.pool.jobs) == 1


def test_a_leader_that_was_relieved_while_it_received_a_request_does_not_run_it(desk: Desk) -> None:
    connection: Any = FakeConnection()
    request = Asked("quick", desk.now)
    request.connection = connection
    desk.leadership.current = None
    assert desk.dispatch.place(request, connection, desk.now) is False
    assert desk.answered == []
    assert [task.request for task in desk.tasks.queued()] == [request]


def test_one_too_many_is_refused_and_its_connection_stays_the_leaders(desk: Desk) -> None:
    connections = [desk.come("long") for _ in range(5)]
    assert desk.refused == [("long", "queue full")]
    assert desk.returned == []
    assert [connection.detached for connection in connections] == [True] * 4 + [False]
    assert (len(desk.tasks.running), desk.tasks.waiting) == (2, 2)


def test_a_thread_of_the_pool_goes_on_with_what_waits(desk: Desk) -> None:
    for _ in range(4):
        desk.come("long")
    desk.pool.work()
    assert (desk.answered, len(desk.tasks.running), desk.tasks.waiting) == (["long"] * 3, 1, 0)


def quick_one_waits(desk: Desk) -> Any:
    """One waits for the leader, behind two long ones and one that the leader was relieved of; its connection."""
    for _ in range(2):
        desk.come("long")
    desk.while_answering = desk.relieve
    desk.come("unknown")
    desk.while_answering = lambda: None
    return desk.come("quick")


def test_quick_ones_that_wait_are_run_by_the_leader_which_is_woken(desk: Desk) -> None:
    """And by no thread of the pool."""
    waiting = quick_one_waits(desk)
    assert (len(desk.tasks.running), desk.tasks.waiting, desk.dispatch.has_for_leader()) == (3, 1, False)
    desk.pool.work()
    assert "quick" not in desk.answered
    assert (desk.woken, desk.dispatch.has_for_leader()) == (1, True)
    task = desk.admission.next_for_leader(desk.now)
    assert task is not None
    assert task.connection is waiting
    desk.leadership.current = waiting
    desk.dispatch.run_queued(task, desk.now)
    assert desk.answered[-1] == "quick"
    assert desk.admission.next_for_leader(desk.now) is None


def test_a_trial_runs_in_place_and_takes_a_threads_place_meanwhile(desk: Desk) -> None:
    desk.now += 1e6
    seen: list[object] = []
    desk.while_answering = lambda: seen.append(desk.admission.on_trial)
    desk.come("brief")
    assert (seen, desk.admission.on_trial) == ([True], False)


def test_a_relieved_trial_does_not_end_that_of_the_next_leader(desk: Desk) -> None:
    desk.now += 1e6

    def relieved_meanwhile() -> None:
        desk.relieve()
        desk.admission.on_trial = True  # of the leader after it

    desk.while_answering = relieved_meanwhile
    desk.come("brief")
    assert desk.admission.on_trial


# -- what is measured


def test_a_route_that_takes_turns_with_another_one_is_measured_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GROUPS, "other", (1e-4, 0.0))
    for _ in range(2 * SPAN):
        desk.come("quick")
        desk.come("other")
    monkeypatch.setitem(GROUPS, "quick", (1e-4, 0.02))
    for _ in range(8 * SPAN):
        desk.come("quick")
        desk.come("other")
        while desk.pool.jobs:
            desk.pool.work()
    assert desk.kind("quick") is Kind.BRIEF


def test_each_run_on_trial_is_measured(desk: Desk) -> None:
    for _ in range(2 * SPAN):
        desk.come("long")
        desk.pool.work()
    desk.now += 1e6
    before = len(desk.answered)
    while desk.kind("long").is_trial:
        desk.come("long")
    assert len(desk.answered) == before + 2
    assert not desk.pool.jobs


# -- a leader that was relieved a moment ago


def test_it_lets_a_quick_request_that_has_waited_wait_again(desk: Desk) -> None:
    connection = quick_one_waits(desk)
    desk.pool.work()
    task = desk.admission.next_for_leader(desk.now)
    assert task is not None
    desk.leadership.current = None
    assert desk.dispatch.run_queued(task, desk.now) is False
    assert "quick" not in desk.answered
    assert desk.tasks.queued()[0].connection is connection


def test_the_time_that_a_relieved_request_has_waited_is_not_taken_for_the_time_that_it_runs(desk: Desk) -> None:
    connection: Any = FakeConnection()
    request = Asked("unknown", desk.now - 10.0)
    request.connection = connection
    desk.leadership.attention_id += 1
    desk.leadership.current = connection
    desk.while_answering = desk.relieve
    desk.dispatch.place(request, connection, desk.now)
    (task,) = desk.begun(Place.RELIEVED)
    assert task.begun == desk.now


def test_an_unknown_request_gets_no_patience_from_the_one_before(desk: Desk) -> None:
    until: list[float] = []
    desk.while_answering = lambda: until.append(desk.leadership.patient_until - desk.leadership.begun)
    desk.come("quick")
    desk.come("unknown")
    assert until == [pytest.approx(2e-4), 0.0]


# -- what waits


def wait_in_queue(desk: Desk) -> Any:
    """One waits behind as many as there are threads; its connection."""
    for _ in range(2):
        desk.come("long")
    return desk.come("long")


def test_a_client_that_has_left_is_not_answered(desk: Desk) -> None:
    connection = wait_in_queue(desk)
    (task,) = desk.tasks.queued()
    connection.side = ClientSide.RESET
    desk.now += LEFT_AFTER / 2
    desk.waiting.check(desk.now)
    assert desk.returned == []  # it is not asked so soon
    desk.now += LEFT_AFTER
    desk.waiting.check(desk.now)
    assert (desk.returned, connection.aborted, desk.ended) == ([connection], True, {"client gone": 1})
    assert desk.left == ["long"]
    assert task.request is not None
    assert task.request.closed  # type: ignore[attr-defined]
    assert desk.tasks.waiting == 0


def test_a_client_that_has_closed_its_side_is_served_behind_the_others(desk: Desk) -> None:
    doubtful = wait_in_queue(desk)
    other = desk.come("long")
    doubtful.side = ClientSide.ENDED
    desk.now += 2 * LEFT_AFTER
    desk.waiting.check(desk.now)
    assert [task.connection for task in desk.tasks.queued()] == [other, doubtful]
    assert (desk.returned, desk.ended) == ([], {})


def test_what_has_waited_for_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, timeout=5.0)
    connection = wait_in_queue(desk)
    desk.now += 4.9
    desk.waiting.check(desk.now)
    assert desk.refused == []
    desk.now += 0.2
    desk.waiting.check(desk.now)
    assert (desk.refused, desk.returned) == ([("long", "queue timeout")], [connection])


def test_what_may_run_although_no_request_has_ended_is_started_by_the_watcher(desk: Desk) -> None:
    desk.come("computing")
    desk.come("computing")
    desk.dispatch.promote_waiting(desk.now)
    assert len(desk.pool.jobs) == 1
    desk.now += 1.0
    desk.dispatch.promote_waiting(desk.now)
    assert len(desk.pool.jobs) == 2


def test_when_the_server_stops_what_waits_is_refused(desk: Desk) -> None:
    connection = wait_in_queue(desk)
    desk.waiting.end_all()
    assert (desk.tasks.waiting, desk.refused, desk.returned) == (0, [("long", "stopping")], [connection])


# -- relieved leaders


def test_a_relieved_request_takes_a_place_until_it_ends(desk: Desk) -> None:
    seen: list[int] = []

    def relieved() -> None:
        desk.relieve()
        seen.append(len(desk.tasks.running))

    desk.while_answering = relieved
    connection = desk.come("unknown")
    assert (seen, connection.detached) == ([1], True)
    (task,) = desk.begun(Place.RELIEVED)
    assert (task.thread, task.term, task.kind) == (LEADER, 1, Kind.LONG)
    assert desk.kind("unknown") is Kind.LONG


def test_a_relieved_leader_ends_its_own_task_and_starts_what_waits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.come("long")
    desk.while_answering = desk.relieve
    desk.come("unknown")
    desk.while_answering = lambda: None
    desk.come("long")
    assert (len(desk.tasks.running), desk.tasks.waiting, len(desk.pool.jobs)) == (2, 1, 1)
    monkeypatch.setattr(dispatch, "get_ident", lambda: LEADER)
    desk.dispatch.end_relieved()
    assert (desk.begun(Place.RELIEVED), len(desk.pool.jobs)) == ([], 2)
    assert desk.kind("unknown") is Kind.QUICK


def test_a_leader_that_is_relieved_of_a_file_takes_no_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    connection: Any = FakeConnection()
    desk.leadership.attention_id += 1
    desk.leadership.current = connection
    desk.relieve()
    assert (len(desk.tasks.running), len(desk.tasks.detours)) == (0, 1)
    monkeypatch.setattr(dispatch, "get_ident", lambda: LEADER)
    desk.dispatch.end_relieved()
    assert desk.tasks.everything() == []
