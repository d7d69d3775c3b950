"""Where a request runs: in place, in the pool, in a queue for either, or nowhere (503); and what that teaches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import get_ident
from typing import Final, cast

from tpserver.engine.admission import Admission, Admitted
from tpserver.engine.connection import Connection
from tpserver.engine.costs import HAND_OVER, Cost, Costs, Kind, Run
from tpserver.engine.leadership import Leadership
from tpserver.engine.pool import Pool
from tpserver.engine.protocol import Request
from tpserver.engine.slow_log import SlowLog
from tpserver.engine.task import Place, Task, Tasks
from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.system.thread_usage import ThreadUsage, thread_usage

_log = Log("tpserver")

# Of a route of which enough runs are known, one run in so many is measured. Measured: it takes 20 000 instructions.
_SAMPLED: Final = 8
# Seconds in a queue after which a client that has closed its side is taken to have left. One that only has nothing
# more to send looks the same, and gets its answer where nothing is amiss.
LEFT_AFTER: Final = 0.1
# Seconds after which a task that no thread has come for is lost, if the pool has nothing left to do.
_UNCLAIMED: Final = 1.0


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
        recover: Callable[[], None],
        is_at_work: Callable[[int, int], bool],
        ended: Counter[str],
        queue_timeout: float,
    ) -> None:
        """`answer` runs a request in the calling thread and raises nothing; `refuse` writes 503, for a cause.

        `give_back` hands a connection to the leader; `recover` has the leader look for connections that were lost.
        `is_at_work`: whether a leader thread has not come back from its term. `queue_timeout`: seconds, 0 is no limit.
        """
        self._tasks = tasks
        self._costs = costs
        self._admission = admission
        self._leadership = leadership
        self._term_before = leadership.term  # tasks of earlier terms were left behind by an earlier serve_forever
        self._pool = pool
        self._slow_log = slow_log
        self._answer = answer
        self._refuse = refuse
        self._give_back = give_back
        self._wake_leader = wake_leader
        self._recover = recover
        self._is_at_work = is_at_work
        self._ended = ended
        self._queue_timeout = queue_timeout
        self._runs = 0  # for `_is_measured`
        self.pooled = 0  # requests that the pool has run; two threads that overlap may lose one
        self._interrupted = False  # a thread was, by an exception from outside; what it had may be lost
        self.took_long = False  # the last one in place did: no response waits for the next to be sent with it
        self._cannot_start = False  # a thread could not be started, which has been logged

    # -- the leader

    def place(self, request: Request, connection: Connection, now: float) -> bool:
        """The leader: a new request of the application. True: it has run here. False: it is not the leader's any more.

        `now` of perf_counter.
        """
        costs, leadership = self._costs, self._leadership
        cost = costs.find(request) if costs.groups else None
        kind = Kind.QUICK if cost is None and not request.content_arriving else costs.kind_by(cost, request, now)
        # A leader that was relieved while it received the request runs nothing: it has no place.
        if self._admission.place_for_leader(kind, now) and leadership.current is connection:
            if cost is not None:
                self._admission.on_trial = kind.is_trial
            self._run_in_place(request, connection, cost, now)
            return True
        self._hand_over(Task(request, connection, kind, Place.QUEUED), now)
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
        self._admission.on_trial = task.kind.is_trial
        self._run_in_place(request, task.connection, self._costs.find(request), now)

    def _run_in_place(self, request: Request, connection: Connection, cost: Cost | None, now: float) -> None:
        leadership = self._leadership
        # The clocks of the processor are system calls, so they are read only where something has taken long.
        measured = cost is not None and cost.elapsed >= HAND_OVER and self._is_measured(cost)
        leadership.patience = cost.patience if cost is not None else 0.0
        if measured:
            used, used_by_all = thread_usage(), clock.process_time()
        leadership.request = request
        self._answer(request, connection)
        elapsed = clock.perf_counter() - now
        if elapsed >= HAND_OVER or cost is not None:
            if leadership.current is connection:
                self._admission.on_trial = False
            self.took_long = elapsed >= HAND_OVER
            if measured:
                at_once = 1 + len(self._tasks.running)
                self._costs.learn(request, _run(elapsed, used, used_by_all, at_once), now + elapsed)
            else:
                self._costs.note_elapsed(request, cost, elapsed)

    def _hand_over(self, task: Task, now: float) -> None:
        connection = task.connection
        connection.detached = True  # before it is in the registry: what is there is not the leader's
        admitted = self._admission.admit(task, now)
        if admitted is Admitted.STARTED:
            self.start(task)
        elif admitted is Admitted.REFUSED:
            self._refuse(cast(Request, task.request), connection, "queue full")
            self._give_back(connection)

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
            self._release(task, now, ran=wanted)
            return self._admission.next_for_pool(now)
        except BaseException:
            self.note_interruption()
            raise
        finally:
            task.over = True  # what is not released by now was lost: an exception came from outside

    def _run_in_pool(self, task: Task) -> None:
        request = cast(Request, task.request)
        self.pooled += 1
        cost = self._costs.find(request)
        if cost is not None and not self._is_measured(cost):
            self._answer(request, task.connection)
            return
        at_once = len(self._tasks.running)
        used, used_by_all, begun = thread_usage(), clock.process_time(), clock.perf_counter()
        self._answer(request, task.connection)
        now = clock.perf_counter()
        at_once = max(at_once, len(self._tasks.running))
        self._costs.learn(request, _run(now - begun, used, used_by_all, at_once), now)

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
                    self._release(task, clock.perf_counter())
                finally:
                    task.over = True
        following = self._admission.next_for_pool(clock.perf_counter())
        if following is not None:
            self.start(following)

    def note_interruption(self) -> None:
        """Any thread, in which something was raised that no request is to blame for: what it had may be lost."""
        self._interrupted = True

    def _release(self, task: Task, now: float, *, ran: bool = True) -> bool:
        """Whether the registry still had `task`."""
        if task.place is Place.RELIEVED and task.request is not None:
            self._costs.end_relieved(task.request)
        if task.logged:
            self._slow_log.tell_end(task, now)
        if not self._admission.release(task, now, ran=ran):
            return self._tasks.remove(task)
        if self._tasks.for_leader:
            self._wake_leader()
        return True

    def _still_wanted(self, task: Task, now: float) -> bool:
        """Whether a task that has waited is to run; if not, its answer is dropped or says so. It is the caller's."""
        request = cast(Request, task.request)
        waited = now - request.arrived
        if waited >= LEFT_AFTER and task.connection.client_gone():
            self._ended["client gone"] += 1
            task.connection.abort()
            request.close()
            return False
        if self._queue_timeout and waited >= self._queue_timeout:
            self._refuse(request, task.connection, "queue timeout")
            return False
        return True

    # -- the watcher

    def start(self, task: Task) -> None:
        """The watcher, and the thread that has admitted it: `task`, which has started, goes to a thread of the pool."""
        try:
            self._pool.run(self.work, task)
            self._cannot_start = False
        except RuntimeError as error:
            self._log_shortage(error)

    def _log_shortage(self, error: RuntimeError) -> None:
        before, self._cannot_start = self._cannot_start, True
        if not before:
            _log.error("cannot start a thread (%s); going on with those that run", error)

    def hand_on(self, connection: Connection, request: Request | None, thread: int) -> None:
        """The watcher, under the leadership's lock: the leader is relieved of what it is at, which becomes a task."""
        now = clock.perf_counter()
        task = Task(request, connection, Kind.LONG, Place.RELIEVED)
        task.thread = thread
        task.term = self._leadership.term
        task.begun = now if request is None else request.arrived
        if request is None:  # it receives, or sends a file: from or to a slow disk
            self._tasks.add_detour(task)
        else:
            self._admission.begin_relieved(task)
            self._costs.begin_relieved(request)

    def promote_waiting(self) -> None:
        """The watcher: starts what waits although it may run by now, and what has lost its way to a thread."""
        now = clock.perf_counter()
        while (task := self._admission.next_for_pool(now)) is not None:
            self.start(task)
        if self.has_for_leader():
            self._wake_leader()

    def end_waiting(self) -> None:
        """The watcher: refuses what has waited for too long, and drops what no client waits for any more."""
        now = clock.perf_counter()

        def unwanted(task: Task) -> bool:
            waited = now - cast(Request, task.request).arrived
            late = self._queue_timeout and waited >= self._queue_timeout
            return bool(late) or (waited >= LEFT_AFTER and task.connection.client_gone())

        for task in self._tasks.take_queued(unwanted):
            self._still_wanted(task, now)
            self._give_back(task.connection)

    def abandon_lost(self) -> None:
        """The watcher, now and then: ends what was lost with a thread in which an exception was raised from outside.

        Such a task is over, and not released; or its thread has come back from leading; or it has started, and it is
        neither with a thread nor on its way to one. Of another one the leader was not relieved, in the end.
        """
        now = clock.perf_counter()
        try:
            self._pool.start_replacements()
        except RuntimeError as error:
            self._log_shortage(error)
        if self._interrupted:
            self._interrupted = False
            self._recover()
        for task in self._tasks.begun():
            if task.place is Place.RELIEVED and task.term == self._leadership.term:
                self._release(task, now, ran=False)
                self.note_interruption()
                continue
            if task.place is Place.RELIEVED:
                lost = task.term > self._term_before and not self._is_at_work(task.thread, task.term)
            else:
                lost = not (self._pool.backlog or task.thread) and now - task.begun >= _UNCLAIMED
            # It may have ended, and been released, since the registry was asked.
            if (task.over or lost) and self._release(task, now, ran=False):
                _log.debug("a thread was interrupted; its request is given up")
                task.connection.abort()
                if task.request is not None:
                    task.request.close()
                self._give_back(task.connection)

    def clear(self) -> None:
        """The watcher, when the server stops: drops what waits, and forgets what still runs: it is left behind."""
        for task in self._tasks.take_queued(lambda _: True):
            if task.request is not None:
                task.request.close()
            task.connection.abort()
            self._give_back(task.connection)
        for task in self._tasks.begun():
            task.logged = False  # its end is not told: it is not known when that will be
            self._release(task, clock.perf_counter(), ran=False)


def _run(elapsed: float, before: ThreadUsage, before_by_all: float, at_once: int) -> Run:
    """What a run has cost that took `elapsed` seconds, by what was used before it. The thread that ran it."""
    now = thread_usage()
    waited = now.waits < 0 or now.waits > before.waits
    return Run(elapsed, now.seconds - before.seconds, clock.process_time() - before_by_all, at_once, waited)
