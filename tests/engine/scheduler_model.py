"""A deterministic model of a server under load: a clock, an interpreter lock, clients, and the engine's own rules.

Threads are generators that yield ("compute", seconds), ("wait", seconds) or ("until", condition). One computes at a
time; it gives the interpreter on after a switch interval if others want it, which costs everyone a little. The leader,
the pool and the watcher do what the engine's do, with the real `Costs` and `Admission`.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from tpserver.engine.admission import Admission, Admitted
from tpserver.engine.costs import SPAN, Costs, Kind
from tpserver.engine.measuring import HAND_OVER, Run
from tpserver.engine.task import Place, Task, Tasks
from tpserver.engine.watcher import TICK
from tpserver.transport.protocol import Request

# Seconds of the interpreter that a forced switch costs, and a hand-over to the pool.
SWITCH = 30e-6
HANDING_OVER = 60e-6
PROMOTION = 300e-6
RECEIVE = 30e-6  # that the leader takes for a request, beside running it
INTERVAL = 100e-6  # the switch interval while one or two requests run
CLIENT = 50e-6  # from an answer to the next request
ROUND = 20e-3  # between two rounds of the watcher
ALERT = 0.5  # for which it looks four times as often, after it has relieved a leader

Steps = Generator[tuple[str, Any], None, None]
# What a request does: ("compute", seconds) and ("wait", seconds), decided when it begins.
Work = Callable[[float], Iterable[tuple[str, Any]]]


class ModelRequest(Request):
    """A request of the model. `number`: which one of its client, where each has an address of its own."""

    __slots__ = ("begun", "client", "group", "number", "work")

    def __init__(self, client: int, group: str, work: Work, number: int | None = None) -> None:
        super().__init__()
        self.client = client
        self.group = group
        self.work = work
        self.number = number

    @property
    def route(self) -> str:
        return self.group if self.number is None else f"{self.group}?{self.client}.{self.number}"

    @property
    def route_group(self) -> str:
        return self.group


@dataclass
class Thread:
    """One thread, and what it has computed so far."""

    steps: Steps
    computed: float = 0.0
    relieved: Task | None = None


class Machine:
    """The clock and the interpreter. `run` lets time pass until `end`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.computed = 0.0  # by all threads
        self.interval = INTERVAL
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._runnable: deque[tuple[Thread, float]] = deque()
        self._waiting: list[tuple[Thread, Callable[[], bool]]] = []
        self._taken = False

    def at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), action))

    def start(self, thread: Thread) -> None:
        self._step(thread)

    def run(self, end: float) -> None:
        while self._events and self._events[0][0] <= end:
            self.now, _, action = heapq.heappop(self._events)
            action()
            ready = [thread for thread, condition in self._waiting if condition()]
            if ready:
                self._waiting = [item for item in self._waiting if item[0] not in ready]
                for thread in ready:
                    self._step(thread)
        self.now = end

    def _step(self, thread: Thread) -> None:
        self._take_step(thread, next(thread.steps, None))

    def _take_step(self, thread: Thread, step: tuple[str, Any] | None) -> None:
        if step is None:
            return
        what, argument = step
        if what == "compute":
            self._runnable.append((thread, argument))
            self._give()
        elif what == "wait":
            self.at(self.now + argument, lambda: self._step(thread))
        elif argument():
            self.at(self.now, lambda: self._step(thread))
        else:
            self._waiting.append((thread, argument))

    def _give(self) -> None:
        if not self._taken and self._runnable:
            self._taken = True
            thread, left = self._runnable.popleft()
            self._compute(thread, left, self.interval)

    def _compute(self, thread: Thread, left: float, may: float) -> None:
        """`thread` computes `left` seconds, or as long as it `may`; a next step that computes follows at once."""
        slice_ = min(left, may)

        def done() -> None:
            thread.computed += slice_
            self.computed += slice_
            still, rest = left - slice_, may - slice_
            if still <= 1e-12:
                step = next(thread.steps, None)
                if step is not None and step[0] == "compute":
                    still = step[1]
                else:
                    self._taken = False
                    self._take_step(thread, step)
                    self._give()
                    return
            if rest > 1e-12:
                self._compute(thread, still, rest)
            elif self._runnable:  # others want it
                thread.computed += SWITCH
                self.computed += SWITCH
                self._runnable.append((thread, still))
                self._taken = False
                self.at(self.now + SWITCH, self._give)
            else:
                self._compute(thread, still, self.interval)

        self.at(self.now + slice_, done)


