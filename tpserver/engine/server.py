"""The server: what it is made of, and socketserver's face on the engine. `life` has what `serve_forever` does.

socketserver's words keep their meaning; a hook that does something unusual says so first.
"""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from tpserver.engine.admission import Admission
from tpserver.engine.costs import Costs
from tpserver.engine.dispatch import Dispatch
from tpserver.engine.hanging import Hanging
from tpserver.engine.lagging import LAGGING_LEADERS
from tpserver.engine.leader import Leader
from tpserver.engine.leadership import Leadership
from tpserver.engine.life import Life, LivingServer
from tpserver.engine.lost_tasks import LostTasks
from tpserver.engine.pool import Pool
from tpserver.engine.slow_log import SlowLog
from tpserver.engine.stats import Stats, collect
from tpserver.engine.task import Tasks
from tpserver.engine.waiting import Waiting
from tpserver.engine.watcher import Watcher
from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.system.interpreter import has_lock
from tpserver.transport.connection import INTERNAL_ERROR, MAX_OUTBOX, RUNNING, SENDING, Connection
from tpserver.transport.connections import Connections
from tpserver.transport.endpoint import Endpoint
from tpserver.transport.listener import Listener
from tpserver.transport.listening import BACKLOG, SocketOptions, addresses
from tpserver.transport.outbox import device_name
from tpserver.transport.pace import Timing
from tpserver.transport.protocol import CONTENTS, Address, ConnectionProtocol, Request
from tpserver.transport.states import count

if TYPE_CHECKING:
    from tpserver.transport.tls import TLS

_log = Log("tpserver")

# Threads that lead, or were relieved of something else than requests and have not come back: of slow disks. When all of
# them are at something, no thread leads: see hanging.
_MOST_LEADERS: Final = 64
# Threads that close files of a disk that hangs: that may hang as well.
_MOST_CLOSING: Final = 4
# The switch interval grows with the square of what runs and computes, from this many requests on. Threads that wait
# for the interpreter wake up once an interval each, and each switch costs. Measured with 8 threads that compute for
# 1 ms and wait for 1 ms: 490, 640 and 580 requests/s with 0.4, 2 and 8 ms. Those that mostly wait do not count: one
# that wakes up beside a busy leader waits for an interval before it is over.
_FROM: Final = 2


