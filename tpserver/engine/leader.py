"""The leader's work: poll, receive, run or hand over, send what is left, end what is too slow.

Exactly one thread at a time leads (the Leader/Followers pattern). It attends to one connection after
another; while it does, the watcher may relieve it: `Leadership` says how. Everything here that
touches the poller or the table of connections is done by the current leader only.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from time import monotonic, thread_time
from typing import TYPE_CHECKING, Any, Final

from tpserver.engine.connection import ANSWERED, LINGERING, NEVER, READY, RECEIVING, SENDING, Connection
from tpserver.engine.crowds import Crowds
from tpserver.engine.holding import RECEIVE, Receive, Send, receive, receive_holding, send, send_holding
from tpserver.engine.listeners import Listener, capacity, file_limit
from tpserver.engine.polling import NOTHING, READ, WRITE, new_poller
from tpserver.engine.timing import Pace, Timing
from tpserver.engine.wakeup import WakeUp

if TYPE_CHECKING:
    from tpserver.engine.server import Server

_log = logging.getLogger("tpserver")

_LETTING_GO: Final = (receive, send)
_HOLDING: Final = (receive_holding, send_holding)
# So often a connection is received from in one turn, at the most.
_STEPS: Final = 8
# Seconds between two looks at the deadlines; also the longest poll.
SWEEP: Final = 1.0
# Seconds that a closing connection waits for its client to close, swallowing what comes.
_LINGER: Final = 2.0
# Responses that are held back for each other at the most.
_BATCH: Final = 32
# Connections beyond the limit that may linger at once: as many as `select` on Windows has left.
_TURNED_AWAY: Final = 8


class Leader:
    """The sockets of one server and what is done with them. `lead` runs in one pool thread after another."""

    def __init__(self, server: Server, timing: Timing) -> None:
        self._server = server
        self._leadership = server.leadership
        self._protocol = server.protocol
        self._timing = timing
        self._pace = Pace(timing.min_rate, timing.grace, timing.send_timeout)
        self._poller = new_poller()
        self._connections: dict[int, Connection] = {}
        # Bytes of their next request are here already. In order; taken out when attended to, not before: a
        # leader that is relieved drops what it has not begun, and no poll brings these again.
        self._ready: dict[Connection, None] = {}
        # Answered in this turn, and not yet offered to the socket. In front of the leader, so to speak: a new
        # one goes on with them.
        self._unsent: list[Connection] = []
        self._returned: deque[Connection] = deque()  # given back by other threads; any thread appends
        self._wakeup = WakeUp()
        self._poller.watch(self._wakeup.fd, NOTHING, READ)
        self._listener = Listener(server, self._poller)
        self._receive_call: Receive = receive
        self._send_call: Send = send
        self.clock = threading.local()  # turn: what the thread had computed when its turn began
        self._crowds = Crowds(server.max_connections_per_ip)
        self._next_sweep = 0.0
        self.turns = 0  # that brought something: the watcher looks whether it grows
        self.sleeping = False
        self.capacity = capacity(server.max_connections, self._poller.capacity, file_limit())

    # -- for any thread

    def give_back(self, connection: Connection) -> None:
        """Any thread that owns `connection`: its request has been answered, the leader has it again."""
        # One that only awaits its next request, and is watched, need not wake the leader: that request will,
        # and what was given back is taken back before anything else.
        needless = connection.polled == READ and connection.idle
        self._returned.append(connection)
        if self.sleeping and not needless:
            self._wakeup.ring()

    def wake(self) -> None:
        """Any thread: the leader shall look up from its poll."""
        self._wakeup.ring()

    def connections(self) -> list[Connection]:
        """Those that there are, to be looked at. Any thread; the answer is a moment's."""
        return list(self._connections.copy().values())

    @property
    def open(self) -> int:
        """How many connections there are. Any thread may ask; the answer is a moment's."""
        return len(self._connections)

    # -- the leader's turn

    def lead(self, number: int) -> None:
        """Leads until relieved or stopped. Runs in a pool thread."""
        leadership = self._leadership
        lock = leadership.lock
        connections = self._connections
        admission = self._server.admission
        leadership.thread = threading.get_ident()
        unsent = self._unsent
        self._send_unsent(monotonic())  # what the leader before was relieved of
        while not self._server.stopped:
            events = self._poll()
            now = monotonic()
            self.clock.turn = thread_time()
            # Others that run may compute: they shall not get the interpreter at each system call.
            self._receive_call, self._send_call = _HOLDING if admission.running else _LETTING_GO
            self._protocol.begin_turn()
            self._take_back(now)
            if self._ready:
                events = self._with_ready(events)
            for fd, _ in events:
                connection = connections.get(fd)
                if connection is None:
                    self._attend_other(fd, now)
                    continue
                if connection.away:
                    self._watch(connection, NOTHING)  # its owner is at work; what comes waits in the socket
                    continue
                if connection.state == READY:
                    del self._ready[connection]
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
                    self._settle(connection, now)
                    continue
                unsent.append(connection)
                if len(unsent) >= _BATCH or self._server.took_long:
                    self._send_unsent(now)
            self._send_unsent(now)
            if now >= self._next_sweep:
                self._sweep(now)

    def _send_unsent(self, now: float) -> None:
        """Sends the responses that were held back for each other.

        One after the other they cost less than each behind its request: a client that serves many connections
        is woken once. Measured: 60 000 instead of 52 000 requests/s.
        """
        for connection in self._unsent:
            connection.flush(self._send_call)
            self._settle(connection, now)
        self._unsent.clear()
        self._server.took_long = False

    def _poll(self) -> list[tuple[int, int]]:
        now = monotonic()
        self._listener.refresh(now)
        self.sleeping = True  # from here on whoever gives a connection back rings
        if self._ready or self._returned:
            timeout = 0.0
        else:
            timeout = max(0.0, min(self._next_sweep - now, self._listener.rest_left(now)))
        events = self._poller.poll(timeout)
        self.sleeping = False
        if events:
            self.turns += 1  # before the look at the watcher, which looks at this when it has lain down
            if self._server.watcher.sleeps:
                self._server.watcher.wake()
        return events

    def _with_ready(self, events: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """The turn's events, and behind them the connections whose next request is here already, each once."""
        ready = {connection.fd: NOTHING for connection in self._ready}
        return [event for event in events if event[0] not in ready] + list(ready.items())

    def _attend_other(self, fd: int, now: float) -> None:
        if fd == self._wakeup.fd:
            self._wakeup.silence()
        elif fd == self._listener.fd:
            for sock, client_address in self._listener.accept(now):
                self._admit(sock, client_address, now)

    def _leave(self, connection: Connection, mine: bool) -> None:
        """A relieved leader has finished what it was at, and becomes a pool thread like any other."""
        if mine:
            connection.flush()
            self.give_back(connection)
        self._server.serve_waiting()

    def _take_back(self, now: float) -> None:
        returned = self._returned
        while returned:
            connection = returned.popleft()
            connection.away = False
            connection.away_deadline = 0.0
            if self._connections.get(connection.fd) is not connection:  # of an earlier serve_forever
                connection.close()
                continue
            self._settle(connection, now)

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
        except Exception:  # noqa: BLE001 - one connection must not end the others
            _log.exception("tpserver has a fault; the connection that it happened on is closed")
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
                connection.state = ANSWERED
                connection.keep = False
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

    # -- between two connections: the poller and the table are this thread's alone

    def _settle(self, connection: Connection, now: float) -> None:
        """What a connection waits for next, once it has been attended to or given back."""
        if connection.state == ANSWERED and connection.polled == READ and connection.idle and not self._server.draining:
            # The usual case first: answered, and the next request is still to come.
            connection.state = RECEIVING
            connection.phase = "nothing"
            connection.deadline = now + self._timing.idle_timeout
        elif connection.broken:
            self._close(connection)
        elif connection.outbox:
            if connection.state != SENDING:
                connection.state = SENDING
                # What the socket has taken already counts: the client has that to read.
                pace = connection.pace
                connection.deadline = pace.progress(pace.begin(now), connection.moved, now)
            self._watch(connection, WRITE)
        elif connection.state == RECEIVING:
            self._await_rest(connection, now)
        elif connection.state == LINGERING:
            self._watch(connection, READ)
        elif not connection.keep:
            self._linger(connection, now)
        elif connection.receiver.pending:
            connection.state = READY
            connection.phase = "nothing"
            connection.deadline = NEVER
            self._ready[connection] = None
        elif self._server.draining:
            self._linger(connection, now)
        else:
            connection.state = RECEIVING
            connection.phase = "nothing"
            connection.deadline = now + self._timing.idle_timeout
            self._watch(connection, READ)

    def _await_rest(self, connection: Connection, now: float) -> None:
        part = connection.receiver.part
        if part != connection.phase:
            if part == "head":
                connection.deadline = now + self._timing.head_timeout
            elif part == "body":
                connection.deadline = connection.pace.begin(now)
            connection.phase = part
        self._watch(connection, READ)

    def _linger(self, connection: Connection, now: float) -> None:
        """Half-close, read to the end, close: else the client's kernel may drop what it has not yet read."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        connection.state = LINGERING
        connection.deadline = now + _LINGER
        self._watch(connection, READ)

    def _admit(self, sock: socket.socket, client_address: Any, now: float) -> None:
        receiver = self._protocol.receiver(client_address)
        connection = Connection(sock, client_address, receiver, self._pace, self._server.max_outbox)
        connection.phase = "head"  # a new connection has as long for its first head as any later one
        connection.deadline = now + self._timing.head_timeout
        self._connections[connection.fd] = connection
        if len(self._connections) > self.capacity or not self._poller.takes(connection.fd):
            self._turn_away(connection, now, "connection limit")
        elif not self._crowds.enter(connection):
            self._turn_away(connection, now, "connection limit of one address")
        else:
            self._watch(connection, READ)

    def _turn_away(self, connection: Connection, now: float, why: str) -> None:
        """One connection too many: told so. Only some of these may linger, for they take descriptors too."""
        self._server.tally.add(why)
        connection.write(self._protocol.too_many_connections())
        connection.flush()
        connection.keep = False
        connection.state = ANSWERED
        if len(self._connections) <= self.capacity + _TURNED_AWAY and self._poller.takes(connection.fd):
            self._settle(connection, now)
        else:
            self._close(connection)

    def _watch(self, connection: Connection, wanted: int) -> None:
        if connection.polled != wanted:
            self._poller.watch(connection.fd, connection.polled, wanted)
            connection.polled = wanted

    def _close(self, connection: Connection) -> None:
        self._watch(connection, NOTHING)
        self._ready.pop(connection, None)
        self._crowds.leave(connection)
        del self._connections[connection.fd]
        connection.close()

    # -- deadlines and the end

    def _sweep(self, now: float) -> None:
        """Once in a while: ends what has taken too long."""
        self._next_sweep = now + SWEEP
        draining = self._server.draining
        if draining:
            self._listener.close()
        for connection in list(self._connections.values()):
            if connection.away:
                continue
            if connection.deadline <= now:
                self._expire(connection, now)
            elif draining and connection.state == RECEIVING and connection.receiver.part == "nothing":
                self._close(connection)

    def _expire(self, connection: Connection, now: float) -> None:
        if connection.state == SENDING or connection.phase == "body":
            self._server.tally.add("slow reader" if connection.state == SENDING else "slow body")
        elif connection.state == RECEIVING:
            self._server.tally.add("head timeout" if connection.phase == "head" else "idle timeout")
        last_words = connection.receiver.expire() if connection.state == RECEIVING else b""
        if not last_words:
            self._close(connection)
            return
        connection.write(last_words)
        connection.flush()
        connection.state = ANSWERED
        connection.keep = False
        self._settle(connection, now)

    def sweep_soon(self) -> None:
        """Any thread: something has changed that a sweep sees."""
        self._next_sweep = 0.0
        self._wakeup.ring()

    def close(self) -> None:
        """When nobody leads any more: closes every connection that is not away, and the poller."""
        self._listener.close()
        for connection in list(self._connections.values()):
            if connection.away:
                self._watch(connection, NOTHING)  # its thread, when it ends at last, finds it closed
                connection.sock.close()
            else:
                self._close(connection)
        self._connections.clear()
        self._poller.close()
        self._wakeup.close()
