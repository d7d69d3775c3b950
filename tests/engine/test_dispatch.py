"""Where a request goes, and how its task ends: also when its thread is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tpserver.engine import costs
from tpserver.engine import dispatch as module
from tpserver.engine.admission import Admission
from tpserver.engine.costs import Costs, Kind, Run
from tpserver.engine.counters import Counters
from tpserver.engine.dispatch import Dispatch
from tpserver.engine.leadership import Leadership
from tpserver.engine.protocol import Request
from tpserver.engine.slow_log import SlowLog
from tpserver.engine.task import Place, Task, Tasks
from tpserver.system.clock import clock
from tpserver.system.thread_usage import ThreadUsage

LEADER = 77  # identity of the thread that leads
# Seconds that a request computes and waits, by its group.
GROUPS = {"quick": (1e-4, 0.0), "brief": (1e-4, 5e-3), "long": (1e-4, 1.0), "computing": (0.3, 0.0)}


class FakeConnection:
    """As much of a connection as dispatch looks at."""

    def __init__(self) -> None:
        self.detached = False
        self.aborted = False
        self.gone = False

    def client_gone(self) -> bool:
        return self.gone

    def abort(self) -> None:
        self.aborted = True


class Asked(Request):
    """A request that is known by its group."""

    __slots__ = ("closed", "group")

    def __init__(self, group: str, now: float, *, content_arriving: bool = False) -> None:
        super().__init__(content_arriving=content_arriving)
        self.group = group
        self.arrived = now
        self.closed = False

    @property
    def route(self) -> str:
        return self.group

    @property
    def route_group(self) -> str:
        return self.group

    def describe(self) -> str:
        return self.group

    def close(self) -> None:
        self.closed = True


class FakePool:
    """Keeps what it is given, until the test runs it."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[Any], object], Any]] = []
        self.backlog = 0
        self.error: RuntimeError | None = None
        self.replaced = 0

    def run(self, job: Callable[[Any], object], argument: Any) -> None:
        self.jobs.append((job, argument))
        if self.error is not None:
            raise self.error

    def start_replacements(self) -> None:
        self.replaced += 1

    def work(self) -> None:
        job, argument = self.jobs.pop(0)
        job(argument)