class OldAdmission(Admission):
    """The rule that made two stable states: quick requests that wait are taken by the threads of the pool."""

    def place_for_leader(self, kind: Kind = Kind.QUICK, now: float = 0.0) -> bool:
        return kind is Kind.QUICK and self.in_place and len(self.tasks.running) < self.threads

    def _is_for_leader(self, kind: Kind) -> bool:
        return False

    def _kind(self, task: Task, now: float) -> Kind:
        kind = super()._kind(task, now)
        task.kind = Kind.QUICK if kind.is_trial else kind
        return task.kind

    def _may_start(self, kind: Kind, now: float) -> bool:
        return len(self.tasks.running) < self.threads


@dataclass
class Second:
    """What happened in one second: answers by route, and where they were made."""

    answered: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)


class ModelServer:
    """The engine on the machine, asked by clients that wait for each answer."""

    def __init__(self, admission: type[Admission] = Admission, threads: int = 8, *, in_place: bool = True) -> None:
        self.machine = Machine()
        self.tasks = Tasks()
        self.costs = Costs(threads)
        self.admission = admission(self.tasks, self.costs, threads, 1024, in_place=in_place, one_computes=True)
        self.seconds: list[Second] = []
        self.waited: dict[str, list[float]] = {}  # seconds from request to answer, by route
        self._inbox: deque[ModelRequest] = deque()
        self._jobs: deque[Task] = deque()
        self._current: tuple[ModelRequest, Thread, float, float] | None = None
        self._seen: object = None  # what the leader was at, at the last look
        self._alert_until = self._next_round = 0.0
        self._woken = False  # the leader looks at what waits for it
        self._chance = 0
        for _ in range(threads):
            self._start(self._pool_thread)
        self._lead()
        self.machine.at(TICK, self._watch)

    def ask(self, clients: int, group: str, work: Work, *, once: bool = False) -> None:
        """So many clients ask for `group` from now on, each as soon as it has its answer. `once`: for each address."""
        for client in range(clients):
            request = ModelRequest(client, group, work, 0 if once else None)
            self.machine.at(self.machine.now + client * 1e-6, lambda request=request: self._send(request))

    def run(self, seconds: int) -> list[Second]:
        """Lets so many seconds pass; what happened in each."""
        before = len(self.seconds)
        for _ in range(seconds):
            self.seconds.append(Second())
            self.machine.run(self.machine.now + 1.0)
        return self.seconds[before:]

    # -- clients

    def _send(self, request: ModelRequest) -> None:
        request.arrived = self.machine.now
        self._inbox.append(request)

    def _answered(self, request: ModelRequest, place: str) -> None:
        if self.seconds:
            self.seconds[-1].answered[request.group] += 1
            self.seconds[-1].places[place] += 1
            self.waited.setdefault(request.group, []).append(self.machine.now - request.arrived)
        number = None if request.number is None else request.number + 1
        following = ModelRequest(request.client, request.group, request.work, number)
        self.machine.at(self.machine.now + CLIENT, lambda: self._send(following))

    # -- the threads of the engine

    def _start(self, steps: Callable[[Thread], Steps]) -> None:
        thread = Thread(iter(()))  # type: ignore[arg-type]
        thread.steps = steps(thread)
        self.machine.at(self.machine.now, lambda: self.machine.start(thread))

    def _lead(self) -> None:
        self._start(self._leader_thread)

    def _promoted(self, thread: Thread) -> Steps:
        yield "compute", PROMOTION
        yield from self._leader_thread(thread)

    def _leader_thread(self, thread: Thread) -> Steps:
        was_received = False
        while True:
            # Each turn: what was received, and then one that waits.
            waiting = self.admission.next_for_leader(self.machine.now) if was_received or not self._inbox else None
            was_received = False
            if waiting is not None:
                request: ModelRequest = waiting.request  # type: ignore[assignment]
            elif self._inbox:
                was_received = True
                yield "compute", RECEIVE
                if not self._inbox:
                    continue
                request = self._inbox.popleft()
                now = self.machine.now
                kind = self.costs.kind(request, self.costs.find(request), now)
                if not self.admission.place_for_leader(kind, now):
                    yield "compute", HANDING_OVER / 2
                    connection: Any = SimpleNamespace(lags=False)
                    task = Task(request, connection, kind, Place.QUEUED)
                    if self.admission.admit(task, now) is Admitted.STARTED:
                        self._jobs.append(task)
                    continue
            else:
                yield "until", lambda: self._inbox or self._woken
                self._woken = False
                continue
            begun, computed, by_all = self.machine.now, thread.computed, self.machine.computed
            cost = self.costs.find(request)
            self._current = (request, thread, begun, begun + (cost.patience if cost is not None else 0.0))
            kind = self.costs.kind(request, cost, begun)
            self.admission.on_trial = kind.is_trial
            yield from request.work(begun)
            elapsed = self.machine.now - begun
            if kind.is_trial or self._is_measured(request):
                self._learn(request, thread, begun, computed, by_all, at_once=1 + len(self.tasks.running))
            elif cost is not None:
                self.costs.note_elapsed(request, cost, elapsed)
            relieved, thread.relieved = thread.relieved, None
            if relieved is not None:
                self.admission.release(relieved, self.machine.now)
                self._answered(request, "relieved")
                following = self._next()
                if following is not None:
                    self._jobs.append(following)
                return
            self._current = None
            self.admission.on_trial = False
            assert elapsed >= 0
            self._answered(request, "in place")

    def _pool_thread(self, thread: Thread) -> Steps:
        task: Task | None = None
        while True:
            if task is None:
                yield "until", lambda: self._jobs
                if not self._jobs:
                    continue
                task = self._jobs.popleft()
                yield "compute", HANDING_OVER / 2
            request: ModelRequest = task.request  # type: ignore[assignment]
            begun, computed, by_all = self.machine.now, thread.computed, self.machine.computed
            at_once = len(self.tasks.running)
            yield from request.work(begun)
            if self._is_measured(request):
                self._learn(request, thread, begun, computed, by_all, max(at_once, len(self.tasks.running)))
            self.admission.release(task, self.machine.now)
            self._answered(request, "pool")
            task = self._next()

    def _next(self) -> Task | None:
        following = self.admission.next_for_pool(self.machine.now)
        self._woken = self._woken or bool(self.tasks.for_leader)
        return following

    def _is_measured(self, request: ModelRequest) -> bool:
        """Of routes that are well known one run in eight, by chance."""
        cost = self.costs.find(request)
        self._chance = (self._chance * 25173 + 13849) % 65536
        return cost is None or cost.runs < SPAN or self._chance < 65536 // 8

    def _learn(
        self, request: ModelRequest, thread: Thread, begun: float, computed: float, by_all: float, at_once: int
    ) -> None:
        elapsed = self.machine.now - begun
        cost = self.costs.find(request)
        if elapsed >= HAND_OVER or (cost is not None and cost.elapsed >= HAND_OVER):
            run = Run(elapsed, thread.computed - computed, self.machine.computed - by_all, at_once)
            self.costs.learn(request, cost, run, self.machine.now)

    def _watch(self) -> None:
        now = self.machine.now
        if self._current is not None and self._current is self._seen and now >= self._current[3]:
            self._relieve()
            self._alert_until = now + ALERT
        self._seen = self._current
        if now >= self._next_round:
            self._next_round = now + ROUND
            computing = sum(not task.mostly_waits for task in self.tasks.running)
            self.machine.interval = INTERVAL * max(1.0, (computing / 2) ** 2)
            following = self._next()
            if following is not None:
                self._jobs.append(following)
        self.machine.at(now + (TICK if now < self._alert_until else 4 * TICK), self._watch)

    def _relieve(self) -> None:
        assert self._current is not None
        request, thread, begun, _ = self._current
        relieved: Any = SimpleNamespace(lags=False)
        task = Task(request, relieved, Kind.LONG, Place.RELIEVED)
        task.begun = begun
        self.admission.begin_relieved(task)
        thread.relieved = task
        self._current = None
        self._start(self._promoted)
