"""The leader's work: poll, receive, run or hand over, send what is left.

Exactly one thread at a time leads (the Leader/Followers pattern). It attends to one connection after
another; while it does, the watcher may relieve it: `Leadership` says how. Everything here that
touches the `Table` is done by the current leader only.
"""

from __future__ import annotations

import contextlib
from collections import deque
from time import monotonic, thread_time
from typing import TYPE_CHECKING, Final

from tpserver.engine.connection import ANSWERED, LINGERING, READY, RECEIVING, SENDING, Connection
from tpserver.engine.polling import NOTHING, READ, WRITE
from tpserver.engine.table import Table
from tpserver.engine.timing import Timing
from tpserver.logs.log import Log
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
        self.table = Table(server, timing)
        # Answered in this turn, and not yet offered to the socket. In front of the leader, so to speak: a new
        # one goes on with them.
        self._unsent: list[Connection] = []
        self._returned: deque[Connection] = deque()  # given back by other threads; any thread appends
        # Streams whose clients lag, each once: to be watched for room. Any thread adds; the leader takes them out.
        self._lagging: dict[Connection, None] = {}
        self._receive_call: Receive = receive
        self._send_call: Send = send
        self.turns = 0  # that brought something: the watcher looks whether it grows
        self.sleeping = False
        self._check_wanted = False
        self._suspects: list[Connection] = []  # that a leader was at when it failed

    # -- for any thread

    def give_back(self, connection: Connection) -> None:
        """Any thread that owns `connection`: its request has been answered, the leader has it again."""
        self._returned.append(connection)
        # One that only awaits its next request, and is watched, need not wake the leader: that request will,
        # and what was given back is taken back before anything else. Asked when it has been given back: a leader
        # that stops watching it later finds it before it sleeps.
        if self.sleeping and not (connection.polled == READ and connection.idle):
            self.table.wakeup.ring()

    def give_back_flushed(self, connection: Connection) -> None:
        """As `give_back`, with what there is to send offered to the socket before. Never raises."""
        try:
            connection.flush(send_holding)
        except BaseException:  # noqa: BLE001 - the connection is given back, whatever happens
            _log.exception("tpserver has a fault; the connection that it happened on is closed")
            connection.abort()
        self.give_back(connection)

    def borrow(self, connection: Connection) -> None:
        """The thread that produces a stream, and owns `connection`: it is lent, so that what is left over is sent."""
        self._lagging[connection] = None
        # One that is watched for room need not wake the leader, as in `give_back`.
        if self.sleeping and connection.polled != WRITE:
            self.table.wakeup.ring()

    def wake(self) -> None:
        """Any thread: the leader shall look up from its poll."""
        self.table.wakeup.ring()

    def connections(self) -> list[Connection]:
        """Those that there are, to be looked at. Any thread; the answer is a moment's."""
        return list(self.table.connections.copy().values())

    @property
    def open(self) -> int:
        """How many connections there are. Any thread may ask; the answer is a moment's."""
        return len(self.table.connections)

    def sweep_soon(self) -> None:
        """Any thread: something has changed that a sweep sees."""
        self.table.next_sweep = 0.0
        self.table.wakeup.ring()

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
        connections = self.table.connections
        admission = self._server.admission
        self._server.mine.number = number
        unsent = self._unsent
        self._send_unsent(monotonic())  # what the leader before was relieved of
        while not self._server.stopped:
            events = self._poll()
            now = monotonic()
            self._server.mine.began = thread_time()
            # Others that run may compute: they shall not get the interpreter at each system call.
            self._receive_call, self._send_call = _HOLDING if admission.running else _LETTING_GO
            self._protocol.begin_turn()
            self._take_back(now)
            if self._lagging:
                self._watch_lagging()
            if self.table.ready:
                events = self._with_ready(events)
            for fd, _ in events:
                connection = connections.get(fd)
                if connection is None:
                    self._attend_other(fd, now)
                    continue
                if connection.away:
                    if not (connection.lent and self._send_lent(connection)):
                        self.table.watch(connection, NOTHING)  # its owner is at work; what comes waits in the socket
                    continue
                if connection.state == READY:
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
                if connection.whole is None:
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
        now = monotonic()
        if self._server.closed:
            self.table.listener.close()
        self.table.listener.refresh(now)
        self.sleeping = True  # from here on whoever gives a connection back rings
        if self.table.ready or self._returned or self._lagging:
            timeout = 0.0
        else:
            timeout = max(0.0, min(self.table.next_sweep - now, self.table.listener.rest_left(now)))
        try:
            events = self.table.poller.poll(timeout)
        except (OSError, ValueError) as error:
            events = []
            if not (self._server.closed and self.table.listener.watched):  # else that is it: it was closed just now
                self.table.renew_poller(error)
        self.sleeping = False
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
        if fd == self.table.wakeup.fd:
            self.table.wakeup.silence()
        elif fd == self.table.listener.fd:
            self.table.admit_all(self.table.listener.accept(now), now)

    def _leave(self, connection: Connection, mine: bool) -> None:
        """A relieved leader has finished what it was at, and becomes a pool thread like any other."""
        if mine:
            self.give_back_flushed(connection)
        self._server.serve_waiting()

    def _take_back(self, now: float) -> None:
        returned = self._returned
        while returned:
            connection = returned[0]
            connection.away = False
            returned.popleft()  # not before: who is interrupted in between has lost nothing
            connection.credit = None
            connection.lags = False
            if self.table.connections.get(connection.fd) is not connection:  # of an earlier serve_forever
                connection.close()
                continue
            self.table.settle(connection, now)

    def _check(self) -> None:
        """Ends what was lost with a thread that was interrupted. Between two turns nobody is being attended to."""
        self._check_wanted = False
        owned = self._server.owned() | set(self._returned.copy())
        while self._suspects:
            suspect = self._suspects.pop()
            if suspect not in owned:
                suspect.abort()
        for connection in self.connections():
            if connection.away:
                if connection in owned:
                    continue
                connection.away = False
                connection.abort()
            elif connection.state == ANSWERED or (connection.state == READY and connection not in self.table.ready):
                connection.abort()
            try:
                if connection.broken:
                    self.table.drop(connection)
                else:  # whoever was to watch it was interrupted, perhaps
                    self.table.watch(connection, WRITE if connection.state == SENDING else READ)
            except (OSError, KeyError, ValueError):  # or had done so, but not said so
                self.table.drop(connection)

    def _watch_lagging(self) -> None:
        while self._lagging:
            connection, _ = self._lagging.popitem()
            # Else it has been given back, and is dealt with as all others are.
            if connection.away and self.table.connections.get(connection.fd) is connection:
                with contextlib.suppress(OSError, KeyError, ValueError):  # an application has closed its descriptor
                    self.table.watch(connection, WRITE)

    def _send_lent(self, connection: Connection) -> bool:
        try:
            return connection.send_lent()
        except BaseException:  # noqa: BLE001 - one connection must not end the others
            _log.exception("tpserver has a fault; a stream waits until its next piece is sent")
            return False

    # -- one connection. While attending, leadership may be lost: nothing from here to `_swallow` touches the poller.

    def _attend(self, connection: Connection, now: float) -> bool:
        """Moves one connection on; whether the caller still owns it (it may have gone to the pool)."""
        try:
            state = connection.state
            if state == RECEIVING:
                return self._receive(connection, now)
            if state == READY:
                return self._proceed(connection, b"")
            if state == SENDING:
                moved = connection.flush()
                connection.deadline = connection.pace.progress(connection.deadline, moved, now)
            elif state == LINGERING:
                self._swallow(connection)
        except BaseException:  # noqa: BLE001 - one connection must not end the others
            _log.exception("tpserver has a fault; the connection that it happened on is closed")
            if connection.away and self._server.mine.number == self._leadership.number:
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
            if connection.phase == "body":
                connection.deadline = connection.pace.progress(connection.deadline, len(data), now)
            if len(data) < RECEIVE or connection.state != RECEIVING:
                return True
        return True

    def _proceed(self, connection: Connection, data: bytes) -> bool:
        """Gives the receiver what has come, and does what it answers; whether the caller still owns the connection."""
        receiver = connection.receiver
        outcome = receiver.receive(data)
        while outcome is not None:
            if outcome.kind == "request":
                connection.state = ANSWERED
                outcome.connection = connection
                self._server.process_request(outcome, connection.client_address)
                if outcome.handed_over:
                    return False
                if connection.whole is None:
                    connection.flush()
                return True  # a response in one piece is sent with others, see `_send_unsent`
            connection.write(outcome.data)
            connection.flush()
            if outcome.kind == "refusal":
                self._server.tally.add(outcome.cause)
                connection.state = ANSWERED
                connection.keep_alive = False
                return True
            outcome = receiver.receive(b"")
        connection.state = RECEIVING
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