class Desk:
    """A dispatch between fakes, whose clock is moved by requests."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        threads: int = 2,
        queue: int = 2,
        *,
        in_place: bool = True,
        timeout: float = 0.0,
    ) -> None:
        self.now = 1000.0
        self.computed = 0.0
        monkeypatch.setattr(clock, "perf_counter", lambda: self.now)
        monkeypatch.setattr(module, "thread_usage", lambda: ThreadUsage(self.computed, -1))
        monkeypatch.setattr(clock, "process_time", lambda: self.computed)
        monkeypatch.setattr(costs, "_FIRST_TRIAL", 1e5)
        self.tasks = Tasks()
        self.costs = Costs(threads)
        self.admission = Admission(self.tasks, self.costs, threads, queue, in_place=in_place, one_computes=True)
        self.leadership = Leadership()
        self.pool = FakePool()
        self.answered: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.returned: list[Any] = []
        self.woken = 0
        self.recovered = 0
        self.at_work: set[tuple[int, int]] = {(LEADER, 1)}
        self.ended = Counters()
        self.while_answering: Callable[[], object] = lambda: None
        pool: Any = self.pool
        self.dispatch = Dispatch(
            self.tasks,
            self.costs,
            self.admission,
            self.leadership,
            pool,
            SlowLog(self.tasks, 0.0),
            answer=self._answer,
            refuse=self._refuse,
            give_back=self.returned.append,
            wake_leader=self._wake,
            recover=self._recover,
            is_at_work=lambda thread, term: (thread, term) in self.at_work,
            ended=self.ended,
            queue_timeout=timeout,
        )
        self.leadership.take(self.leadership.appoint(), LEADER)
        for group, (computes, waits) in GROUPS.items():
            for _ in range(20):
                self.costs.learn(Asked(group, 0.0), Run(computes + waits, computes, computes), self.now)

    def _answer(self, request: Any, connection: Any) -> None:
        self.answered.append(request.group)
        computes, waits = GROUPS.get(request.group, (0.0, 0.0))
        self.now += computes + waits
        self.computed += computes
        self.while_answering()

    def _refuse(self, request: Any, connection: Any, cause: str) -> None:
        self.refused.append((request.group, cause))

    def _wake(self) -> None:
        self.woken += 1

    def _recover(self) -> None:
        self.recovered += 1

    def come(self, group: str, **more: bool) -> FakeConnection:
        """A request is received; its connection."""
        connection: Any = FakeConnection()
        request = Asked(group, self.now, **more)
        request.connection = connection
        self.leadership.attention_id += 1
        self.leadership.current = connection
        self.dispatch.place(request, connection, self.now)
        self.leadership.finish(self.leadership.term)
        return connection  # type: ignore[no-any-return]

    def relieve(self) -> None:
        """The leader is relieved of what it is at."""
        assert self.leadership.relieve(self.leadership.attention_id, self.dispatch.hand_on)

    def begun(self, place: Place) -> list[Task]:
        return [task for task in self.tasks.begun() if task.place is place]


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
    assert (desk.answered, connection.detached, desk.admission.running) == ([], True, 1)
    desk.pool.work()
    assert (desk.answered, desk.returned) == ([group], [connection])
    assert (desk.admission.running, desk.dispatch.pooled) == (0, 1)
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


def test_one_too_many_is_refused_and_its_connection_given_back(desk: Desk) -> None:
    connections = [desk.come("long") for _ in range(5)]
    assert desk.refused == [("long", "queue full")]
    assert desk.returned == [connections[4]]
    assert (desk.admission.running, desk.admission.waiting) == (2, 2)


def test_a_thread_of_the_pool_goes_on_with_what_waits(desk: Desk) -> None:
    for _ in range(4):
        desk.come("long")
    desk.pool.work()
    assert (desk.answered, desk.admission.running, desk.admission.waiting) == (["long"] * 3, 1, 0)


def test_quick_ones_that_wait_are_run_by_the_leader_which_is_woken(desk: Desk) -> None:
    """And by no thread of the pool."""
    for _ in range(2):
        desk.come("long")
    desk.while_answering = desk.relieve
    desk.come("unknown")
    desk.while_answering = lambda: None
    waiting: Any = desk.come("quick")
    assert (desk.admission.running, desk.admission.waiting, desk.dispatch.has_for_leader()) == (3, 1, False)
    desk.pool.work()
    assert "quick" not in desk.answered
    assert (desk.woken, desk.dispatch.has_for_leader()) == (1, True)
    task = desk.dispatch.next_in_place(desk.now)
    assert task is not None
    assert task.connection is waiting
    desk.leadership.current = waiting
    desk.dispatch.run_queued(task, desk.now)
    assert desk.answered[-1] == "quick"
    assert desk.dispatch.next_in_place(desk.now) is None


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


# -- what waits


def wait_in_queue(desk: Desk) -> Any:
    """One waits behind as many as there are threads; its connection."""
    for _ in range(2):
        desk.come("long")
    return desk.come("long")


def test_a_client_that_has_left_is_not_answered(desk: Desk) -> None:
    connection = wait_in_queue(desk)
    (task,) = desk.tasks.queued()
    connection.gone = True
    desk.now += module.LEFT_AFTER / 2
    desk.dispatch.end_waiting()
    assert desk.returned == []  # it is not asked so soon
    desk.now += module.LEFT_AFTER
    desk.dispatch.end_waiting()
    assert (desk.returned, connection.aborted, desk.ended.counts()) == ([connection], True, {"client gone": 1})
    assert task.request is not None
    assert task.request.closed  # type: ignore[attr-defined]
    assert desk.admission.waiting == 0


def test_a_client_that_has_left_is_noticed_when_its_turn_comes(desk: Desk) -> None:
    wait_in_queue(desk).gone = True
    desk.now += 1.0
    desk.pool.work()
    assert desk.answered == ["long"]
    assert desk.dispatch.pooled == 1
    assert desk.admission.mean == pytest.approx(2.0, abs=0.01)  # what never ran teaches nothing
    assert desk.ended.counts() == {"client gone": 1}


def test_what_has_waited_for_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, timeout=5.0)
    connection = wait_in_queue(desk)
    desk.now += 4.9
    desk.dispatch.end_waiting()
    assert desk.refused == []
    desk.now += 0.2
    desk.dispatch.end_waiting()
    assert (desk.refused, desk.returned) == ([("long", "queue timeout")], [connection])


def test_what_may_run_although_no_request_has_ended_is_started_by_the_watcher(desk: Desk) -> None:
    desk.come("computing")
    desk.come("computing")
    desk.dispatch.promote_waiting()
    assert len(desk.pool.jobs) == 1
    desk.now += 1.0
    desk.dispatch.promote_waiting()
    assert len(desk.pool.jobs) == 2


def test_that_no_thread_can_be_started_is_said_once(desk: Desk, log: pytest.LogCaptureFixture) -> None:
    desk.pool.error = RuntimeError("can't start new thread")
    for _ in range(2):
        desk.come("long")
    assert [record.levelno for record in log.records] == [logging.ERROR]
    assert len(desk.pool.jobs) == 2  # the pool has them all the same


def test_when_the_server_stops_what_waits_is_dropped(desk: Desk) -> None:
    connection = wait_in_queue(desk)
    desk.dispatch.clear()
    assert (desk.admission.waiting, connection.aborted, desk.returned) == (0, True, [connection])


# -- relieved leaders


def test_a_relieved_request_takes_a_place_until_it_ends(desk: Desk) -> None:
    seen: list[int] = []

    def relieved() -> None:
        desk.relieve()
        seen.append(desk.admission.running)

    desk.while_answering = relieved
    connection = desk.come("unknown")
    assert (seen, connection.detached) == ([1], True)
    (task,) = desk.begun(Place.RELIEVED)
    assert (task.thread, task.term, task.kind) == (LEADER, 1, Kind.LONG)
    assert desk.costs.kind(Asked("unknown", desk.now), desk.now) is Kind.LONG


def test_a_relieved_leader_ends_its_own_task_and_starts_what_waits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.come("long")
    desk.while_answering = desk.relieve
    desk.come("unknown")
    desk.while_answering = lambda: None
    desk.come("long")
    assert (desk.admission.running, desk.admission.waiting, len(desk.pool.jobs)) == (2, 1, 1)
    monkeypatch.setattr(module, "get_ident", lambda: LEADER)
    desk.dispatch.end_relieved()
    assert (desk.begun(Place.RELIEVED), len(desk.pool.jobs)) == ([], 2)
    assert desk.costs.kind(Asked("unknown", desk.now), desk.now) is Kind.QUICK


def test_a_leader_that_is_relieved_of_a_file_takes_no_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    connection: Any = FakeConnection()
    desk.leadership.attention_id += 1
    desk.leadership.current = connection
    desk.relieve()
    assert (desk.admission.running, len(desk.tasks.detours)) == (0, 1)
    monkeypatch.setattr(module, "get_ident", lambda: LEADER)
    desk.dispatch.end_relieved()
    assert desk.tasks.everything() == []


# -- lost tasks: "over and not released"


def interrupt(desk: Desk, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool runs a task, and is interrupted."""

    def interrupted(*_: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    places: dict[str, tuple[object, str]] = {
        "answer": (desk.dispatch, "_answer"),
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
    assert desk.admission.running == 1
    desk.dispatch.abandon_lost()
    assert (desk.admission.running, connection.aborted) == (0, True)
    assert desk.returned[-1] is connection
    assert desk.admission.mean == 0.0  # it teaches nothing
    assert desk.recovered == 1  # the leader looks for what else was lost
    desk.dispatch.abandon_lost()
    assert desk.recovered == 1


def test_a_task_that_runs_is_not_given_up(desk: Desk) -> None:
    desk.come("long")
    (task,) = desk.tasks.begun()
    task.thread = 5
    desk.now += 1e6
    desk.dispatch.abandon_lost()
    assert desk.admission.running == 1


def test_a_task_on_its_way_to_a_thread_is_not_given_up(desk: Desk) -> None:
    desk.come("long")
    desk.now += module._UNCLAIMED / 2
    desk.dispatch.abandon_lost()
    desk.pool.backlog = 1
    desk.now += 1e6
    desk.dispatch.abandon_lost()
    assert (desk.admission.running, desk.pool.replaced) == (1, 2)


def test_a_task_that_no_thread_has_come_for_is_given_up(desk: Desk) -> None:
    """Its thread was interrupted as it took it from the queue of the pool."""
    connection = desk.come("long")
    desk.now += module._UNCLAIMED
    desk.dispatch.abandon_lost()
    assert (desk.admission.running, connection.aborted) == (0, True)


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
    desk.dispatch.abandon_lost()
    assert len(desk.tasks.everything()) == 1
    desk.at_work = {(LEADER, 2)}  # it leads again
    desk.dispatch.abandon_lost()
    assert (desk.tasks.everything(), desk.returned, connection.aborted) == ([], [connection], True)
    assert desk.costs.kind(Asked("unknown", desk.now), desk.now) is Kind.QUICK


def test_a_relief_that_was_not_completed_leaves_no_task(desk: Desk) -> None:
    connection: Any = FakeConnection()
    request = Asked("unknown", desk.now)
    request.connection = connection
    desk.dispatch.hand_on(connection, request, LEADER)
    desk.dispatch.abandon_lost()
    assert (desk.tasks.everything(), desk.returned, connection.aborted) == ([], [], False)
    assert desk.costs.kind(request, desk.now) is Kind.QUICK


def test_a_task_that_an_earlier_serve_forever_has_left_behind_goes_on(desk: Desk) -> None:
    """Its thread is none of this bench's."""
    desk.while_answering = desk.relieve
    desk.come("unknown")
    (task,) = desk.tasks.begun()
    task.term, desk.at_work = 0, set()
    desk.dispatch.abandon_lost()
    assert desk.tasks.begun() == [task]
