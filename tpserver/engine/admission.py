"""How many requests of the application run at once, and which one is next.

`threads` run and `queue` wait; one more is refused. The leader runs quick requests in place, one at a time; while it
does there may be one more than `threads`. So quick requests never wait for slow ones, and threads of the pool never
take quick ones: whatever has filled the queue, the leader works it off at the price of no hand-over.

Long requests leave a thread to brief ones. Computing ones run one at a time: more would only take the interpreter from
each other.
"""

from __future__ import annotations

from enum import Enum
from math import ceil
from typing import Final

from tpserver.engine.costs import QUICK, Costs, Kind
from tpserver.engine.lagging import occupied, occupied_for_quick
from tpserver.engine.task import Place, Task, Tasks

# Seconds for which a thread is kept from long requests after a brief one: these may be rare, and find one free.
_KEPT_FOR: Final = 60.0
# Seconds after which a computing request does not keep others of its kind waiting: a report does not hold up pages.
_ALONE: Final = 0.5
# What leaves a thread to brief ones.
_LONG: Final = (Kind.LONG, Kind.COMPUTING, Kind.LONG_TRIAL)


class Admitted(Enum):
    """What has become of a task."""

    STARTED = "started"
    QUEUED = "queued"
    REFUSED = "refused"


class Admission:
    """The rules on one server's registry. Any thread may call. Times are of perf_counter, in seconds."""

    def __init__(
        self, tasks: Tasks, costs: Costs, threads: int, queue: int, *, in_place: bool, one_computes: bool
    ) -> None:
        self.tasks = tasks
        self.costs = costs
        self.threads = threads
        self.queue = queue
        self.stream_threads = 0  # so many that wait for their clients give their places to others; set by the server
        self.in_place = in_place  # whether the leader runs quick requests
        self.one_computes = one_computes  # threads share one interpreter lock
        self.on_trial = False  # the leader runs a trial, which takes a thread's place; set by it, and by the watcher
        self.mean = 0.0  # seconds that a request occupies a thread; a running mean
        self._brief_at = -_KEPT_FOR  # when the last brief request came

    @property
    def retry_after(self) -> int:
        """Seconds, up to a minute, until there should be room: what the queue takes if as many run at once as now."""
        return min(max(ceil(self.tasks.waiting * self.mean / max(len(self.tasks.running), 1)), 1), 60)

    def place_for_leader(self, kind: Kind = QUICK, now: float = 0.0) -> bool:
        """The leader: whether it may run one of `kind` in place. Only it adds to what runs so, so it needs no lock.

        A trial may be relieved, so it takes one of the `threads`: quick requests do not wait for it.
        """
        if kind is QUICK:
            running = self.tasks.running
            return self.in_place and (len(running) <= self.threads or occupied_for_quick(running) <= self.threads)
        return self.in_place and kind.is_trial and self._has_room(kind, now)

    def admit(self, task: Task, now: float) -> Admitted:
        """The leader: a new task. Unless it is refused its connection is detached: it is not the caller's any more."""
        tasks = self.tasks
        with tasks.lock:
            if task.kind is Kind.BRIEF or (task.kind is QUICK and not self.in_place):
                self._brief_at = now
            starts = self._may_start(task.kind, now)
            if not starts and tasks.waiting + self._occupied >= self.queue + self.threads:
                return Admitted.REFUSED
            task.connection.detached = True  # before it is in the registry: what is there is not the leader's
            if starts:
                self._start(task, now)
                return Admitted.STARTED
            task.place = Place.QUEUED
            (tasks.for_leader if self._is_for_leader(task.kind) else tasks.for_pool).append(task)
            return Admitted.QUEUED

    def begin_relieved(self, task: Task) -> None:
        """The watcher: a leader was relieved of `task`, which occupies a thread from now on."""
        if task.request is not None:
            task.cost = self.costs.record(task.request)
            task.cost.relieved.add(task.request)
        with self.tasks.lock:
            self.tasks.running[task] = None
            self.on_trial = False

    def release(self, task: Task, now: float, *, ran: bool = True) -> bool:
        """Who has `task`: it occupies no thread any more. False where another one has released it already."""
        tasks = self.tasks
        if task.place is Place.RELIEVED and task.cost is not None and task.request is not None:
            task.cost.relieved.discard(task.request)
        with tasks.lock:
            if task not in tasks.running:
                return False
            del tasks.running[task]
            if ran:
                elapsed = now - task.begun
                self.mean += (elapsed - self.mean) / 8 if self.mean else elapsed
            return True

    def next_for_pool(self, now: float) -> Task | None:
        """A thread of the pool, or the watcher: the first that may run, which has started then."""
        tasks = self.tasks
        if not tasks.for_pool:
            return None
        with tasks.lock:
            for task in list(tasks.for_pool):
                kind = self._kind(task, now)
                on_trial = self.in_place and kind.is_trial and self._has_room(kind, now)
                if on_trial or self._is_for_leader(kind):  # it has turned out to be quick, perhaps
                    tasks.for_pool.remove(task)
                    tasks.for_leader.append(task)
                    if on_trial:  # this place is for it; the others of its route wait for the verdict
                        break
                elif self._may_start(kind, now):
                    tasks.for_pool.remove(task)
                    self._start(task, now)
                    return task
                elif self._occupied >= self.threads:
                    break
            return None

    def next_for_leader(self, now: float) -> Task | None:
        """The leader: the first quick one that waits, to be run in place; it is the caller's."""
        tasks = self.tasks
        with tasks.lock:
            while tasks.for_leader and self.place_for_leader():
                task = tasks.for_leader.popleft()
                if self.place_for_leader(self._kind(task, now), now):
                    return task
                tasks.for_pool.appendleft(task)  # it has turned out to be slow
            return None

    def _kind(self, task: Task, now: float) -> Kind:
        if task.request is not None:
            task.cost = self.costs.find(task.request)
            task.kind = self.costs.kind(task.request, task.cost, now)
        return task.kind

    def _is_for_leader(self, kind: Kind) -> bool:
        return self.in_place and kind is QUICK

    def _start(self, task: Task, now: float) -> None:
        task.place = Place.POOL
        task.begun = now
        self.tasks.running[task] = None

    def _may_start(self, kind: Kind, now: float) -> bool:
        """Whether one more of `kind` may run in the pool. Under the lock."""
        if self.in_place and (kind is QUICK or kind.is_trial):
            return False
        if not self._has_room(kind, now):
            return False
        if kind is not Kind.COMPUTING or not self.one_computes:
            return True
        return not any(one.kind is Kind.COMPUTING and now - one.begun < _ALONE for one in self.tasks.running)

    @property
    def _occupied(self) -> int:
        """How many of the `threads` are taken."""
        running = self.tasks.running
        return len(running) if len(running) < self.threads else occupied(running, self.stream_threads)

    def _has_room(self, kind: Kind, now: float) -> bool:
        """Whether a thread is left for one of `kind`. Needs no lock where a moment's answer will do."""
        if self._occupied + self.on_trial >= self.threads:
            return False
        if kind in _LONG and self.threads > 1 and now - self._brief_at < _KEPT_FOR:
            # Only long ones count: else brief ones that come all the time would keep them waiting for good.
            long = [one for one in list(self.tasks.running) if one.kind in _LONG]
            return occupied(long, self.stream_threads) + self.on_trial < self.threads - 1
        return True
