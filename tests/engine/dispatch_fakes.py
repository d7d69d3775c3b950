"""A dispatch between fakes, for tests of where requests go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tpserver.engine import costs
from tpserver.engine import measuring as module
from tpserver.engine.admission import Admission
from tpserver.engine.costs import Costs, Kind
from tpserver.engine.dispatch import Dispatch
from tpserver.engine.leadership import Leadership
from tpserver.engine.lost_tasks import LostTasks
from tpserver.engine.measuring import Run
from tpserver.engine.slow_log import SlowLog
from tpserver.engine.task import Place, Task, Tasks
from tpserver.engine.waiting import Waiting
from tpserver.system.clock import clock
from tpserver.system.thread_usage import ThreadUsage
from tpserver.transport.polling import ClientSide
from tpserver.transport.protocol import Request

LEADER = 77  # identity of the thread that leads
# Seconds that a request computes and waits, by its group.
GROUPS = {"quick": (1e-4, 0.0), "brief": (1e-4, 5e-3), "long": (1e-4, 1.0), "computing": (0.3, 0.0)}


class FakeConnection:
    """As much of a connection as dispatch looks at."""

    outbox = None
    held = False
    lags = False

    def __init__(self) -> None:
        self.detached = False
        self.aborted = False
        self.side = ClientSide.OPEN

    def flush(self, send: object) -> None:
        pass

    def client_side(self) -> ClientSide:
        return self.side

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

    def run(self, job: Callable[[Any], object], argument: Any) -> None:
        self.jobs.append((job, argument))

    def start_replacements(self) -> None:
        """There are enough threads."""

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
        self.at_work: set[tuple[int, int]] = {(LEADER, 1)}
        self.ended: Counter[str] = Counter()
        self.left: list[str] = []
        self.while_answering: Callable[[], object] = lambda: None
        pool: Any = self.pool
        connections: Any = SimpleNamespace(give_back=self.returned.append, mailbox=SimpleNamespace(wake=self._wake))
        self.dispatch = Dispatch(
            tasks=self.tasks,
            costs=self.costs,
            admission=self.admission,
            leadership=self.leadership,
            pool=pool,
            slow_log=SlowLog(self.tasks, 0.0),
            answer=self._answer,
            refuse=self._refuse,
            place_name=lambda connection: "",
            note_answer=lambda place: None,
            connections=connections,
        )
        leave: Any = lambda request: self.left.append(request.route)  # noqa: E731
        self.waiting = Waiting(self.tasks, self.dispatch, self._refuse, leave, self.ended, timeout)
        self.lost_tasks = LostTasks(
            self.tasks, self.leadership, pool, self.dispatch, lambda thread, term: (thread, term) in self.at_work
        )
        self.leadership.take(self.leadership.appoint(), LEADER)
        for group, (computes, waits) in GROUPS.items():
            for _ in range(20):
                self.costs.learn(Asked(group, 0.0), None, Run(computes + waits, computes, computes), self.now)

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

    def kind(self, group: str) -> Kind:
        request = Asked(group, self.now)
        return self.costs.kind(request, self.costs.find(request), self.now)

    def begun(self, place: Place) -> list[Task]:
        return [task for task in self.tasks.begun() if task.place is place]
