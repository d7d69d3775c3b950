"""The leader's work: poll, receive, run or hand over, send what is left.

Exactly one thread at a time leads (the Leader/Followers pattern). It attends to one connection after
another; while it does, the watcher may relieve it: `Leadership` says how. Everything here that
touches the `Connections` is done by the current leader only.
"""

from __future__ import annotations

from time import thread_time
from typing import TYPE_CHECKING, Final

from tpserver.engine.connection import Connection
from tpserver.engine.connections import Connections
from tpserver.engine.pace import Timing
from tpserver.engine.polling import NOTHING, READ, WRITE
from tpserver.engine.states import BODY, LINGERING, READY, RUNNING, SENDING
from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.system.gil_held_io import RECEIVE, Receive, Send, receive, receive_holding, send, send_holding

if TYPE_CHECKING:
    from tpserver.engine.server import Server

_log = Log("tpserver")

_LETTING_GO: Final = (receive, send)
_HOLDING: Final = (receive_holding, send_holding)
# So often a connection is received from in one turn, at the most.
_STEPS: Final = 8
# Responses that are held back for each other at the most.
_BATCH: Final = 32


class Leader:
    """The sockets of one server and what is done with them. `lead` runs in one pool thread after another."""

    def __init__(self, server: Server, timing: Timing) -> None:
        self._server = server
        self._leadership = server.leadership
        self._protocol = server.protocol
        self.table = Connections(
            server.protocol,
            server,
            timing=timing,
            max_connections=server.max_connections,
            max_connections_per_ip=server.max_connections_per_ip,
            max_outbox=server.max_outbox,
            refused=server.refused,
            ended=server.ended,
        )
        # Answered in this turn, and not yet offered to the socket. In front of the leader, so to speak: a new
        # one goes on with them.
        self._unsent: list[Connection] = []
        self._receive_call: Receive = receive
        self._send_call: Send = send
        self.turns = 0  # that brought something: the watcher looks whether it grows
        self._check_wanted = False
        self._suspects: list[Connection] = []  # that a leader was at when it failed

    # -- for any thread

    def give_back(self, connection: Connection) -> None:
        """Any thread that owns `connection`: its request has been answered, the leader has it again."""
        self.table.give_back(connection)

    def give_back_flushed(self, connection: Connection) -> None:
        """As `give_back`, with what there is to send offered to the socket before. Never raises."""
        try:
            connection.flush(send_holding)
        except BaseException:  # noqa: BLE001 - the connection is given back, whatever happens
            _log.exception("tpserver has a fault; the connection that it happened on is closed")
            connection.abort()
        self.give_back(connection)

    def wake(self) -> None:
        """Any thread: the leader shall look up from its poll."""
        self.table.mailbox.wake()

    def connections(self) -> list[Connection]:
        """Those that there are, to be looked at. Any thread; the answer is a moment's."""
        return list(self.table.by_fd.copy().values())

    @property
    def open(self) -> int:
        """How many connections there are. Any thread may ask; the answer is a moment's."""
        return len(self.table.by_fd)

    def sweep_soon(self) -> None:
        """Any thread: something has changed that a sweep sees."""
        self.table.next_sweep = 0.0
        self.table.mailbox.wake()

    def check_soon(self, suspect: Connection | None = None) -> None:
        """The watcher: a thread was interrupted; what it had in hand is to be found, with `suspect`, and closed.

        What is away stands in line, is held, or has been given back, in that order and without a gap.
        """
        if suspect is not None:
            self._suspects.append(suspect)
        self._check_wanted = True
        self.sweep_soon()

    # -- the leader's turn

    def lead(self, number: int) -> None:
        """Leads until relieved or stopped. Runs in a pool thread."""
        leadership = self._leadership
        lock = leadership.lock
        connections = self.table.by_fd
        admission = self._server.admission
        self._server.mine.number = number
        unsent = self._unsent
        self._send_unsent(clock.monotonic())  # what the leader before was relieved of
        while not self._server.stopped:
            events = self._poll()
            now = clock.monotonic()
            self._server.mine.began = thread_time()
            # Others that run may compute: they shall not get the interpreter at each system call.
            self._receive_call, self._send_call = _HOLDING if admission.running else _LETTING_GO
            self._protocol.begin_turn()
            self.table.mailbox.deliver()
            if self.table.ready:
                events = self._with_ready(events)
            for fd, _ in events:
                connection = connections.get(fd)
                if connection is None:
                    self._attend_other(fd, now)
                    continue
                if connection.detached:
                    self.table.send_on(connection)
                    continue
                if connection.state is READY:
                    del self.table.ready[connection]
                leadership.mark += 1
                leadership.attending = connection
                mine = self._attend(connection, now)
                with lock:
                    relieved = leadership.number != number
                    if not relieved:
                        leadership.attending = None
                if relieved:
                    self._leave(connection, mine)
                    return
                if not mine:
                    continue
                if connection.unsent_response is None:
                    self.table.settle(connection, now)
                    continue
                unsent.append(connection)
                if len(unsent) >= _BATCH or self._server.took_long:
                    self._send_unsent(now)
            self._send_unsent(now)
            if now >= self.table.next_sweep:
                if self._check_wanted:
                    self._check()
                self.table.sweep(now)

    def _send_unsent(self, now: float) -> None:
        """Sends the responses that were held back for each other.

        One after the other they cost less than each behind its request: a client that serves many connections
        is woken once. Measured: 60 000 instead of 52 000 requests/s.
        """
        while self._unsent:
            connection = self._unsent.pop(0)  # before anything can fail: the next leader shall not fail with it too
            try:
                connection.flush(self._send_call)
            except BaseException:  # noqa: BLE001 - one connection must not end the others
                _log.exception("tpserver has a fault; the connection that it happened on is closed")
                connection.abort()
            self.table.settle(connection, now)
        self._server.took_long = False

    def _poll(self) -> list[tuple[int, int]]:
        events = self.table.poll()
        if events or self.table.ready:
            self.turns += 1  # before the look at the watcher, which looks at this when it has lain down
            if self._server.watcher.sleeps:
                self._server.watcher.wake()
        return events

    def _with_ready(self, events: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """The turn's events, and behind them the connections whose next request is here already, each once."""
        ready = {connection.fd: NOTHING for connection in self.table.ready}
        return [event for event in events if event[0] not in ready] + list(ready.items())

    def _attend_other(self, fd: int, now: float) -> None:
        if fd == self.table.mailbox.fd:
            self.table.mailbox.silence()
        elif fd == self.table.listener.fd:
            self.table.accept(now)

    def _leave(self, connection: Connection, mine: bool) -> None:
        """A relieved leader has finished what it was at, and becomes a pool thread like any other."""
        if mine:
            self.give_back_flushed(connection)
        self._server.serve_waiting()

    def _check(self) -> None:
        """Ends what was lost with a thread that was interrupted. Between two turns nobody is being attended to."""
        self._check_wanted = False
        owned = self._server.owned() | {post.args[0] for post in self.table.mailbox.posts.copy()}
        while self._suspects:
            suspect = self._suspects.pop()
            if suspect not in owned:
                suspect.abort()
        for connection in self.connections():
            if connection.detached:
                if connection in owned:
                    continue
                connection.detached = False
                connection.abort()
            elif connection.state is RUNNING or (connection.state is READY and connection not in self.table.ready):
                connection.abort()
            if connection.broken:
                self.table.drop(connection)
            else:  # whoever was to watch it was interrupted, perhaps
                self.table.watch(connection, WRITE if connection.state is SENDING else READ)

    # -- one connection. While attending, leadership may be lost: nothing from here to `_swallow` touches the poller.

    def _attend(self, connection: Connection, now: float) -> bool:
        """Moves one connection on; whether the caller still owns it (it may have gone to the pool)."""
        try:
            state = connection.state
            if state is SENDING:
                connection.progress(connection.flush(), now)
            elif state is LINGERING:
                self._swallow(connection)
            elif state is READY:
                return self._proceed(connection, b"")
            else:
                return self._receive(connection, now)
        except BaseException:  # noqa: BLE001 - one connection must not end the others
            _log.exception("tpserver has a fault; the connection that it happened on is closed")
            if connection.detached and self._server.mine.number == self._leadership.number:
                return False  # handed over, or about to be
            connection.abort()
        return True

    def _receive(self, connection: Connection, now: float) -> bool:
        for _ in range(_STEPS):
            try:
                data = self._receive_call(connection.sock)
            except BlockingIOError:
                return True
            except OSError:
                data = b""
            if not data:
                connection.abort()  # the client has gone
                return True
            if not self._proceed(connection, data):
                return False
            if connection.state is BODY:
                connection.progress(len(data), now)
            if len(data) < RECEIVE or connection.state is RUNNING:
                return True
        return True

    def _proceed(self, connection: Connection, data: bytes) -> bool:
        """Gives the receiver what has come, and does what it answers; whether the caller still owns the connection."""
        receiver = connection.receiver
        outcome = receiver.receive(data)
        while outcome is not None:
            if outcome.kind == "request":
                connection.state = RUNNING
                outcome.connection = connection
                self._server.process_request(outcome, connection.client_address)
                if outcome.handed_over:
                    return False
                if connection.unsent_response is None:
                    connection.flush()
                return True  # a response in one piece is sent with others, see `_send_unsent`
            connection.write(outcome.data)
            if outcome.kind == "answer":
                connection.state = RUNNING
                self._server.handled += 1
                return True
            connection.flush()
            if outcome.kind == "refusal":
                self._server.refused.add(outcome.cause)
                connection.state = RUNNING
                connection.keep_alive = False
                return True
            outcome = receiver.receive(b"")
        return True

    def _swallow(self, connection: Connection) -> None:
        try:
            for _ in range(_STEPS):
                if not connection.sock.recv(RECEIVE):
                    connection.abort()
                    return
        except BlockingIOError:
            pass
        except OSError:
            connection.abort()
