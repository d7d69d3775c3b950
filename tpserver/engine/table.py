"""The table of connections: what each of them waits for next, until when, and how it ends.

Everything here is the current leader's, and done between two connections.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from tpserver.engine.connection import ANSWERED, LINGERING, NEVER, READY, RECEIVING, SENDING, Connection
from tpserver.engine.crowds import Crowds
from tpserver.engine.listeners import Listener, capacity, file_limit
from tpserver.engine.polling import NOTHING, READ, WRITE, Poller, new_poller
from tpserver.engine.timing import Pace, Timing
from tpserver.engine.wakeup import WakeUp
from tpserver.logs.log import Log

if TYPE_CHECKING:
    from tpserver.engine.server import Server

_log = Log("tpserver")

# Seconds between two looks at the deadlines; also the longest poll.
SWEEP: Final = 1.0
# Seconds that a closing connection waits for its client to close, swallowing what comes.
_LINGER: Final = 2.0
# Connections that were turned away and may linger at once: as many as `select` on Windows has left.
_TURNED_AWAY: Final = 8


class Table:
    """The sockets of one server: listening, waking, and accepted ones, with the poller that watches them."""

    def __init__(self, server: Server, timing: Timing) -> None:
        self._server = server
        self._protocol = server.protocol
        self._timing = timing
        self._pace = Pace(timing.min_rate, timing.grace, timing.send_timeout)
        self.poller = new_poller()
        self.connections: dict[int, Connection] = {}  # by descriptor
        # Bytes of their next request are here already. In order; taken out when attended to, not before: a
        # leader that is relieved drops what it has not begun, and no poll brings these again.
        self.ready: dict[Connection, None] = {}
        self.wakeup = WakeUp()
        self.poller.watch(self.wakeup.fd, NOTHING, READ)
        self.listener = Listener(server, self.poller)
        self._crowds = Crowds(server.max_connections_per_ip)
        self._turned_away: set[Connection] = set()  # which linger: they take no place from anybody
        self._leaving: set[Connection] = set()  # which linger, and were idle when the drain began
        self._stolen: list[Poller] = []
        self.next_sweep = 0.0
        self.capacity = capacity(server.max_connections, self.poller.capacity, file_limit())

    def settle(self, connection: Connection, now: float) -> None:
        """What a connection waits for next, once it has been attended to or given back."""
        if connection.state == ANSWERED and connection.polled == READ and connection.idle and not self._server.draining:
            # The usual case first: answered, and the next request is still to come.
            connection.state = RECEIVING
            connection.phase = "nothing"
            connection.deadline = now + self._timing.idle_timeout
        elif connection.broken:
            self.drop(connection)
        elif connection.outbox:
            if connection.state != SENDING:
                connection.state = SENDING
                # What the socket has taken already counts: the client has that to read.
                pace = connection.pace
                connection.deadline = pace.progress(pace.begin(now), connection.moved, now)
            self.watch(connection, WRITE)
        elif connection.state == RECEIVING:
            self._await_rest(connection, now)
        elif connection.state == LINGERING:
            self.watch(connection, READ)
        elif not connection.keep_alive:
            self._linger(connection, now)
        elif connection.receiver.pending:
            connection.state = READY
            connection.phase = "nothing"
            connection.deadline = NEVER
            self.ready[connection] = None
        elif self._server.draining and not connection.has_come():
            self._linger(connection, now)
        else:
            connection.state = RECEIVING
            connection.phase = "nothing"
            connection.deadline = now + self._timing.idle_timeout
            self.watch(connection, READ)

    def _await_rest(self, connection: Connection, now: float) -> None:
        part = connection.receiver.part
        if part != connection.phase:
            if part == "head":
                connection.deadline = now + self._timing.head_timeout
            elif part == "body":
                connection.deadline = connection.pace.begin(now)
            connection.phase = part
        self.watch(connection, READ)

    def _linger(self, connection: Connection, now: float) -> None:
        """Half-close, read to the end, close: else the client's kernel may drop what it has not yet read."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop(connection)
            return
        connection.state = LINGERING
        connection.deadline = now + _LINGER
        self.watch(connection, READ)

    def admit_all(self, accepted: Iterable[tuple[socket.socket, Any]], now: float) -> None:
        """What a listener accepts."""
        for sock, client_address in accepted:
            try:
                self.admit(sock, client_address, now)
            except BaseException:  # noqa: BLE001 - no memory, for example: the others shall not suffer
                _log.exception("a connection cannot be taken")
                self.give_up(sock)

    def admit(self, sock: socket.socket, client_address: Any, now: float) -> None:
        receiver = self._protocol.receiver(client_address)
        server = self._server
        connection = Connection(sock, client_address, receiver, self._pace, server.max_outbox, server.leader.borrow)
        self._forget_stolen(connection.fd)
        connection.phase = "head"  # a new connection has as long for its first head as any later one
        connection.deadline = now + self._timing.head_timeout
        self.connections[connection.fd] = connection
        if len(self.connections) - len(self._turned_away) > self.capacity or not self.poller.takes(connection.fd):
            self._turn_away(connection, now, "connection limit")
        elif not self._crowds.enter(connection):
            self._turn_away(connection, now, "connection limit of one address")
        else:
            self.watch(connection, READ)

    def _turn_away(self, connection: Connection, now: float, why: str) -> None:
        """One connection too many: told so. Some of these may linger, uncounted: only some, for descriptors."""
        self._server.tally.add(why)
        connection.write(self._protocol.too_many_connections(connection.client_address))
        connection.flush()
        connection.keep_alive = False
        connection.state = ANSWERED
        if len(self._turned_away) < _TURNED_AWAY and self.poller.takes(connection.fd):
            self._turned_away.add(connection)
            self.settle(connection, now)
        else:
            self.drop(connection)

    def watch(self, connection: Connection, wanted: int) -> None:
        if connection.polled != wanted:
            self.poller.watch(connection.fd, connection.polled, wanted)
            connection.polled = wanted

    def drop(self, connection: Connection) -> None:
        self._take_off(connection)
        if connection.polled != NOTHING:
            try:
                self.poller.watch(connection.fd, connection.polled, NOTHING)
            except (OSError, KeyError, ValueError):
                # The number is not this socket's any more: an application has closed it. Or it is, and the leader
                # before this one was interrupted in the middle of this.
                if not _same(connection):
                    connection.detach()
            connection.polled = NOTHING
        connection.close()

    def give_up(self, sock: socket.socket) -> None:
        """Closes one that could not be admitted, or not wholly."""
        connection = self.connections.get(sock.fileno())
        if connection is not None and connection.sock is sock:
            self.drop(connection)
        sock.close()

    def _take_off(self, connection: Connection) -> None:
        """Out of everything that is kept here, but the poller."""
        self._leaving.discard(connection)  # first: see `drained`
        self.ready.pop(connection, None)
        self._turned_away.discard(connection)
        self._crowds.leave(connection)
        del self.connections[connection.fd]  # last: what is interrupted before is found by it

    # -- what an application does that closes descriptors which are not its own

    def _forget_stolen(self, fd: int) -> None:
        """A new socket has the number of one that is still in the table: that one was closed behind our back."""
        stolen = self.connections.get(fd)
        if stolen is not None:
            self._forget(stolen)

    def _forget(self, stolen: Connection) -> None:
        """Drops a connection whose descriptor is not ours any more, without touching that."""
        _log.error("a connection was closed by somebody who does not own it: does the application close descriptors?")
        self._take_off(stolen)
        stolen.detach()
        stolen.polled = NOTHING
        if stolen.away:
            stolen.abort()
        else:
            stolen.close()

    def _check_listener(self) -> None:
        """Once in a while: a listening socket that was closed behind our back is opened anew."""
        if self._server.draining or self._server.stopped or self._server.closed or self._server.listens():
            return
        _log.error("the listening socket was closed by somebody who does not own it; opening it anew")
        self.listener.close()
        try:
            self._server.listen_anew()
        except OSError as error:
            _log.error("cannot listen again yet: %s", error.strerror)
        else:
            self.listener = Listener(self._server, self.poller)

    def renew_poller(self, error: Exception) -> None:
        """The poller has failed: somebody has closed its descriptor, or one that it watches: who knows which.

        Raises OSError when there is none to be had.
        """
        _log.error("the sockets cannot be polled (%s); going on with a new poller", error)
        poller, wakeup = new_poller(), WakeUp()
        self._stolen.append(self.poller)  # never closed: its number may be the new one's
        self.wakeup.detach()
        self.poller, self.wakeup = poller, wakeup
        poller.watch(wakeup.fd, NOTHING, READ)
        if not self._server.listens() and not self._server.closed:
            self._server.listen_anew()
        self.listener = Listener(self._server, poller)
        if self._server.closed:
            self.listener.close()
        for connection in list(self.connections.values()):
            wanted, connection.polled = connection.polled, NOTHING
            try:
                self.watch(connection, wanted or READ)
                self.watch(connection, wanted)
            except (OSError, ValueError):
                connection.polled = NOTHING
                self._forget(connection)

    # -- deadlines and the end

    def sweep(self, now: float) -> None:
        """Once in a while: ends what has taken too long."""
        self.next_sweep = now + SWEEP
        self.wakeup.silence()  # whoever rang it last may have been interrupted in that: it would stay silent for good
        self._check_listener()
        draining = self._server.draining
        if draining and not self.listener.closed:
            self._end_listening(now)
        for connection in list(self.connections.values()):
            if connection.away:
                continue
            if connection.deadline <= now:
                self._expire(connection, now)
            elif draining and connection.state == RECEIVING and connection.receiver.part == "nothing":
                self._see_off(connection, now)

    def _end_listening(self, now: float) -> None:
        """The drain begins. Whom the system has accepted already is let in, where nobody else would do so later."""
        server = self._server
        refuses = server.refuses_when_draining and not server.closed
        if refuses:
            self.admit_all(self.listener.accept(now, server.request_queue_size), now)
        self.listener.close()
        if refuses:
            server.stop_listening()

    def _see_off(self, connection: Connection, now: float) -> None:
        """The drain finds a connection between two requests: it is closed, but for a request that has come already."""
        if connection.has_come():
            return  # and is received in the next turn
        # Not just closed: as long as the drain lasts, a request that is on its way finds the end there, not a reset.
        self._linger(connection, now)
        if connection.state == LINGERING:
            self._leaving.add(connection)

    @property
    def drained(self) -> bool:
        """Whether nothing new is taken, and all that are left were idle then. Any thread.

        While the server drains there come no more connections, and the leaving ones are always among them. So when
        these, counted last, are as many as those were, there are no others.
        """
        return self.listener.closed and len(self.connections) <= len(self._leaving)

    def _expire(self, connection: Connection, now: float) -> None:
        last_words = connection.receiver.expire() if connection.state == RECEIVING else b""
        if not last_words:
            if connection.state == SENDING:
                self._server.ended.add("slow reader")
            elif connection.state == RECEIVING:
                self._server.ended.add("no request" if connection.phase == "head" else "idle timeout")
            self.drop(connection)
            return
        self._server.tally.add("slow body" if connection.phase == "body" else "head timeout")
        connection.write(last_words)
        connection.flush()
        connection.state = ANSWERED
        connection.keep_alive = False
        self.settle(connection, now)

    def close(self) -> None:
        """When nobody leads any more: closes every connection that is not away, and the poller."""
        self.listener.close()
        for connection in list(self.connections.values()):
            if connection.away:
                self.watch(connection, NOTHING)  # its thread, when it ends at last, finds it closed
                connection.sock.close()
            else:
                self.drop(connection)
        self.connections.clear()
        self.poller.close()
        self.wakeup.close()


def _same(connection: Connection) -> bool:
    """Whether the descriptor is still that of this client, as far as can be told."""
    try:
        return bool(connection.client_address) and connection.sock.getpeername() == connection.client_address
    except OSError:
        return False
