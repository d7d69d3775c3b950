"""Requests of known cost, one after the other, for tests of what `Costs` learns."""

from __future__ import annotations

from tpserver.engine.costs import Costs, Kind
from tpserver.engine.measuring import HAND_OVER, Run
from tpserver.transport.protocol import Request

IN_PLACE = (Kind.QUICK, Kind.TRIAL, Kind.LONG_TRIAL)
PATIENT = 2 * 1e-3  # seconds after which the watcher has relieved a leader


class Asked(Request):
    """As much of a request as `Costs` looks at. The group is what stands before the question mark."""

    __slots__ = ("group", "name")

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.group = name.partition("?")[0]

    @property
    def route(self) -> str:
        return self.name

    @property
    def route_group(self) -> str:
        return self.group


class Learning:
    """Costs, and requests that run one after the other by them, as the engine does it."""

    def __init__(self, threads: int = 8) -> None:
        self.costs = Costs(threads)
        self.now = 0.0

    def run(self, name: str, *, computes: float = 0.0, waits: float = 0.0, pause: float = 0.0) -> str:
        """One request; where it ran."""
        self.now += pause
        request = Asked(name)
        cost = self.costs.find(request)
        kind = self.costs.kind(request, cost, self.now)
        elapsed = computes + waits
        relieved_by = None
        measured = cost is not None and cost.elapsed >= HAND_OVER
        if kind not in IN_PLACE:
            measured = True
        elif elapsed >= max(PATIENT, cost.patience if cost is not None else 0.0):
            relieved_by = self.costs.record(request)
            relieved_by.relieved.add(request)
        self.now += elapsed
        if measured:
            self.costs.learn(request, None, Run(elapsed, computes, computes), self.now)
        elif elapsed >= HAND_OVER or cost is not None:
            self.costs.note_elapsed(request, cost, elapsed)
        if relieved_by is not None:
            relieved_by.relieved.discard(request)
        return "place" if kind in IN_PLACE else "pool"

    def places(self, name: str, count: int, **cost: float) -> list[str]:
        return [self.run(name, **cost) for _ in range(count)]

    def kind(self, name: str) -> Kind:
        return self.costs.kind(Asked(name), self.costs.find(Asked(name)), self.now)
