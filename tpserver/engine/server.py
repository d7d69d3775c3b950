"""The server: starts, admits, chooses the thread, drains and stops. socketserver's words keep their meaning.

A *request* is one complete request of the protocol on its connection. `serve_forever` is the watcher:
it relieves a leader that stays with one request for longer than a tick.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic, perf_counter, thread_time
from typing import Any, Final

from tpserver.engine.admission import KEPT_FOR, Admission
from tpserver.engine.connection import MAX_OUTBOX, Connection
from tpserver.engine.connections import SWEEP
from tpserver.engine.counters import Counters
from tpserver.engine.errors import EngineBroken
from tpserver.engine.figures import figures
from tpserver.engine.leader import Leader
from tpserver.engine.leadership import Leadership
from tpserver.engine.listener import ListeningServer, check_listening_socket
from tpserver.engine.pace import Timing
from tpserver.engine.placement import Placement
from tpserver.engine.pool import Pool, Turn
from tpserver.engine.protocol import ConnectionProtocol
from tpserver.engine.rescue import Rescue
from tpserver.engine.routes import COMPUTING, HAND_OVER, QUICK
from tpserver.engine.running import Running
from tpserver.engine.shield import Shielded
from tpserver.engine.watcher import TICK, Watcher
from tpserver.logs.log import Log

_log = Log("tpserver")

# Seconds in line after which a client that has closed its side is taken to have left. One that has only nothing more to
# send looks the same, and shall not miss its answer where nothing is amiss.
LEFT_AFTER: Final = 0.1
# Threads beyond those of the application, made when they are needed: one leads, others were relieved while they waited
# for a disk. When all of them do, nobody leads.
_SPARE_THREADS: Final = 64


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

        `threads` requests of the application run at once, `queue` more wait, for `queue_timeout` seconds at the
        most (0: for ever). `in_place` False: the leader runs none of them. `max_outbox`: bytes of a response
        that wait in memory for their client, before the thread that makes them does. A request that has run for
        `slow_request` seconds is logged (0: never). The other limits: 0 is none.
        """
        if ":" in server_address[0]:
            self.address_family = socket.AF_INET6
        self.protocol = protocol
        self.max_connections = max_connections
        self.max_connections_per_ip = max_connections_per_ip
        self.max_outbox = max_outbox
        self.queue_timeout = queue_timeout
        self._in_place = in_place
        self.timing = timing or Timing()
        self.admission = Admission(threads, queue)
        self.leadership = Leadership()
        self.draining = False  # nothing new is taken
        self.stopped = True  # nobody leads
        self.left_behind = False  # threads still run, although the server has stopped
        self.handled = 0  # requests, so far
        self.pooled = 0  # of these in the pool; threads that overlap may lose one
        self._here: Any = None  # what the leader runs in place
        self.took_long = False  # one that ran in place: no response shall wait for the next
        self.running = Running(slow_request)
        self.refused = Counters()  # of refusals
        self.ended = Counters()  # of connections without an answer
        self.watcher = Watcher(self)
        self.placement = Placement()
        self._down = threading.Event()  # set while serve_forever does not run
        self._down.set()
        self._shutdown_asked = 0
        self.rescue = Rescue(self)
        # Of the calling thread: the `number` that it led by last, its `turn` (see `rescue`), and what it had computed
        # when it `began` to attend to what the last poll brought.
        self.mine = threading.local()
        super().__init__(server_address, RequestHandlerClass, bind_and_activate)

    # -- socketserver: a request's way

    def process_request(self, request: Any, client_address: Any) -> None:
        """The leader: chooses the thread. Here and now, in the pool, in line for it, or 503."""
        self.handled += 1
        if request.own:
            self._here = None
            self._answer_here(request, client_address)
            return
        route = self.placement.route(request)
        admission = self.admission
        now = request.arrived = perf_counter()
        quick = route.wait <= HAND_OVER and route.computing < COMPUTING  # `route.quick`, without the call
        if quick:
            here = admission.running < admission.threads
        else:
            here = admission.room(kind=route.kind, now=now) and route.on_trial()
        number = self.mine.number
        # A leader that was relieved while it received runs nothing: nobody would count it.
        if not (here and self._in_place) or request.arrives_yet or number != self.leadership.number:
            self._hand_over(request, route.kind, now)
            return
        # The computing clock is a system call, so it is read only where it may be needed.
        computing = thread_time() if route.suspect else None
        self._here = request
        self._answer_here(request, client_address)
        elapsed = perf_counter() - now
        if number == self.leadership.number:
            self._here = None
        if elapsed < TICK:
            admission.quick_until = now + KEPT_FOR
        if elapsed >= QUICK or route.suspect:
            self.took_long = elapsed >= QUICK
            self._learn(request, elapsed, computing, number)

    def _learn(self, request: Any, elapsed: float, computing: float | None, number: int) -> None:
        """After a run in place by the leader `number`, who may have been relieved meanwhile."""
        if elapsed >= TICK:
            self.watcher.alert()
        if number != self.leadership.number:
            begun = self.mine.began if computing is None else computing
            self.placement.learn_end(request, elapsed, thread_time() - begun)
            self._sort_lines()
        else:
            self.placement.learn(request, elapsed, None if computing is None else thread_time() - computing)

    def _sort_lines(self) -> None:
        """Something has been learnt: those that wait may be of another kind than they were taken for."""
        if self.admission.waiting:
            self.admission.sort(lambda request: self.placement.route(request).kind)

    def _answer_here(self, request: Any, client_address: Any) -> None:
        """In this thread. Never raises; what is left to send is the caller's business."""
        try:
            self.finish_request(request, client_address)
        except BaseException:  # noqa: BLE001 - one request must not end the others
            self.handle_error(request, client_address)

    def _hand_over(self, request: Any, kind: int, now: float) -> None:
        entered = self.admission.enter(request, kind=kind, now=now)
        if entered is None:
            self.refused.add("queue full")
            self._refuse(request)
        elif entered:
            self._submit(self._work, request)

    def shutdown_request(self, request: Any) -> None:
        """The thread that ran `request`: gives its connection back to the leader."""
        self.leader.give_back_flushed(request.connection)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """A pool thread: as in socketserver, but what is no `Exception` does not end it either."""
        try:
            self._answer_here(request, client_address)
        except BaseException:  # it came from outside, perhaps before there was an answer
            request.connection.abort()
            raise
        finally:
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A fault of the handler's, not of the application's: logged, and the connection is closed."""
        _log.exception("tpserver has a fault; the connection that it happened on is closed")
        request.connection.abort()

    def _work(self, request: Any, turn: Turn) -> None:
        """A pool thread: one request, if nobody has come for it before, and those that wait in line behind it."""
        try:
            if self.admission.claim(request, turn):
                self._run_all(request, turn)
        except BaseException:  # noqa: BLE001 - a fault of ours; or an exception that was meant for the application
            # What is still in this turn is found by `rescue`.
            _log.exception("tpserver has a fault; what it happened on is closed")

    def _run_all(self, request: Any, turn: Turn) -> None:
        """A pool thread: one request that it has claimed, and those that wait in line behind it."""
        while request is not None:
            wanted = not request.waited or self._still_wanted(request)
            if wanted:
                self._run(request)
            request = self.admission.leave(request, perf_counter(), ran=wanted, turn=turn)

    def _run(self, request: Any) -> None:
        """A pool thread: one request, and what it teaches."""
        begun, computed = perf_counter(), thread_time()
        self.running.begin(request, begun, threading.get_ident())
        self.pooled += 1
        self.process_request_thread(request, request.connection.client_address)
        now = perf_counter()
        self.running.end(now)
        before = self.placement.route(request).kind
        self.placement.learn_long(request, now - begun, thread_time() - computed)
        if self.placement.route(request).kind != before:
            self._sort_lines()

    def _still_wanted(self, request: Any) -> bool:
        """Whether one that has waited in line is to run; if not, it has been dealt with."""
        waited = perf_counter() - request.arrived
        if waited >= LEFT_AFTER and request.connection.client_gone():
            self._drop(request)
            return False
        if self.queue_timeout and waited >= self.queue_timeout:
            self.refuse_expired(request)
            return False
        return True

    def serve_waiting(self) -> None:
        """A leader that was relieved and has finished: goes on as a pool thread."""
        now, turn = perf_counter(), self.mine.turn
        request = self.running.end(now)
        self.rescue.strays.pop(turn, None)
        if request is not None:
            self._run_all(self.admission.leave(None, now, relieved=request, turn=turn), turn)

    # -- socketserver: the life of the server

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serves until `shutdown` is called, then drains. The calling thread becomes the watcher, or waits for it.

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
        self.watcher.wake()

    def _serve(self, enough: Callable[[], bool]) -> None:
        if threading.current_thread() is threading.main_thread():  # where signal handlers run, which may raise
            try:
                Shielded(partial(self._serve_here, enough), self.watcher.interrupted).run()
            finally:
                if not self.stopped:  # so many signals at once that it did not hold: nobody waits for it any more
                    self._shutdown_asked += 2
                    self.watcher.wake()
                    self._down.wait()
                self.watcher.tell_late()
        else:
            self._serve_here(enough)

    def _serve_here(self, enough: Callable[[], bool]) -> None:
        check_listening_socket(self.socket)
        self._broken: EngineBroken | None = None
        self._pool = Pool(self.admission.threads + _SPARE_THREADS)
        self.leader = Leader(self, self.timing)
        self._down.clear()
        self.stopped = self.draining = self.protocol.draining = False
        if self.leader.table.capacity < self.max_connections:
            _log.warning("only %d connections at once: more are not to be had here", self.leader.table.capacity)
        try:
            if not self.start_leader(self.leadership.appoint()):
                raise RuntimeError("cannot start a single thread: nobody would serve")
            self.watcher.watch(enough)
            self._drain()
        finally:
            try:
                self._stop()
                self.service_actions()
            finally:
                self._shutdown_asked = 0
                self._down.set()
        if self._broken is not None:
            raise self._broken

    def _drain(self) -> None:
        deadline = monotonic() + self.timing.drain_timeout
        self.draining = self.protocol.draining = True
        self.leader.sweep_soon()
        self.watcher.watch(lambda: self._all_done() or monotonic() >= deadline or self._shutdown_asked > 1)

    def _all_done(self) -> bool:
        # A thread gives its connection back first, and leaves then.
        return self.leader.table.drained and not (self.admission.running or self.admission.waiting)

    def _stop(self) -> None:
        self.stopped = True
        self.leader.wake()
        leading = self.leadership.close()
        # Longer than the longest poll: the descriptor that wakes the leader may have been closed behind our back.
        unfinished = leading is not None and not self._pool.wait_for(leading, 2 * SWEEP)
        for request in self.admission.clear():
            request.close()
        self.left_behind = bool(unfinished or self.admission.running or self.running.strays)
        if unfinished or self.running.strays:
            _log.error("a thread hangs while it serves a file; it is left behind")
        if not unfinished:
            self.leader.table.close()
        self.protocol.end()
        if self.admission.running:
            _log.error("%d requests still run; their threads are left behind", self.admission.running)
        self._pool.shutdown(wait=not self.left_behind)

    # -- figures

    def stats(self) -> dict[str, Any]:
        """The figures of this moment, see `figures`. Any thread may call, whether the server runs or not."""
        return figures(self)

    def connections(self) -> list[Connection]:
        """Those that are open, to be looked at. Any thread; the answer is a moment's."""
        return [] if self.stopped else self.leader.connections()

    def connection_states(self) -> dict[str, int]:
        """How many connections are open, and in which state. Any thread; a snapshot."""
        states: dict[str, int] = dict.fromkeys(("open", "idle", "head", "body", "running", "sending", "lingering"), 0)
        return states if self.stopped else self.leader.table.states()

    @property
    def in_application(self) -> bool:
        """Whether the leader runs the application just now. A moment's answer."""
        here = self._here
        return here is not None and here.connection is self.leadership.attending

    # -- what the watcher does to the server

    def promote(self, mark: int) -> None:
        """The watcher: relieves a leader that is still at what `mark` stands for."""
        number = self.leadership.relieve(mark, self._count_relieved)
        if number is not None:
            self.start_leader(number)

    def replace_leader(self) -> None:
        """The watcher: nobody leads any more. Another one begins with a look at what the one before has left."""
        suspect = self.leadership.attending
        number = self.leadership.appoint()
        self.leader.check_soon(suspect)
        self.start_leader(number)

    def owned(self) -> set[Connection]:
        """The connections of all requests that wait and run, and of relieved leaders. A moment's answer."""
        # In the order in which they go from one to the next.
        strays = self.rescue.strays.copy().values()
        waiting = [request.connection for request in self.admission.in_line()]
        running = [request.connection for request in self.admission.held.copy()]
        return {*strays, *waiting, *running}

    def _count_relieved(self, connection: Connection) -> None:
        """The watcher, while the leader that it relieves cannot end what it is at."""
        request, turn, now = self._here, self.leadership.turn, perf_counter()
        assert turn is not None  # it attends to something
        if request is not None and request.connection is connection:
            self.watcher.alert()  # the next one is likely to come soon
            self.running.begin(request, now, turn.thread)
            self.admission.occupy(now, request, turn)
            self.placement.learn_relief(request)
        else:  # it receives, or sends a file: from or to a slow disk
            self.running.begin(None, now, turn.thread)
            self.rescue.strays[turn] = connection

    def start(self, request: Any) -> None:
        """The watcher: `request`, which has been counted, runs in the pool."""
        self._submit(self._work, request)

    def drop_left(self) -> None:
        """The watcher: those in line whose clients have gone give their places to others."""
        now = perf_counter()
        for request in self.admission.in_line():
            left = now - request.arrived >= LEFT_AFTER and request.connection.client_gone()
            if left and self.admission.take_out(request):
                self._drop(request)

    def _drop(self, request: Any) -> None:
        """Its owner: `request` will not be run, for nobody waits for it."""
        self.ended.add("client gone")
        request.connection.abort()
        request.close()
        self.shutdown_request(request)

    def refuse_expired(self, request: Any) -> None:
        """Whoever took `request` out of its line: it has waited for too long, and is answered unrun."""
        self.refused.add("queue timeout")
        try:
            self._refuse(request)
        finally:
            self.shutdown_request(request)

    def _refuse(self, request: Any) -> None:
        request.connection.write(self.protocol.overload(request, self.admission.retry_after))
        request.close()

    def start_leader(self, number: int) -> bool:
        """The watcher: a thread of the pool shall lead by `number`. False: there is none, perhaps not yet."""
        return self._submit(self._run_leader, number)

    def _run_leader(self, number: int, turn: Turn) -> None:
        """A pool thread: leads; should that fail, the watcher makes another one, at its next look."""
        try:
            self.mine.turn = turn
            if self.leadership.take(number, turn):
                self.leader.lead(number)
        except EngineBroken as error:
            if self._broken is None:
                _log.critical("cannot go on serving: %s; stopping", error)
            self._broken = error
            self.begin_shutdown()  # once more when it cannot even drain
        except BaseException:  # noqa: BLE001 - whatever it is, somebody has to lead
            _log.exception("tpserver has a fault in its leader; another one takes over")
            self.watcher.wake()

    def _submit(self, work: Callable[[Any, Turn], None], argument: Any) -> bool:
        """Whether there is a thread for it, as far as is known."""
        try:
            self._pool.submit(work, argument)
        except RuntimeError as error:
            if not self.stopped:
                _log.error("cannot start a thread (%s); going on with those that there are", error)
            return False
        return True
