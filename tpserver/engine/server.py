"""The server: starts, admits, chooses the thread, drains and stops. socketserver's words keep their meaning.

A *request* is one complete request of the protocol on its connection. `serve_forever` is the watcher:
it relieves a leader that stays with one request for longer than a tick.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import Empty, SimpleQueue
from time import monotonic, perf_counter, thread_time
from typing import Any, Final

from tpserver.engine.admission import RESERVED_FOR, Admission
from tpserver.engine.holding import send_holding
from tpserver.engine.leader import Leader, Leadership
from tpserver.engine.placement import COMPUTING, HAND_OVER, QUICK, Placement
from tpserver.engine.protocol import ConnectionProtocol
from tpserver.engine.timing import Timing

_log = logging.getLogger("tpserver")

# Seconds that a leader may stay with one connection; the watcher looks twice before it relieves it.
TICK: Final = 0.001
# The same while no run in place has taken a tick for _ALERT seconds: each look takes the interpreter from the leader
# (measured: 60 us), and finds nothing then.
_CALM_TICK: Final = 0.004
_ALERT: Final = 0.5
# So many ticks without a turn, and the watcher goes to sleep; it looks up once in _REST seconds, on Windows also for
# Ctrl-C.
_QUIET_TICKS: Final = 50
_REST: Final = 0.5
# Threads beyond those of the application: one leads, others were relieved while they served a file.
_SPARE_THREADS: Final = 4


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A leader/followers server on one listening socket. Any thread may call what does not say otherwise."""

    allow_reuse_address = sys.platform != "win32"  # there it would share the port with a stranger
    request_queue_size = 4096  # the system takes as many of them as it allows
    daemon_threads = True

    def __init__(
        self,
        server_address: tuple[str, int],
        RequestHandlerClass: Callable[[Any, Any, Any], socketserver.BaseRequestHandler],
        protocol: ConnectionProtocol,
        *,
        threads: int = 8,
        queue: int = 1024,
        max_connections: int = 10_000,
        timing: Timing | None = None,
        bind_and_activate: bool = True,
    ) -> None:
        """Binds and listens. `threads` requests of the application run at once, `queue` more wait. Raises OSError."""
        if ":" in server_address[0]:
            self.address_family = socket.AF_INET6
        self.protocol = protocol
        self.max_connections = max_connections
        self.timing = timing or Timing()
        self.admission = Admission(threads, queue)
        self.leadership = Leadership()
        self.draining = False  # nothing new is taken
        self.stopped = True  # nobody leads
        self.watcher_sleeps = False
        self.left_behind = False  # threads still run, although the server has stopped
        self.handled = 0  # requests, so far
        self.took_long = False  # one that ran in place: no response shall wait for the next
        self.switch_interval = 0.0  # seconds; 0: the interpreter's is left alone. For whoever owns the process.
        self._computing = 0  # how many requests the interval was set for
        self.placement = Placement()
        # Wakes the watcher. A queue, for a signal handler may ring in the middle of anything: an Event has a lock.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._down = threading.Event()  # set while serve_forever does not run
        self._down.set()
        self._shutdown_asked = 0
        self._alert_until = 0.0  # of the perf_counter: until then the watcher looks more often
        self._leading: Future[None] | None = None  # the current leader's
        super().__init__(server_address, RequestHandlerClass, bind_and_activate)

    # -- socketserver: the socket

    def server_bind(self) -> None:
        if sys.platform == "win32":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        super().server_bind()
        address: Any = self.server_address
        self.server_name: str = address[0]
        self.server_port: int = address[1]

    def server_activate(self) -> None:
        super().server_activate()
        self.socket.setblocking(False)

    def get_request(self) -> tuple[socket.socket, Any]:
        """The leader: accepts one connection, non-blocking. Raises OSError, BlockingIOError among them."""
        sock, client_address = self.socket.accept()
        try:
            sock.setblocking(False)
            if sock.family != getattr(socket, "AF_UNIX", None):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # the client has gone already
            sock.close()
            raise
        return sock, client_address

    # -- socketserver: a request's way

    def process_request(self, request: Any, client_address: Any) -> None:
        """The leader: chooses the thread. Here and now, in the pool, in line for it, or 503."""
        self.handled += 1
        if request.own:
            self._answer_here(request, client_address)
            return
        route = self.placement.route(request)
        admission = self.admission
        now = perf_counter()
        quick = route.wait <= HAND_OVER and route.computing < COMPUTING  # `route.quick`, without the call
        here = admission.running < admission.threads if quick else admission.room(quick=False, now=now)
        if not (here and (quick or route.on_trial())):
            self._hand_over(request, quick, now)
            return
        number = self.leadership.number
        # The computing clock is a system call, so it is read only where it may be needed.
        computing = thread_time() if route.suspect else None
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001 - as socketserver does
            self.handle_error(request, client_address)
        elapsed = perf_counter() - now
        if elapsed < TICK:
            admission.quick_until = now + RESERVED_FOR
        if elapsed >= QUICK or route.suspect:
            self.took_long = elapsed >= QUICK
            self._learn(request, elapsed, computing, number)

    def _learn(self, request: Any, elapsed: float, computing: float | None, number: int) -> None:
        """After a run in place by the leader `number`, who may have been relieved meanwhile."""
        if elapsed >= TICK:
            self._alert_until = perf_counter() + _ALERT
        if number != self.leadership.number:
            begun = self._leader.clock.turn if computing is None else computing
            self.placement.learn_relieved(request, elapsed, thread_time() - begun)
        else:
            self.placement.learn(request, elapsed, None if computing is None else thread_time() - computing)

    def _answer_here(self, request: Any, client_address: Any) -> None:
        """In place. What is left to send is sent by the leader, when it has looked at the clock."""
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001 - as socketserver does
            self.handle_error(request, client_address)

    def _hand_over(self, request: Any, quick: bool, now: float) -> None:
        entered = self.admission.enter(request, quick=quick, now=now)
        if entered is None:
            request.connection.write(self.protocol.overload(request, 1))
        elif entered:
            self._submit(self._work, request)

    def shutdown_request(self, request: Any) -> None:
        """The thread that ran `request`: gives its connection back to the leader."""
        connection = request.connection
        connection.flush(send_holding)
        self._leader.give_back(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A fault of the handler's, not of the application's: logged, and the connection is closed."""
        _log.exception("tpserver has a fault; the connection that it happened on is closed")
        request.connection.abort()

    def _work(self, request: Any) -> None:
        """A pool thread: one request, and those that wait in line behind it."""
        while request is not None:
            self.process_request_thread(request, request.connection.client_address)
            request = self.admission.leave(perf_counter())

    def serve_waiting(self) -> None:
        """A leader that was relieved and has finished: goes on as a pool thread."""
        self._work(self.admission.leave(perf_counter()))

    # -- socketserver: the life of the server

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serves until `shutdown` is called, then drains. The calling thread becomes the watcher.

        `poll_interval` is there for socketserver's sake; nothing here polls by it.
        """
        self._serve(lambda: bool(self._shutdown_asked))

    def handle_request(self) -> None:
        """Serves one request, then drains and returns."""
        before = self.handled
        self._serve(lambda: bool(self._shutdown_asked) or self.handled > before)

    def shutdown(self) -> None:
        """Stops `serve_forever`: takes nothing new, finishes what runs, and blocks until that is done.

        Must not be called by the thread that is in `serve_forever`, nor by an application.
        """
        self.begin_shutdown()
        self._down.wait()

    def begin_shutdown(self) -> None:
        """As `shutdown`, without waiting: for signal handlers. A second call does not wait for what runs."""
        self._shutdown_asked += 1
        self._bell.put(None)

    def wake_watcher(self) -> None:
        """The leader: something has come, look again."""
        self.watcher_sleeps = False
        self._bell.put(None)

    def _serve(self, enough: Callable[[], bool]) -> None:
        self._leading = None
        self._pool = ThreadPoolExecutor(self.admission.threads + _SPARE_THREADS, thread_name_prefix="tpserver")
        self._leader = Leader(self, self.timing)
        self._down.clear()
        self.stopped = self.draining = False
        if self._leader.capacity < self.max_connections:
            _log.warning("only %d connections at once: more are not to be had here", self._leader.capacity)
        try:
            if not self._lead(self.leadership.appoint()):
                raise RuntimeError("cannot start a single thread: nobody would serve")
            self._watch(enough)
            self._drain()
        finally:
            try:
                self._stop()
                self.service_actions()
            finally:
                self._shutdown_asked = 0
                self._down.set()

    def _drain(self) -> None:
        deadline = monotonic() + self.timing.drain_timeout
        self.draining = True
        self._leader.sweep_soon()
        self._watch(lambda: not self._leader.open or monotonic() >= deadline or self._shutdown_asked > 1)

    def _stop(self) -> None:
        self.stopped = True
        self._leader.wake()
        unfinished = self._leading is not None and wait([self._leading], timeout=1.0).not_done
        for request in self.admission.clear():
            request.close()
        self.left_behind = bool(unfinished or self.admission.running)
        if unfinished:
            _log.error("a thread hangs while it serves a file; it is left behind")
        else:
            self._leader.close()
        if self.admission.running:
            _log.error("%d requests still run; their threads are left behind", self.admission.running)
        self._pool.shutdown(wait=not self.left_behind)

    # -- the watcher

    def _watch(self, enough: Callable[[], bool]) -> None:
        leader, leadership = self._leader, self.leadership
        seen = seen_turns = -1
        quiet = 0
        while not enough():
            self._rest(TICK if perf_counter() < self._alert_until else _CALM_TICK, quiet, seen_turns)
            mark, turns = leadership.mark, leader.turns
            attending = leadership.attending is not None
            if attending and mark == seen:
                self._promote(mark)
            quiet = 0 if attending or turns != seen_turns else quiet + 1
            seen, seen_turns = mark, turns
            overdue = self.admission.overdue(perf_counter())
            if overdue is not None:
                self._submit(self._work, overdue)
            if self.switch_interval and self.admission.running != self._computing:
                self._share_interpreter()
            self.service_actions()

    def _share_interpreter(self) -> None:
        """Few threads compute: short turns, so that the leader gets one soon. Many: longer ones, for each costs."""
        self._computing = self.admission.running
        sys.setswitchinterval(self.switch_interval * max(1.0, self._computing / 2))

    def _rest(self, tick: float, quiet: int, seen_turns: int) -> None:
        """One tick; or, after so many quiet ones, until the leader has something or somebody calls."""
        if quiet < _QUIET_TICKS:
            self._wait_for_bell(tick)
        else:
            self.watcher_sleeps = True
            if self._leader.turns == seen_turns:  # else it began before it could see that the watcher sleeps
                self._wait_for_bell(_REST)
            self.watcher_sleeps = False

    def _wait_for_bell(self, timeout: float) -> None:
        with contextlib.suppress(Empty):
            self._bell.get(timeout=timeout)
            while True:  # however often it was rung
                self._bell.get_nowait()

    def _promote(self, mark: int) -> None:
        number = self.leadership.relieve(mark)
        if number is not None:
            self.admission.occupy()
            self._lead(number)

    def _lead(self, number: int) -> bool:
        leading = self._submit(self._run_leader, number)
        if leading is None:
            return False
        self._leading = leading
        return True

    def _run_leader(self, number: int) -> None:
        """A pool thread: leads; should that fail, another one takes over."""
        try:
            self._leader.lead(number)
        except Exception:  # noqa: BLE001 - whatever it is, somebody has to lead
            _log.exception("tpserver has a fault in its leader; another one takes over")
            if number == self.leadership.number and not self.stopped:
                self._lead(self.leadership.appoint())

    def _submit(self, work: Callable[..., None], argument: Any) -> Future[None] | None:
        try:
            return self._pool.submit(work, argument)
        except RuntimeError as error:
            if self.stopped:
                return None
            # The pool keeps what it was given: a thread that is free takes it.
            _log.error("cannot start a thread (%s); going on with those that there are", error)
            return None
