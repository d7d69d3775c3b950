"""The life of a server: what lives as long as one `serve_forever`, from its start through the drain to its end."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Final

from tpserver.engine.admission import Admission
from tpserver.engine.bench import Bench
from tpserver.engine.connection import Connection
from tpserver.engine.connections import Connections
from tpserver.engine.costs import Costs
from tpserver.engine.dispatch import Dispatch
from tpserver.engine.errors import EngineBroken
from tpserver.engine.leader import Leader
from tpserver.engine.leadership import Leadership
from tpserver.engine.listener import ListeningServer, check_listening_socket
from tpserver.engine.lost_tasks import LostTasks
from tpserver.engine.main_thread_wait import main_thread_wait
from tpserver.engine.pace import Timing
from tpserver.engine.pool import JOIN_TIMEOUT, Pool
from tpserver.engine.protocol import Address, ConnectionProtocol, Request
from tpserver.engine.slow_log import SlowLog
from tpserver.engine.switch_interval import SwitchInterval
from tpserver.engine.task import Tasks
from tpserver.engine.watcher import Watcher
from tpserver.logs.log import Log
from tpserver.system.clock import clock

_log = Log("tpserver")

# Threads that lead, or were relieved of something and have not come back: of requests, or of slow disks. When all of
# them are at something, no thread leads.
_MOST_LEADERS: Final = 64
# CPython 3.12.0 and 3.12.1 start no thread once the main thread has ended (gh-113964). So there a server that runs in
# another thread starts all its threads at once.
_THREADS_REFUSED_EARLY: Final = (3, 12, 0) <= sys.version_info[:3] < (3, 12, 2)


class Life(IntEnum):
    """The life of a server, in order. After STOPPED it may serve again."""

    NEW = 0
    SERVING = 1
    DRAINING = 2  # nothing new is taken; what runs is finished
    STOPPING = 3  # no thread leads any more
    STOPPED = 4


class LivingServer(ListeningServer):
    """A listening server with threads that lead, a pool and a watcher. `Server` sets the attributes."""

    protocol: ConnectionProtocol
    timing: Timing
    max_connections: int
    max_connections_per_ip: int
    max_outbox: int
    life = Life.NEW
    broken: EngineBroken | None = None  # why it has stopped, if that was not asked for
    refused: Counter[str]
    ended: Counter[str]
    tasks: Tasks
    costs: Costs
    admission: Admission
    leadership: Leadership
    slow_log: SlowLog
    switch_interval: SwitchInterval
    watcher: Watcher
    _queue_timeout: float
    _raised: BaseException | None = None  # what is to end the program, after the drain
    _cannot_promote = False  # a thread that leads could not be started, which has been logged
    _stop_requests = 0
    _lives = 0  # how many times it has begun to serve
    _stopped: threading.Lock  # held while it serves; for `shutdown` to wait for

    def process_request(self, request: Request, client_address: Address) -> bool:  # type: ignore[override]
        """The leader: chooses where a request runs; whether it has run here."""
        raise NotImplementedError

    def _answer(self, request: Request, connection: Connection) -> None:
        """The leader, or a thread of the pool: runs the request."""
        raise NotImplementedError

    def _refuse(self, request: Request, connection: Connection, cause: str) -> None:
        """The thread that has `request`: answers that it is not run."""
        raise NotImplementedError

    def begin_shutdown(self) -> None:
        """As `shutdown`, without waiting: for signal handlers. A second call does not wait for what runs."""
        self._stop_requests += 1
        if Life.SERVING <= self.life < Life.STOPPED:
            self.watcher.wake()

    @property
    def draining(self) -> bool:
        """Whether nothing new is taken any more."""
        return self.life >= Life.DRAINING

    @property
    def stopped(self) -> bool:
        """Whether no thread leads."""
        return self.life in (Life.NEW, Life.STOPPING, Life.STOPPED)

    def _serve(self, enough: Callable[[], bool]) -> None:
        check_listening_socket(self.socket)
        self._stopped.acquire()
        self._lives += 1
        lives = self._lives
        self.broken = None
        watched = threading.Lock()
        watched.acquire()
        run = partial(self._watch_life, enough, watched)
        watcher = threading.Thread(target=run, name="tpserver-watcher", daemon=True)
        try:
            self._build()
            self._enter(Life.SERVING)
            self.pool.start_missing()  # one thread at least: perhaps there are no more later
            if _THREADS_REFUSED_EARLY and threading.current_thread() is not threading.main_thread():
                with contextlib.suppress(RuntimeError):
                    self._bench.start(min(self.admission.threads + 1, _MOST_LEADERS))
                    self.pool.start_all()
            self._bench.lead(self.leadership.appoint())
            watcher.start()
        except BaseException as error:
            if watcher.ident is None:
                self._end()
                raise
            self._raised = error  # Ctrl-C, as the watcher had just begun: it ends the server
            self.begin_shutdown()
        raised = main_thread_wait(watched, lambda: self.life is Life.STOPPED, self.begin_shutdown)
        # The watcher was interrupted before it could do anything. It may serve again by now, in another thread: `life`
        # is looked at first, as it changes after `_lives`.
        if self.life is not Life.STOPPED and self._lives == lives:
            self._end()
        raised, self._raised = raised or self._raised or self.broken, None
        if raised is not None:
            raise raised

    def _build(self) -> None:
        """What lives as long as one `serve_forever`."""
        self.pool = Pool(self.admission.threads)
        self._bench = Bench(_MOST_LEADERS, self._run_leader)
        self.connections = Connections(
            self.protocol,
            self,
            timing=self.timing,
            max_connections=self.max_connections,
            max_connections_per_ip=self.max_connections_per_ip,
            max_outbox=self.max_outbox,
            refused=self.refused,
            ended=self.ended,
        )
        self._dispatch = Dispatch(
            tasks=self.tasks,
            costs=self.costs,
            admission=self.admission,
            leadership=self.leadership,
            pool=self.pool,
            slow_log=self.slow_log,
            answer=self._answer,
            refuse=self._refuse,
            give_back=lambda connection: self.leader.give_back(connection),
            wake_leader=self.connections.mailbox.wake,
            ended=self.ended,
            queue_timeout=self._queue_timeout,
        )
        self.leader = Leader(
            self.connections,
            self.leadership,
            self._dispatch,
            self.tasks,
            self.protocol,
            self.watcher,
            process_request=self.process_request,
        )
        dispatch = self._dispatch
        self.watcher.busy = lambda: bool(self.tasks.running or self.tasks.waiting)
        lost_tasks = LostTasks(self.tasks, self.leadership, self.pool, dispatch, self._bench.is_at_work)
        self.watcher.checks = [
            lambda now: dispatch.promote_waiting(),
            self.switch_interval.check,
            lambda now: self.service_actions(),
        ]
        self.watcher.rare_checks = [
            lambda now: dispatch.end_waiting(),
            self.slow_log.check,
            lost_tasks.check,
            lambda now: self._replace_lost_leader(),
        ]
        if self.connections.capacity < self.max_connections:
            _log.warning("max_connections reduced to %d by the open-files limit or select()", self.connections.capacity)

    def _enter(self, life: Life) -> None:
        """The only place that changes `life`. The watcher, and `_serve` before there is one."""
        self.life = life
        self.protocol.draining = life >= Life.DRAINING

    def _watch_life(self, enough: Callable[[], bool], ended: threading.Lock) -> None:
        """The watcher: from SERVING to STOPPED. Releases `ended`."""
        if self.life is Life.STOPPED:  # Ctrl-C, before this thread could begin
            return
        try:
            try:
                self.watcher.watch(lambda: self._stop_requests > 0 or enough())
            except BaseException as error:  # noqa: BLE001 - `service_actions` wants the program to end
                self._raised = error
            self._drain()
        finally:
            try:
                self._end()
            finally:
                ended.release()

    def _drain(self) -> None:
        deadline = clock.monotonic() + self.timing.drain_timeout
        self._enter(Life.DRAINING)
        self.connections.mailbox.post(self.connections.begin_drain, clock.monotonic())
        self.watcher.watch(lambda: self._drained() or clock.monotonic() >= deadline or self._stop_requests > 1)

    def _drained(self) -> bool:
        # A thread gives its connection back first, and its task ends then. Also that of a relieved leader: one that is
        # still on its way back would be taken for one that hangs, and all sockets would stay open.
        if self.tasks.running or self.tasks.detours or self.tasks.waiting:
            return False
        return self.connections.drained

    def _end(self) -> None:
        """From whatever life to STOPPED. What still runs then is left behind, in daemon threads."""
        try:
            if self.life is not Life.NEW and hasattr(self, "leader"):
                self._stop()
            self.service_actions()
        finally:
            self._stop_requests = 0
            self._enter(Life.STOPPED)
            self._stopped.release()

    def _stop(self) -> None:
        self._enter(Life.STOPPING)
        self.leader.stopped = True
        leading = self.leadership.close()
        self.connections.mailbox.wake()
        self._bench.close()
        stuck = {task.thread for task in self.tasks.begun()}
        if leading and leading not in stuck and not self._bench.wait_for(leading, JOIN_TIMEOUT):
            stuck.add(leading)
        running, detours = len(self.tasks.running), len(self.tasks.detours)
        self._dispatch.clear()
        if detours or leading in stuck:
            _log.error("a thread hangs while it serves a file; it is left behind")
        else:
            self.connections.close()
        if running:
            _log.error("%d requests still run; their threads are left behind", running)
        self.protocol.end()
        self.pool.shutdown(wait=False)
        self._bench.join(JOIN_TIMEOUT, stuck)
        self.pool.join(JOIN_TIMEOUT, stuck)

    # -- leaders

    def _relieve(self, attention_id: int) -> bool:
        """The watcher: promotes another leader, in place of one that is still at what `attention_id` stands for."""
        if not self._bench.available:
            return False
        term = self.leadership.relieve(attention_id, self._dispatch.hand_on)
        if term is None:
            return False
        try:
            self._bench.lead(term)
            self._cannot_promote = False
        except RuntimeError as error:
            if not self._cannot_promote:
                self._cannot_promote = True
                _log.error("cannot start a thread that leads (%s); trying again", error)
        return True

    def _replace_lost_leader(self) -> None:
        """The watcher: where no thread leads (none could be started, or it was interrupted) another is tried."""
        leadership = self.leadership
        if self.life >= Life.STOPPING or self._bench.is_at_work(leadership.thread, leadership.term):
            return
        suspect = leadership.current
        term = leadership.appoint()
        if suspect is not None:
            self.connections.mailbox.post(self.leader.end_interrupted, suspect)
        try:
            self._bench.lead(term)
        except RuntimeError as error:
            _log.debug("still no thread that leads: %s", error)

    def _run_leader(self, term: int) -> None:
        """A thread of the bench."""
        if not self.leadership.take(term, threading.get_ident()):
            return
        try:
            self.leader.lead(term)
        except EngineBroken as error:
            if self.broken is None:
                _log.critical("cannot go on serving: %s; stopping", error)
            self.broken = error
            self.begin_shutdown()  # once more where it cannot even drain
        except BaseException:  # noqa: BLE001 - the watcher has another one lead
            _log.exception("internal error in the leader; another one takes over")
            self.watcher.wake()