class Server(socketserver.ThreadingMixIn, LivingServer):
    """A leader/followers server on one listening socket. Any thread may call what does not say otherwise."""

    daemon_threads = True

    def __init__(
        self,
        server_address: tuple[str, int],
        RequestHandlerClass: Callable[[Any, Any, Any], socketserver.BaseRequestHandler],
        protocol: ConnectionProtocol,
        *,
        threads: int = 8,
        stream_threads: int = 0,
        queue: int = 1024,
        queue_timeout: float = 0.0,
        in_place: bool = True,
        max_connections: int = 10_000,
        max_connections_per_ip: int = 0,
        max_outbox: int = MAX_OUTBOX,
        sendfile: bool = True,
        slow_request: float = 0.0,
        timing: Timing | None = None,
        tls: TLS | None = None,
        bind_and_activate: bool = True,
        endpoints: Sequence[Endpoint] = (),
        socket_options: SocketOptions | None = None,
        backlog: int = BACKLOG,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        """Binds and listens: at `endpoints` where there are some, else at `server_address`. Raises OSError.

        `sockets` that listen already are taken as they are, in place of all addresses. The server closes them at its
        end; other processes may go on with theirs.

        `threads` requests of the application run at once, and one quick one more in place. Up to `stream_threads` that
        wait for their clients (to read a stream, or to send a content) are not counted. `queue` more wait, for
        `queue_timeout` seconds at most (0: no limit). `in_place` False, or one thread: the leader runs none.
        `max_outbox`: bytes of a stream that wait in memory for its client before its producer does. A request that
        has run for `slow_request` seconds is logged (0: never). `sendfile` False: files are read and sent.
        The other limits: 0 is none. `tls`: connections are encrypted.
        """
        self.endpoints, self.given = endpoints, sockets
        if socket_options is not None:
            self.socket_options = socket_options
        if backlog != BACKLOG:  # a class may say otherwise by its attribute
            self.request_queue_size = backlog
        if ":" in server_address[0] or {family for family, _ in addresses(server_address[0])} == {socket.AF_INET6}:
            self.address_family = socket.AF_INET6
        self.protocol = protocol
        self.max_connections = max_connections
        self.max_connections_per_ip = max_connections_per_ip
        self.max_outbox = max_outbox
        self._sendfile = sendfile
        self.tls = tls
        self.timing = timing or Timing()
        self.send_timeout = self.timing.send_timeout
        self.handled = 0  # requests, so far
        self.refused: Counter[str] = Counter()  # by cause, as `ended`; two threads that overlap may lose one
        self.ended: Counter[str] = Counter()  # connections that ended without an answer
        self.tasks = Tasks()
        in_place = in_place and threads > 1  # with one thread the application runs in exactly one: that of the pool
        self.costs = Costs(threads, trials=in_place)
        self.admission = Admission(self.tasks, self.costs, threads, queue, in_place=in_place, one_computes=has_lock())
        self.admission.stream_threads = stream_threads
        self.hanging = Hanging(self.tasks.detours)
        self.leadership = Leadership()
        self.slow_log = SlowLog(self.tasks, slow_request)
        self.switch_interval = 0.0  # the interpreter's, in seconds, while one or two requests run; 0: is left alone
        self.watcher = Watcher(self.leadership, self._relieve, lambda: self.leader.turns)
        self._queue_timeout = queue_timeout
        self._stopped = threading.Lock()
        self._at_work = {}
        super().__init__(server_address, RequestHandlerClass, bind_and_activate)

    def _build(self) -> None:
        self.protocol.hanging, self.protocol.detours = self.hanging, self.tasks.detours
        threads = self.admission.threads + self.admission.stream_threads
        self.pool = Pool(threads)
        # The others were relieved of requests.
        self._bench = Pool(_MOST_LEADERS + threads + LAGGING_LEADERS, "tpserver-leader")
        self._closing = Pool(_MOST_CLOSING, "tpserver-closing")
        tls = self.tls
        self.connections = Connections(
            self.protocol,
            self,
            timing=self.timing,
            max_connections=self.max_connections,
            max_connections_per_ip=self.max_connections_per_ip,
            max_outbox=self.max_outbox,
            sendfile=self._sendfile,
            new_connection=tls.maker(self.protocol, self.ended, lambda: self.leader.turns) if tls else None,
            refused=self.refused,
            ended=self.ended,
        )
        self._dispatch = dispatch = Dispatch(
            tasks=self.tasks,
            costs=self.costs,
            admission=self.admission,
            leadership=self.leadership,
            pool=self.pool,
            slow_log=self.slow_log,
            answer=self._answer,
            refuse=self._refuse,
            place_name=self._place_name,
            note_answer=self.hanging.note_answer,
            connections=self.connections,
        )
        self.leader = Leader(
            self.connections,
            self.leadership,
            dispatch,
            self.tasks,
            self.protocol,
            self.watcher,
            self.hanging,
            self._closing,
            process_request=self.process_request,
        )
        self.watcher.busy = lambda: bool(self.tasks.running or self.tasks.waiting)
        self._waiting = Waiting(
            self.tasks, dispatch, self._refuse, self.protocol.leave, self.ended, self._queue_timeout
        )
        lost_tasks = LostTasks(self.tasks, self.leadership, self.pool, dispatch, self._is_at_work)
        self.watcher.checks = [
            dispatch.promote_waiting,
            self._set_switch_interval,
            lambda now: self.service_actions(),
        ]
        if self.balances:
            self.watcher.checks.append(self._accept_again)
        self.watcher.rare_checks = [
            self._waiting.check,
            self.slow_log.check,
            lost_tasks.check,
            lambda now: self._replace_lost_leader(),
        ]

    # -- the watcher's rounds

    def has_queue(self) -> bool:
        """Any thread; the answer is a moment's."""
        return self.tasks.waiting > 0

    def _accept_again(self, now: float) -> None:
        listener = self.connections.listener
        if not (listener.watched or listener.closed or self.has_queue()):
            self.connections.mailbox.post(Listener.watch, listener)

    def _set_switch_interval(self, now: float) -> None:
        if self.switch_interval:
            computing = sum(not task.mostly_waits for task in list(self.tasks.running))
            sys.setswitchinterval(self.switch_interval * max(1.0, (computing / _FROM) ** 2))

    def _place_name(self, connection: Connection) -> str:
        """The watcher: what the leader that is at `connection` waits for, if not for the application."""
        device = device_name(connection.outbox)
        if device or connection.state is SENDING:
            return device
        return self.protocol.place_name() if connection.state is RUNNING else CONTENTS

    # -- socketserver: a request's way

    def process_request(self, request: Request, client_address: Address) -> bool:  # type: ignore[override]
        """Unusual: called by the leader, and says whether the request was answered here. Else it is the pool's."""
        self.handled += 1
        now = request.arrived = clock.perf_counter()
        connection: Connection = request.connection  # type: ignore[assignment]  # the leader has set it
        if request.answer_at_once():
            return True
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
        self.refused[cause] += 1
        connection.write(self.protocol.overload(request, self.admission.retry_after, cause))
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
        """Serves one request, then drains and returns.

        Where `timeout` is set and no request has come after so many seconds, it calls `handle_timeout`.
        """
        before, timeout = self.handled, self.timeout
        end = float("inf") if timeout is None else clock.monotonic() + timeout
        self._serve(lambda: self.handled > before or clock.monotonic() >= end)
        if self.handled == before and clock.monotonic() >= end:
            self.handle_timeout()

    def shutdown(self) -> None:
        """Stops `serve_forever`: takes nothing new, finishes what runs, and blocks until that is done.

        Must not be called by the thread that is in `serve_forever`, nor by an application.
        """
        self.begin_shutdown()
        with self._stopped:
            pass

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
                "limit": self.max_connections,
                **count(self.connections.by_fd.copy().values() if serving else ()),
            },
            requests={
                "handled": self.handled,
                "in_pool": self._dispatch.pooled if self.life is not Life.NEW else 0,
                "promotions": max(self.leadership.term - 1, 0),
                "slow": self.slow_log.count,
            },
            refused=dict(self.refused),
            ended=dict(self.ended),
        )
