"""The server: socketserver's face on the engine, and the life of a server.

`serve_forever` starts the watcher and a leader, and waits. socketserver's words keep their meaning; a hook that does
something unusual says so first.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

from tpserver.engine.admission import Admission
from tpserver.engine.connection import MAX_OUTBOX, Connection
from tpserver.engine.connections import STATES, ConnectionLimits, Connections
from tpserver.engine.costs import Costs
from tpserver.engine.counters import Counters
from tpserver.engine.dispatch import Dispatch
from tpserver.engine.errors import EngineBroken
from tpserver.engine.leader import INTERNAL_ERROR, Leader
from tpserver.engine.leadership import Leadership
from tpserver.engine.listener import ListeningServer, check_listening_socket
from tpserver.engine.pace import Timing
from tpserver.engine.pool import JOIN_TIMEOUT, Bench, Pool
from tpserver.engine.protocol import Address, ConnectionProtocol, Request
from tpserver.engine.slow_log import SlowLog
from tpserver.engine.stats import Stats, collect
from tpserver.engine.switch_interval import SwitchInterval
from tpserver.engine.task import Tasks
from tpserver.engine.watcher import Watcher, rarely
from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.system.interpreter import has_lock

_log = Log("tpserver")

# Threads that lead, or were relieved of something and have not come back: of requests, or of slow disks. When all of
# them are at something, nobody leads.
_MOST_LEADERS: Final = 64
# Seconds between two looks of the thread that has called `serve_forever`: on Windows no wait is interrupted by Ctrl-C,
# and elsewhere a signal may come to a thread that is not this one.
_LOOK: Final = 0.5
# Seconds between two rounds of what need not be looked at in each.
_RARELY: Final = 0.1


class Life(IntEnum):
    """The life of a server, in order. After STOPPED it may serve again."""

    NEW = 0
    SERVING = 1
    DRAINING = 2  # nothing new is taken; what runs is finished
    STOPPING = 3  # nobody leads any more
    STOPPED = 4


class Server(socketserver.ThreadingMixIn, ListeningServer):
    """A leader/followers server on one listening socket. Any thread may call what does not say otherwise."""

    daemon_threads = True

    def __init__(
        self,
        server_address: tuple[str, int],
        RequestHandlerClass: Callable[[Any, Any, Any], socketserver.BaseRequestHandler],
        protocol: ConnectionProtocol,
        *,
        threads: int = 8,
        queue: int = 1024,
        queue_timeout: float = 0.0,
        in_place: bool = True,
        max_connections: int = 10_000,
        max_connections_per_ip: int = 0,
        max_outbox: int = MAX_OUTBOX,
        slow_request: float = 0.0,
        timing: Timing | None = None,
        bind_and_activate: bool = True,
    ) -> None:
        """Binds and listens. Raises OSError.

        `threads` requests of the application run at once, and one quick one more in place; `queue` more wait, for
        `queue_timeout` seconds at most (0: no limit). `in_place` False, or one thread: the leader runs none.
        `max_outbox`: bytes of a stream that wait in memory for its client before its producer does. A request that
        has run for `slow_request` seconds is logged (0: never). The other limits: 0 is none.
        """
        if ":" in server_address[0]:
            self.address_family = socket.AF_INET6
        self.protocol = protocol
        self.limits = ConnectionLimits(max_connections, max_connections_per_ip, max_outbox)
        self.timing = timing or Timing()
        self.life = Life.NEW
        self.broken: EngineBroken | None = None  # why it has stopped, if that was not asked for
        self._raised: BaseException | None = None  # what is to end the program, after the drain
        self.handled = 0  # requests, so far
        self.refused = Counters()
        self.ended = Counters()  # connections that ended without an answer
        self.left_behind = False  # threads still run, although the server has stopped
        self.tasks = Tasks()
        self.costs = Costs(threads)
        # With one thread the application runs in exactly one: that of the pool.
        self.admission = Admission(
            self.tasks, self.costs, threads, queue, in_place=in_place and threads > 1, one_computes=has_lock()
        )
        self.leadership = Leadership()
        self.slow_log = SlowLog(self.tasks, slow_request)
        self.switch_interval = SwitchInterval(self.tasks)
        self.watcher = Watcher(self.leadership, self._relieve, lambda: self.leader.turns)
        self._queue_timeout = queue_timeout
        self._stop_requests = 0
        self._stopped = threading.Lock()  # held while it serves; for `shutdown` to wait for
        super().__init__(server_address, RequestHandlerClass, bind_and_activate)

    # -- socketserver: a request's way

    def process_request(self, request: Request, client_address: Address) -> bool:  # type: ignore[override]
        """Unusual: called by the leader, and says whether the request was answered here. Else it is the pool's."""
        self.handled += 1
        now = request.arrived = clock.perf_counter()
        connection: Any = request.connection
        if request.runs_inline:
            self._answer(request, connection)
            return True
        return self._dispatch.place(request, connection, now)

    def _answer(self, request: Request, connection: Connection) -> None:
        """The leader, or a thread of the pool: runs the request. What is left to send is the caller's business."""
        try:
            self.finish_request(request, connection.client_address)  # type: ignore[arg-type]
        except BaseException:  # noqa: BLE001 - one request must not end the others
            self.handle_error(request, connection.client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The thread that ran `request`: a fault of the handler's, not of the application's, was raised."""
        _log.exception(INTERNAL_ERROR)
        request.connection.abort()

    def _refuse(self, request: Request, connection: Connection, cause: str) -> None:
        """The thread that has `request`: 503."""
        self.refused.add(cause)
        connection.write(self.protocol.overload(request, self.admission.retry_after))
        request.close()

    # -- socketserver: the life of the server

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serves until `shutdown` is called, then drains.

        `poll_interval` is for socketserver's sake; nothing here polls by it. Raises UnsuitableSocket where the
        listening socket cannot be served, RuntimeError where no thread can be started, and EngineBroken, after the
        drain, where code that does not own them has closed the server's sockets.
        """
        self._serve(lambda: False)

    def handle_request(self) -> None:
        """Serves one request, then drains and returns."""
        before = self.handled
        self._serve(lambda: self.handled > before)

    def shutdown(self) -> None:
        """Stops `serve_forever`: takes nothing new, finishes what runs, and blocks until that is done.

        Must not be called by the thread that is in `serve_forever`, nor by an application.
        """
        self.begin_shutdown()
        with self._stopped:
            pass

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
        """Whether nobody leads."""
        return self.life in (Life.NEW, Life.STOPPING, Life.STOPPED)

    def _serve(self, enough: Callable[[], bool]) -> None:
        check_listening_socket(self.socket)
        self._stopped.acquire()
        self.broken = None
        watched = threading.Lock()
        watched.acquire()
        run = _then(lambda: self._watch_life(enough), watched.release)
        watcher = threading.Thread(target=run, name="tpserver-watcher", daemon=True)
        try:
            self._build()
            self._enter(Life.SERVING)
            self.pool.start_missing()  # one thread at least: perhaps there are no more later
            self._bench.lead(self.leadership.appoint())
            watcher.start()
        except BaseException as error:
            if watcher.ident is None:
                self._end()
                raise
            self._raised = error  # Ctrl-C, as the watcher had just begun: it ends the server
            self.begin_shutdown()
        self._wait_for(watched)

    def _wait_for(self, watched: threading.Lock) -> None:
        """The caller of `serve_forever`: waits for the watcher to end.

        Signal handlers run in the main thread, between any two instructions, and may raise: least of all the standard
        library's conditions bear that. So it does nothing but take a lock. What is an `Exception` is logged; what is
        not (KeyboardInterrupt, SystemExit) begins a shutdown, and is raised after it.
        """
        ended = False
        while not ended:
            try:
                while not ended:
                    ended = watched.acquire(timeout=_LOOK) or self.life is Life.STOPPED
            except Exception:  # noqa: BLE001 - a fault of a handler does not end the server
                _log.exception("a signal handler has raised; the server goes on")
            except BaseException as error:  # noqa: BLE001 - raised below
                self._raised = error
                self.begin_shutdown()
        if self.life is not Life.STOPPED:  # the watcher was interrupted before it could do anything
            self._end()
        raised, self._raised = self._raised or self.broken, None
        if raised is not None:
            raise raised

    def _build(self) -> None:
        """What lives as long as one `serve_forever`."""
        self.pool = Pool(self.admission.threads)
        self._bench = Bench(_MOST_LEADERS, self._run_leader)
        self.connections = Connections(
            self.protocol,
            self,
            self,
            timing=self.timing,
            limits=self.limits,
            refused=self.refused,
            ended=self.ended,
        )
        self._dispatch = Dispatch(
            self.tasks,
            self.costs,
            self.admission,
            self.leadership,
            self.pool,
            self.slow_log,
            answer=self._answer,
            refuse=self._refuse,
            give_back=lambda connection: self.leader.give_back(connection),
            wake_leader=self.connections.mailbox.wake,
            recover=lambda: self.connections.mailbox.post(self.leader.recover, None),
            is_at_work=self._bench.is_at_work,
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
            stopped=lambda: self.life >= Life.STOPPING,
            refused=self.refused,
        )
        dispatch = self._dispatch
        self.watcher.busy = lambda: bool(self.tasks.running or self.tasks.waiting)
        self.watcher.on_fault = dispatch.note_interruption
        self.watcher.checks = [
            lambda now: dispatch.promote_waiting(),
            self.switch_interval.check,
            self._share_interpreter(),
            lambda now: self.service_actions(),
            rarely(lambda now: dispatch.end_waiting(), _RARELY),
            rarely(self.slow_log.check, _RARELY),
            rarely(lambda now: dispatch.abandon_lost(), _RARELY),
            rarely(lambda now: self._replace_lost_leader(), _RARELY),
        ]
        if self.connections.capacity < self.limits.connections:
            _log.warning("max_connections reduced to %d by the open-files limit or select()", self.connections.capacity)

    def _share_interpreter(self) -> Callable[[float], None]:
        """The check that looks how busy the interpreter is, while something waits for it."""
        seen, computed = clock.perf_counter(), clock.process_time()

        def check(now: float) -> None:
            nonlocal seen, computed
            if self.tasks.for_pool:
                before, computed = computed, clock.process_time()
                self.admission.share_interpreter(computed - before, now - seen, now)
                seen = now

        return check

    def _enter(self, life: Life) -> None:
        """The only place that changes `life`. The watcher, and `_serve` before there is one."""
        self.life = life
        self.protocol.draining = life >= Life.DRAINING

    def _watch_life(self, enough: Callable[[], bool]) -> None:
        """The watcher: from SERVING to STOPPED."""
        if self.life is Life.STOPPED:  # Ctrl-C, before this thread could begin
            return
        try:
            try:
                self.watcher.watch(lambda: self._stop_requests > 0 or enough())
            except BaseException as error:  # noqa: BLE001 - `service_actions` wants the program to end
                self._raised = error
            self._drain()
        finally:
            self._end()

    def _drain(self) -> None:
        deadline = clock.monotonic() + self.timing.drain_timeout
        self._enter(Life.DRAINING)
        self.connections.mailbox.post(self.connections.begin_drain, clock.monotonic())
        self.watcher.watch(lambda: self._drained() or clock.monotonic() >= deadline or self._stop_requests > 1)

    def _drained(self) -> bool:
        # A thread gives its connection back first, and its task ends then.
        if self.tasks.running or self.tasks.waiting:
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
        leading = self.leadership.close()
        self.connections.mailbox.wake()
        self._bench.close()
        stuck = {task.thread for task in self.tasks.begun()}
        if leading and leading not in stuck and not self._bench.wait_for(leading, JOIN_TIMEOUT):
            stuck.add(leading)
        self._dispatch.clear()
        running, detours = len(self.tasks.running), len(self.tasks.detours)
        self.left_behind = bool(stuck)
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
        except RuntimeError as error:
            _log.error("cannot start a thread that leads (%s); trying again", error)
        return True

    def _replace_lost_leader(self) -> None:
        """The watcher: where nobody leads (no thread could be started, or it was interrupted) another one is tried."""
        leadership = self.leadership
        if self.life >= Life.STOPPING or self._bench.is_at_work(leadership.thread, leadership.term):
            return
        suspect = leadership.current
        term = leadership.appoint()
        self.connections.mailbox.post(self.leader.recover, suspect)
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
            self._dispatch.note_interruption()
            _log.exception("internal error in the leader; another one takes over")
            self.watcher.wake()

    # -- for statistics

    def stats(self) -> Stats:
        """The statistics of this moment, see `Stats`. Any thread may call, whether the server runs or not."""
        serving = Life.SERVING <= self.life <= Life.DRAINING
        return collect(
            self.tasks,
            self.admission,
            self.costs,
            self.leadership,
            connections={
                "limit": self.limits.connections,
                **(self.connections.states() if serving else dict.fromkeys(STATES, 0)),
            },
            requests={
                "handled": self.handled,
                "in_pool": self._dispatch.pooled if self.life is not Life.NEW else 0,
                "promotions": max(self.leadership.term - 1, 0),
                "slow": self.slow_log.count,
            },
            refused=self.refused.counts(),
            ended=self.ended.counts(),
        )


def _then(work: Callable[[], None], end: Callable[[], None]) -> Callable[[], None]:
    """`work`, and `end` whatever happens in it."""

    def both() -> None:
        try:
            work()
        finally:
            end()

    return both
