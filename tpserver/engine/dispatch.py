"""Where a request runs: in place, in the pool, in a queue for either, or nowhere (503); and what that teaches."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Final

from tpserver.engine.admission import Admission, Admitted
from tpserver.engine.costs import QUICK, SPAN, Cost, Costs, Kind
from tpserver.engine.leadership import Leadership
from tpserver.engine.measuring import HAND_OVER, Meter
from tpserver.engine.pool import Pool
from tpserver.engine.slow_log import SlowLog
from tpserver.engine.task import Place, Task, Tasks
from tpserver.logs.log import Log
from tpserver.record import Record
from tpserver.system.clock import clock
from tpserver.system.gil_held_io import send_holding
from tpserver.transport.connection import INTERNAL_ERROR, Connection
from tpserver.transport.connections import Connections
from tpserver.transport.protocol import Request

_log = Log("tpserver")

# Of a route of which enough runs are known, one run in so many is measured.
_SAMPLED: Final = 8


class Dispatch(Record):
    """One server's, for as long as it serves. Each method says which thread calls it."""

    tasks: Tasks
    costs: Costs
    admission: Admission
    leadership: Leadership
    pool: Pool
    slow_log: SlowLog
    answer: Callable[[Request, Connection], None]  # runs a request in the calling thread, and raises nothing
    refuse: Callable[[Request, Connection, str], None]  # writes 503, for a cause
    place_name: Callable[[Connection], str]  # what the leader waits for, see `Hanging`
    note_answer: Callable[[str], None]  # it has come back
    connections: Connections
    pooled: int = 0  # requests that the pool has run; two threads that overlap may lose one
    took_long: bool = False  # the last one in place did: no response waits for the next to be sent with it
    _chance: int = 0  # for `_is_measured`

    # -- the leader

    def place(self, request: Request, connection: Connection, now: float) -> bool:
        """The leader: a new request of the application. True: it has run here. False: it is not the leader's any more.

        `now` of perf_counter.
        """
        costs = self.costs
        cost = costs.find(request) if costs.groups else None
        kind = QUICK
        if cost is not None or request.content_arriving or request.computes:
            kind = costs.kind(request, cost, now)
        # A leader that was relieved while it received the request runs nothing: it has no place.
        if self.admission.place_for_leader(kind, now) and self._run_here(request, connection, cost, kind, now):
            return True
        if connection.outbox is not None:
            connection.flush()  # responses that were held back, see `Connection.hold`
        task = Task(request, connection, kind, Place.QUEUED, cost)
        admitted = self.admission.admit(task, now)
        if admitted is Admitted.REFUSED:
            self.refuse(request, connection, "queue full")
            return True
        if admitted is Admitted.STARTED:
            self.start(task)
        return False

    def has_for_leader(self) -> bool:
        """The leader: whether a quick request waits that it may run."""
        return bool(self.tasks.for_leader) and self.admission.place_for_leader()

    def run_queued(self, task: Task, now: float) -> bool:
        """The leader, which attends to the connection of `task`: runs it in place.

        False: it was relieved before it could. The task waits again, and is not the caller's any more.
        """
        assert task.request is not None
        if self._run_here(task.request, task.connection, task.cost, task.kind, now):
            return True
        self.tasks.put_back(task)
        return False

    def _run_here(self, request: Request, connection: Connection, cost: Cost | None, kind: Kind, now: float) -> bool:
        leadership = self.leadership
        if not leadership.begin(connection, request, now, 0.0 if cost is None else cost.patience):
            return False
        meter = None
        if cost is not None:
            self.admission.on_trial = kind.is_trial
            if cost.elapsed >= HAND_OVER and (kind.is_trial or self._is_measured(cost)):
                meter = Meter(self.tasks.running)
        self.answer(request, connection)
        elapsed = clock.perf_counter() - now
        if elapsed >= HAND_OVER or cost is not None:
            is_leader = leadership.current is connection
            if is_leader:
                self.admission.on_trial = False
            self.took_long = elapsed >= HAND_OVER
            if meter is None:
                self.costs.note_elapsed(request, cost, elapsed)
            else:
                self.costs.learn(request, cost, meter.end(is_counted=not is_leader), now + elapsed)
        return True

    # -- threads of the pool

    def work(self, task: Task) -> None:
        """A thread of the pool: `task`, and then what waits for a thread."""
        following: Task | None = task
        while following is not None:
            following = self._work_on(following)

    def _work_on(self, task: Task) -> Task | None:
        try:
            task.thread = get_ident()
            self._run_in_pool(task)
            self.give_back(task.connection)
            now = clock.perf_counter()
            self.release(task, now)
            return self._next(now)
        finally:
            task.over = True  # what is not released by now was lost: an exception came from outside

    def _run_in_pool(self, task: Task) -> None:
        request, cost = task.request, task.cost
        assert request is not None
        self.pooled += 1
        meter = Meter(self.tasks.running) if cost is None or self._is_measured(cost) else None
        self.answer(request, task.connection)
        if meter is not None:
            self.costs.learn(request, cost, meter.end(is_counted=True), clock.perf_counter())

    def _is_measured(self, cost: Cost) -> bool:
        """Whether the next run is: each, until enough are known, and then by chance, since clients may take turns."""
        self._chance = (self._chance * 25173 + 13849) % 65536  # a generator of few instructions, good enough for that
        return cost.runs < SPAN or self._chance < 65536 // _SAMPLED

    # -- any thread that has a task

    def give_back(self, connection: Connection) -> None:
        """The thread that has `connection`: offers the client what is left, and gives it back. Never raises."""
        try:
            # Others that run may take the interpreter at a system call that lets it go.
            connection.flush(send_holding if len(self.tasks.running) > 1 else None)
        except BaseException:  # noqa: BLE001 - the connection is given back, whatever happens
            _log.exception(INTERNAL_ERROR)
            connection.abort()
        self.connections.give_back(connection)

    def end_relieved(self) -> None:
        """A leader that was relieved and has given its connection back: its task has ended."""
        for task in self.tasks.begun():
            if task.thread == get_ident() and task.place is Place.RELIEVED:
                try:
                    self.note_answer(task.place_name)
                    self.release(task, clock.perf_counter())
                finally:
                    task.over = True
        if (following := self._next(clock.perf_counter())) is not None:
            self.start(following)

    def _next(self, now: float) -> Task | None:
        """A thread has come free: what waits for it and may run now. The leader is woken for what is quick."""
        following = self.admission.next_for_pool(now)
        if self.tasks.for_leader:
            self.connections.mailbox.wake()
        return following

    def release(self, task: Task, now: float, *, ran: bool = True) -> bool:
        """The thread that has `task`, or the watcher: it has ended. False where another thread has said so already."""
        if task.logged:
            self.slow_log.tell_end(task, now)
        return self.admission.release(task, now, ran=ran) or self.tasks.remove(task)

    def drop(self, task: Task) -> None:
        """The thread whose `task` it is: its request is not run, or its answer is lost; its connection closes."""
        task.connection.abort()
        if task.request is not None:
            task.request.close()
        self.give_back(task.connection)

    # -- the watcher

    def start(self, task: Task) -> None:
        """The watcher, and the thread that has admitted it: `task`, which has started, goes to a thread of the pool."""
        self.pool.run(self.work, task)

    def hand_on(self, connection: Connection, request: Request | None, thread: int) -> None:
        """The watcher, under the leadership's lock: the leader is relieved of what it is at, which becomes a task."""
        task = Task(request, connection, Kind.LONG, Place.RELIEVED)
        task.thread = thread
        task.term = self.leadership.term
        task.begun = clock.perf_counter() if request is None else self.leadership.begun
        if request is None:  # it receives, or sends a file: from or to a slow disk
            task.place_name = self.place_name(connection)
            self.tasks.add_detour(task)
        else:
            self.admission.begin_relieved(task)
        if connection.held:  # by this one's earlier responses, which the next leader sends
            self.connections.mailbox.post(self.connections.watch_for_room, connection)

    def promote_waiting(self, now: float) -> None:
        """The watcher: starts what waits although it may run by now, and threads for what has none."""
        while (task := self.admission.next_for_pool(now)) is not None:
            self.start(task)
        self.pool.start_replacements()
        if self.has_for_leader():
            self.connections.mailbox.wake()

    def forget(self) -> None:
        """The watcher, when the server stops: forgets what still runs, which is left behind."""
        for task in self.tasks.begun():
            task.logged = False  # its end is not told: it is not known when that will be
            self.release(task, clock.perf_counter(), ran=False)
