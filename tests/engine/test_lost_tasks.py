"""A task whose thread was interrupted: it is found, given up, and its place is free again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.dispatch_fakes import LEADER, Asked, Desk, FakeConnection
from tpserver.engine import lost_tasks as module
from tpserver.engine.costs import Kind


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def interrupt(desk: Desk, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool runs a task, and is interrupted."""

    def interrupted(*_: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    places: dict[str, tuple[object, str]] = {
        "answer": (desk.dispatch, "answer"),
        "release": (desk.admission, "release"),
    }
    with monkeypatch.context() as patched:
        patched.setattr(*places[what], interrupted)
        with pytest.raises(KeyboardInterrupt):
            desk.pool.work()


@pytest.mark.parametrize("what", ["answer", "release"])
def test_a_task_that_is_over_and_not_released_is_given_up(
    desk: Desk, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = desk.come("long")
    interrupt(desk, what, monkeypatch)
    assert len(desk.tasks.running) == 1
    desk.lost_tasks.check(desk.now)
    assert (len(desk.tasks.running), connection.aborted) == (0, True)
    assert desk.returned[-1] is connection
    assert desk.admission.mean == 0.0  # it teaches nothing


def test_a_task_that_runs_is_not_given_up(desk: Desk) -> None:
    desk.come("long")
    (task,) = desk.tasks.begun()
    task.thread = 5
    desk.now += 1e6
    desk.lost_tasks.check(desk.now)
    assert len(desk.tasks.running) == 1


def test_a_task_that_ends_while_it_is_looked_at_is_not_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection may be at the next request by then: it was closed under load."""
    connection = desk.come("long")
    seen = desk.tasks.begun()
    desk.pool.work()
    assert seen[0].over
    monkeypatch.setattr(desk.tasks, "begun", lambda: seen)
    desk.lost_tasks.check(desk.now)
    assert (connection.aborted, desk.returned) == (False, [connection])


def test_a_task_on_its_way_to_a_thread_is_not_given_up(desk: Desk) -> None:
    desk.come("long")
    desk.pool.backlog = 1
    for _ in range(2 * module._UNCLAIMED):
        desk.lost_tasks.check(desk.now)
    assert len(desk.tasks.running) == 1


def test_a_stop_of_the_whole_process_loses_no_task(desk: Desk) -> None:
    """The watcher may go on before the thread that was about to come for it."""
    desk.come("long")
    for _ in range(module._UNCLAIMED - 1):
        desk.now += 1e6
        desk.lost_tasks.check(desk.now)
    (task,) = desk.tasks.begun()
    task.thread = 5
    desk.lost_tasks.check(desk.now)
    assert desk.tasks.begun() == [task]


def test_a_task_that_no_thread_has_come_for_is_given_up(desk: Desk) -> None:
    """Its thread was interrupted as it took it from the queue of the pool."""
    connection = desk.come("long")
    for _ in range(module._UNCLAIMED):
        desk.lost_tasks.check(desk.now)
    assert (len(desk.tasks.running), connection.aborted) == (0, True)


@pytest.mark.parametrize("file", [True, False])
def test_a_relieved_task_whose_thread_has_come_back_is_given_up(desk: Desk, file: bool) -> None:
    if file:
        connection: Any = FakeConnection()
        desk.leadership.attention_id += 1
        desk.leadership.current = connection
        desk.relieve()
    else:
        desk.while_answering = desk.relieve
        connection = desk.come("unknown")
    desk.lost_tasks.check(desk.now)
    assert len(desk.tasks.everything()) == 1
    desk.at_work = {(LEADER, 2)}  # it leads again
    desk.lost_tasks.check(desk.now)
    assert (desk.tasks.everything(), desk.returned, connection.aborted) == ([], [connection], True)
    assert desk.kind("unknown") is Kind.QUICK


def test_a_relief_that_was_not_completed_leaves_no_task(desk: Desk) -> None:
    connection: Any = FakeConnection()
    request = Asked("unknown", desk.now)
    request.connection = connection
    desk.dispatch.hand_on(connection, request, LEADER)
    desk.lost_tasks.check(desk.now)
    assert (desk.tasks.everything(), desk.returned, connection.aborted) == ([], [], False)
    assert desk.kind("unknown") is Kind.QUICK


def test_a_task_that_an_earlier_serve_forever_has_left_behind_goes_on(desk: Desk) -> None:
    """Its thread is none of this bench's."""
    desk.while_answering = desk.relieve
    desk.come("unknown")
    (task,) = desk.tasks.begun()
    task.term, desk.at_work = 0, set()
    desk.lost_tasks.check(desk.now)
    assert desk.tasks.begun() == [task]
