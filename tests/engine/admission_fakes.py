"""An admission for tests: requests that are known by their names, of a kind that the test says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tpserver.engine.admission import Admission, Admitted
from tpserver.engine.costs import Cost, Kind
from tpserver.engine.task import Place, Task, Tasks

NOW = 100.0


class Asked:
    """A request that is known by its name."""

    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        self.kind = kind
        self.arrived = NOW


class KnownCosts:
    """Says of each request what kind it is by now."""

    def __init__(self) -> None:
        self.cost = Cost()

    def find(self, request: Any) -> Cost:
        return self.cost

    record = find

    def kind(self, request: Any, cost: Cost, now: float) -> Kind:
        kind: Kind = request.kind
        return kind


class Office:
    """An admission, and what a test does with it."""

    def __init__(self, threads: int = 2, queue: int = 9, *, in_place: bool = True, one_computes: bool = True) -> None:
        self.tasks = Tasks()
        costs: Any = KnownCosts()
        self.admission = Admission(self.tasks, costs, threads, queue, in_place=in_place, one_computes=one_computes)

    def task(self, kind: Kind = Kind.BRIEF, name: str = "") -> Task:
        request: Any = Asked(name, kind)
        connection: Any = SimpleNamespace(lags=False)
        return Task(request, connection, kind, Place.QUEUED)

    def come(self, kind: Kind = Kind.BRIEF, name: str = "", now: float = NOW) -> Admitted:
        return self.admission.admit(self.task(kind, name), now)

    def run(self, kind: Kind = Kind.BRIEF, now: float = NOW) -> Task:
        """One more runs in the pool."""
        task = self.task(kind)
        assert self.admission.admit(task, now) is Admitted.STARTED
        return task

    def relieve(self) -> Task:
        """A leader is relieved of one more."""
        task = self.task(Kind.LONG)
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
