"""Where a request runs: in place, in the pool, in a queue for either, or nowhere (503); and what that teaches."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Final, cast

from tpserver.engine.admission import Admission, Admitted
from tpserver.engine.connection import Connection
from tpserver.engine.costs import Cost, Costs, Kind
from tpserver.engine.counters import Counters
from tpserver.engine.leadership import Leadership
from tpserver.engine.measuring import HAND_OVER, Meter
from tpserver.engine.pool import Pool
from tpserver.engine.protocol import Request
from tpserver.engine.slow_log import SlowLog
from tpserver.engine.task import Place, Task, Tasks
from tpserver.logs.log import Log
from tpserver.system.clock import clock

_log = Log("tpserver")

# Of a route of which enough runs are known, one run in so many is measured.
_SAMPLED: Final = 8
# Seconds in a queue after which a client that has closed its side is taken to have left. One that only has nothing
# more to send looks the same, and gets its answer where nothing is amiss.
LEFT_AFTER: Final = 0.1


class Dispatch:
    """One server's. Each method says which thread calls it."""

    def __init__(
        self,
        tasks: Tasks,
        costs: Costs,
        admission: Admission,
        leadership: Leadership,
        pool: Pool,
        slow_log: SlowLog,
        *,
        answer: Callable[[Request, Connection], None],
        refuse: Callable[[Request, Connection, str], None],
        give_back: Callable[[Connection], None],
        wake_leader: Callable[[], None],
        ended: Counters,
        queue_timeout: float,
    ) -> None:
        """`answer` runs a request in the calling thread and raises nothing; `refuse` writes 503, for a cause.

        `give_back` hands a connection to the leader. `queue_timeout`: seconds, 0 is no limit.
        """
        self._tasks = tasks
        self._costs = costs
        self._admission = admission
        self._leadership = leadership
        self._pool = pool
        self._slow_log = slow_log
        self._answer = answer
        self._refuse = refuse
        self._give_back = give_back
        self._wake_leader = wake_leader
        self._ended = ended
        self._queue_timeout = queue_timeout
        self._runs = 0  # for `_is_measured`
        self.pooled = 0  # requests that the pool has run; two threads that overlap may lose one
        self.took_long = False  # the last one in place did: no response waits for the next to be sent with it
        self._cannot_start = False  # a thread could not be started, which has been logged

    # -- the leader

    def place(self, request: Request, connection: Connection, now: float) -> bool:
        """The leader: a new request of the application. True: it has run here. False: it is not the leader's any more.

        `now` of perf_counter.
        """
        costs, leadership = self._costs, self._leadership
        cost = costs.find(request) if costs.groups else None
        kind = Kind.QUICK if cost is None and not request.content_arriving else costs.kind(request, cost, now)
        # A leader that was relieved while it received the request runs nothing: it has no place.
        if self._admission.place_for_leader(kind, now) and leadership.current is connection:
            self._run_in_place(request, connection, cost, kind, now)
            return True
        task = Task(request, connection, kind, Place.QUEUED)
        connection.detached = True  # before it is in the registry: what is there is not the leader's
        admitted = self._admission.admit(task, now)
        if admitted is Admitted.STARTED:
            self.start(task)
        elif admitted is Admitted.REFUSED:
            self._refuse(request, connection, "queue full")
            self._give_back(connection)
        return False

    def has_for_leader(self) -> bool:
        """The leader: whether a quick request waits that it may run."""
        return bool(self._tasks.for_leader) and self._admission.place_for_leader()

    def next_in_place(self, now: float) -> Task | None:
        """The leader: a quick request that has waited, and is its own now."""
        while (task := self._admission.next_for_leader(now)) is not None:
            if self._still_wanted(task, now):
                return task
            self._give_back(task.connection)
        return None

    def run_queued(self, task: Task, now: float) -> None:
        """The leader, which attends to the connection of `task`: runs it in place."""
        request = cast(Request, task.request)
        self._run_in_place(request, task.connection, self._costs.find(request), task.kind, now)

    def _run_in_place(
        self, request: Request, connection: Connection, cost: Cost | None, kind: Kind, now: float
    ) -> None:
        leadership = self._leadership
        meter = None
        if cost is not None:
            self._admission.on_trial = kind.is_trial
            leadership.patient_until = now + cost.patience
            if cost.elapsed >= HAND_OVER and self._is_measured(cost):
                meter = Meter(self._tasks.running)
        leadership.request = request
        self._answer(request, connection)
        elapsed = clock.perf_counter() - now
        if elapsed >= HAND_OVER or cost is not None:
            if leadership.current is connection:
                self._admission.on_trial = False
            self.took_long = elapsed >= HAND_OVER
            if meter is None:
                self._costs.note_elapsed(request, cost, elapsed)
            else:
                self._costs.learn(request, meter.end(is_counted=False), now + elapsed)

    # -- threads of the pool

    def work(self, task: Task) -> None:
        """A thread of the pool: `task`, and then what waits for a thread."""
        following: Task | None = task
        while following is not None:
            following = self._work_on(following)

    def _work_on(self, task: Task) -> Task | None:
        try:
            task.thread = get_ident()
            wanted = self._still_wanted(task, task.begun)
            if wanted:
                self._run_in_pool(task)
            self._give_back(task.connection)
            now = clock.perf_counter()
            self.release(task, now, ran=wanted)
            return self._admission.next_for_pool(now)
        finally:
            task.over = True  # what is not released by now was lost: an exception came from outside

    def _run_in_pool(self, task: Task) -> None:
        request = cast(Request, task.request)
        self.pooled += 1
        cost = self._costs.find(request)
        meter = Meter(self._tasks.running) if cost is None or self._is_measured(cost) else None
        self._answer(request, task.connection)
        if meter is not None:
            self._costs.learn(request, meter.end(is_counted=True), clock.perf_counter())

    def _is_measured(self, cost: Cost) -> bool:
        """Whether the next run is: each, until enough are known. Two threads that overlap may lose one."""
        self._runs += 1
        return not cost.is_known or self._runs % _SAMPLED == 0

    # -- any thread that has a task

    def end_relieved(self) -> None:
        """A leader that was relieved and has given its connection back: its task has ended."""
        for task in self._tasks.begun():
            if task.thread == get_ident() and task.place is Place.RELIEVED:
                try:
                    self.release(task, clock.perf_counter())
                finally:
                    task.over = True
        following = self._admission.next_for_pool(clock.perf_counter())
        if following is not None:
            self.start(following)

    def release(self, task: Task, now: float, *, ran: bool = True) -> bool:
        """The thread that has `task`, or the watcher: it has ended. False where another thread has said so already."""
        if task.logged:
            self._slow_log.tell_end(task, now)
        if not self._admission.release(task, now, ran=ran):
            return self._tasks.remove(task)
        if self._tasks.for_leader:
            self._wake_leader()
        return True

    def drop(self, task: Task) -> None:
        """The thread whose `task` it is: its request is not run, or its answer is lost; its connection closes."""
        task.connection.abort()
        if task.request is not None:
            task.request.close()
        self._give_back(task.connection)

    def _still_wanted(self, task: Task, now: float) -> bool:
        """Whether a task that has waited is to run; if not, its answer is dropped or says so. It is the caller's."""
        request, cause = cast(Request, task.request), self._unwanted(task, now)
        if cause == "client gone":
            self._ended.add(cause)
            task.connection.abort()
            request.close()
        elif cause:
            self._refuse(request, task.connection, cause)
        return not cause

    def _unwanted(self, task: Task, now: float) -> str:
        """Why a task that waits is not to run any more; "" if it is."""
        waited = now - cast(Request, task.request).arrived
        if waited >= LEFT_AFTER and task.connection.client_gone():
            return "client gone"
        return "queue timeout" if self._queue_timeout and waited >= self._queue_timeout else ""

    # -- the watcher

    def start(self, task: Task) -> None:
        """The watcher, and the thread that has admitted it: `task`, which has started, goes to a thread of the pool."""
        self._in_pool(lambda: self._pool.run(self.work, task))

    def _in_pool(self, action: Callable[[], None]) -> None:
        """Logs, once, that no thread can be started."""
        try:
            action()
            self._cannot_start = False
        except RuntimeError as error:
            if not self._cannot_start:
                _log.error("cannot start a thread (%s); going on with those that run", error)
            self._cannot_start = True

    def hand_on(self, connection: Connection, request: Request | None, thread: int) -> None:
        """The watcher, under the leadership's lock: the leader is relieved of what it is at, which becomes a task."""
        task = Task(request, connection, Kind.LONG, Place.RELIEVED)
        task.thread = thread
        task.term = self._leadership.term
        task.begun = clock.perf_counter() if request is None else request.arrived
        if request is None:  # it receives, or sends a file: from or to a slow disk
            self._tasks.add_detour(task)
        else:
            self._admission.begin_relieved(task)

    def promote_waiting(self) -> None:
        """The watcher: starts what waits although it may run by now, and threads for what has none."""
        now = clock.perf_counter()
        while (task := self._admission.next_for_pool(now)) is not None:
            self.start(task)
        if self._pool.backlog:
            self._in_pool(self._pool.start_replacements)
        if self.has_for_leader():
            self._wake_leader()

    def end_waiting(self) -> None:
        """The watcher: refuses what has waited for too long, and drops what no client waits for any more."""
        now = clock.perf_counter()
        for task in self._tasks.take_queued(lambda task: bool(self._unwanted(task, now))):
            self._still_wanted(task, now)
            self._give_back(task.connection)

    def clear(self) -> None:
        """The watcher, when the server stops: drops what waits, and forgets what still runs: it is left behind."""
        for task in self._tasks.take_queued(lambda _: True):
            self.drop(task)
        for task in self._tasks.begun():
            task.logged = False  # its end is not told: it is not known when that will be
            self.release(task, clock.perf_counter(), ran=False)
