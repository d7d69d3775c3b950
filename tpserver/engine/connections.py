"""The connections of one server: accepting, what each waits for, until when, and how it ends.

`states` has the table of their states. Only the current leader calls what does not say otherwise, between two
connections. The leader's thread may change; its successor finds everything here as it was.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import Final, NamedTuple, Protocol

from tpserver.engine.address_limit import AddressLimit
from tpserver.engine.connection import MAX_OUTBOX, Connection
from tpserver.engine.counters import Counters
from tpserver.engine.errors import EngineBroken
from tpserver.engine.listener import Listener, Listening, capacity, file_limit
from tpserver.engine.mailbox import Mailbox
from tpserver.engine.pace import Pace, Timing
from tpserver.engine.polling import NOTHING, READ, WRITE, new_poller
from tpserver.engine.protocol import Address, ConnectionProtocol
from tpserver.engine.states import CLOSED, HEAD, IDLE, LINGERING, READY, RUNNING, SENDING, State, enter, next_state
from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.system.descriptors import identity

_log = Log("tpserver")

# What `Connections.states` counts.
STATES: Final = ("open", "idle", "head", "body", "running", "sending", "lingering")
# Seconds between two looks at the deadlines; also the longest poll.
SWEEP: Final = 1.0
# Connections beyond the limit that linger at once: as many as `select` on Windows has left.
_TURNED_AWAY: Final = 8
# What a poller raises that does not know a descriptor (any more).
_UNKNOWN: Final = (OSError, KeyError, ValueError)


class ConnectionLimits(NamedTuple):
    """0: no limit, except for `connections` and `outbox`."""

    connections: int = 10_000
    connections_per_address: int = 0
    outbox: int = MAX_OUTBOX  # bytes of a stream that wait in memory


class Life(Protocol):
    """What tells whether the server drains."""

    @property
    def draining(self) -> bool: ...


class Connections:
    """The sockets of one server: the listening one, the mailbox's and the accepted ones, with their poller."""

    def __init__(
        self,
        protocol: ConnectionProtocol,
        listening: Listening,
        life: Life,
        *,
        timing: Timing,
        limits: ConnectionLimits,
        refused: Counters,
        ended: Counters,
    ) -> None:
        """`refused` counts what is answered with a refusal, `ended` connections that end without an answer."""
        self._protocol = protocol
        self._listening = listening
        self._life = life
        self._timing = timing
        self._pace = Pace(timing.min_rate, timing.grace, timing.send_timeout)
        self._max_outbox = limits.outbox
        self._refused = refused
        self._ended = ended
        self._addresses = AddressLimit(limits.connections_per_address)
        self.poller = new_poller()
        self.by_fd: dict[int, Connection] = {}
        # Bytes of their next request are here already. In order; taken out when attended to, not before: a
        # leader that is relieved drops what it has not begun, and no poll brings these again.
        self.ready: dict[Connection, None] = {}
        self.mailbox = Mailbox()
        self.poller.watch(self.mailbox.fd, NOTHING, READ)
        self.listener = Listener(listening, self.poller)
        # What each descriptor leads to that this cannot do without. On Windows a socket has none.
        vital = () if sys.platform == "win32" else (self.listener.fd, *self.mailbox.fds)
        self._vital = {fd: identity(fd) for fd in vital}
        self._turned_away: set[Connection] = set()  # which linger: they do not count
        self._leaving: set[Connection] = set()  # which linger, and were idle when the drain began
        self.next_sweep = 0.0
        self.capacity = capacity(limits.connections, self.poller.capacity, file_limit())

    # -- for any thread

    def give_back(self, connection: Connection) -> None:
        """Any thread that owns `connection`: its request has been answered, the leader takes it back."""
        mailbox = self.mailbox
        mailbox.post(self.take_back, connection, wake=False)
        # One that only waits for its next request, and is watched, need not wake the leader: that request will, and
        # what was given back is taken back before anything else. Asked after it has been posted: a leader that stops
        # watching it later finds it before it sleeps.
        if mailbox.sleeping and not (connection.polled == READ and connection.idle):
            mailbox.wake()

    @property
    def drained(self) -> bool:
        """Any thread: whether nothing new is taken, and all that are left were idle then.

        While the server drains there come no more connections, and the leaving ones are always among them. So when
        these, counted last, are as many as those were, there are no others.
        """
        return self.listener.closed and len(self.by_fd) <= len(self._leaving)

    def states(self) -> dict[str, int]:
        """Any thread: how many connections are open, and in which state; a snapshot."""
        counts = dict.fromkeys(STATES, 0)
        for connection in self.by_fd.copy().values():
            state: State = connection.state
            if connection.detached or state is READY:
                state = RUNNING
            if state is not CLOSED:
                counts["open"] += 1
                counts[state.value] += 1
        return counts

    # -- one turn of the leader

    def poll(self, *, wait: bool = True) -> list[tuple[int, int]]:
        """Waits for sockets until the next sweep at the latest; (fd, events) for each that is ready.

        Without `wait` it only looks. Raises EngineBroken when other code has closed the poller.
        """
        now = clock.monotonic()
        try:
            self.listener.refresh(now)
            self.mailbox.sleeping = True  # from here on `post` wakes
            if self.ready or self.mailbox or not wait:
                timeout = 0.0
            else:
                timeout = max(0.0, min(self.next_sweep - now, self.listener.rest_left(now)))
            return self.poller.poll(timeout)
        except (OSError, ValueError) as error:
            if self._listening.closed and not self.listener.closed:  # `server_close` in another thread, just now
                self.listener.close()
                return []
            raise EngineBroken(f"the sockets cannot be polled: {error}") from error
        finally:
            self.mailbox.sleeping = False

    def settle(self, connection: Connection, now: float) -> None:
        """The next state of a connection that has been attended to or given back, and what that takes."""
        if connection.state is RUNNING and connection.polled == READ and connection.idle and not self._life.draining:
            # The usual case first, without a call: answered, and the next request is still to come.
            connection.outbox = None
            connection.state = IDLE
            connection.deadline = now + self._timing.idle_timeout
            return
        state = next_state(connection, self._life.draining)
        if not connection.outbox:
            connection.outbox = None
        if state is CLOSED:
            self.drop(connection)
        elif state is LINGERING:
            self._linger(connection, now)
        else:
            enter(connection, state, now, self._timing)
            if state is READY:
                self.ready[connection] = None
            else:
                self.watch(connection, WRITE if state is SENDING else READ)

    def _linger(self, connection: Connection, now: float) -> None:
        """Half-close, read to the end, close: else the client's kernel may drop what it has not yet read."""
        if connection.state is not LINGERING:
            try:
                connection.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self.drop(connection)
                return
            enter(connection, LINGERING, now, self._timing)
        self.watch(connection, READ)

    def take_back(self, connection: Connection) -> None:
        """Posted by the thread that gives `connection` back. Called again if the leader was interrupted in it."""
        if not connection.detached:
            return
        if self.by_fd.get(connection.fd) is not connection:  # closed meanwhile, or of an earlier serve_forever
            connection.close()
        elif connection not in self.ready:  # else this has been interrupted just before its end
            connection.body_time_left = None
            self.settle(connection, clock.monotonic())
        connection.detached = False

    def watch_for_room(self, connection: Connection) -> None:
        """Posted by the thread of a stream: something is left over that the socket has not taken."""
        # Else it has been given back, and is dealt with as all others are.
        if connection.detached and self.by_fd.get(connection.fd) is connection:
            self.watch(connection, WRITE)

    def send_on(self, connection: Connection) -> None:
        """A detached connection is ready: sends on if it is a stream, and stops watching it otherwise."""
        if not (connection.polled == WRITE and connection.send_on(clock.monotonic())):
            self.ignore(connection)

    def ignore(self, connection: Connection) -> None:
        """Stops watching a detached connection: what comes waits in its socket."""
        self.watch(connection, NOTHING)

    def watch(self, connection: Connection, wanted: int) -> None:
        """Has the poller watch a connection for READ, WRITE or NOTHING."""
        if connection.polled != wanted:
            try:
                self.poller.watch(connection.fd, connection.polled, wanted)
            except _UNKNOWN:
                self._lose(connection)
            else:
                connection.polled = wanted

    # -- accepting

    def accept(self, now: float, count: int | None = None) -> None:
        """Accepts what waits at the listening socket: `count` connections at the most, or as many as one turn takes."""
        waiting = self.listener.accept(now) if count is None else self.listener.accept(now, count)
        for sock, client_address in waiting:
            try:
                self._admit(sock, client_address, now)
            except BaseException as error:  # no memory, for example: the others must not suffer
                self._discard(sock)
                if isinstance(error, EngineBroken):
                    raise
                _log.exception("internal error; a new connection was closed")

    def _admit(self, sock: socket.socket, client_address: Address, now: float) -> None:
        receiver = self._protocol.receiver(client_address)
        connection = Connection(sock, client_address, receiver, self._pace, self._max_outbox, self._post_watch_for_room)
        fd = connection.fd
        if fd in self._vital:
            self._check_vital()
        self.fd_reused(fd)
        enter(connection, HEAD, now, self._timing)  # a new connection has as long for its first head as any later one
        self.by_fd[fd] = connection
        address = self._addresses.counted(client_address)
        if len(self.by_fd) - len(self._turned_away) > self.capacity or not self.poller.takes(fd):
            self._turn_away(connection, now, "connection limit")
        elif address and not self._addresses.admit(address):
            self._turn_away(connection, now, "connection limit of one address")
        else:
            connection.counted_address = address
            self.watch(connection, READ)

    def _post_watch_for_room(self, connection: Connection) -> None:
        """The thread of a stream."""
        self.mailbox.post(self.watch_for_room, connection)

    def _turn_away(self, connection: Connection, now: float, cause: str) -> None:
        """One connection too many: told so. A few of them may linger, uncounted: only a few, for descriptors."""
        self._refused.add(cause)
        if len(self._turned_away) < _TURNED_AWAY and self.poller.takes(connection.fd):
            self._turned_away.add(connection)
            self._say_last(connection, self._protocol.too_many_connections(connection.client_address), now)
        else:
            connection.write(self._protocol.too_many_connections(connection.client_address))
            connection.flush()
            self.drop(connection)

    def _say_last(self, connection: Connection, data: bytes, now: float) -> None:
        connection.write(data)
        connection.flush()
        connection.state = RUNNING
        connection.keep_alive = False
        self.settle(connection, now)

    # -- ends

    def drop(self, connection: Connection) -> None:
        """Closes a connection. May be called again if it was interrupted."""
        self._unregister(connection)
        if connection.polled != NOTHING:
            polled, connection.polled = connection.polled, NOTHING
            try:
                self.poller.watch(connection.fd, polled, NOTHING)
            except _UNKNOWN:  # other code has closed it: the number is not this socket's any more
                connection.detach_socket()
        connection.close()
        self._remove(connection)

    def _discard(self, sock: socket.socket) -> None:
        """Closes a socket that could not be admitted, or not wholly."""
        connection = self.by_fd.get(sock.fileno())
        if connection is not None and connection.sock is sock:
            self.drop(connection)
        sock.close()

    def _unregister(self, connection: Connection) -> None:
        """Takes a connection out of all that is kept here, except the poller and `by_fd`."""
        self._leaving.discard(connection)  # before it leaves `by_fd`: see `drained`
        self.ready.pop(connection, None)
        self._turned_away.discard(connection)
        address, connection.counted_address = connection.counted_address, ""
        if address:
            self._addresses.release(address)

    def _remove(self, connection: Connection) -> None:
        """Last: what is interrupted before is found in `by_fd`."""
        if self.by_fd.get(connection.fd) is connection:
            del self.by_fd[connection.fd]

    def fd_reused(self, fd: int) -> None:
        """A new socket has the number `fd`: a connection that has it, too, was closed by other code.

        Nothing may be sent or received by that number for the old client any more.
        """
        old = self.by_fd.get(fd)
        if old is not None:
            self._lose(old)

    def _lose(self, connection: Connection) -> None:
        """Gives up a connection whose descriptor is not ours any more, without touching that."""
        _log.error("a connection was closed by code that does not own it: does the application close descriptors?")
        connection.detach_socket()  # first: from here on its thread, if it has one, gets an error
        self._unregister(connection)
        polled, connection.polled = connection.polled, NOTHING
        with contextlib.suppress(*_UNKNOWN):
            self.poller.watch(connection.fd, polled, NOTHING)
        if connection.detached:
            connection.abort()
        else:
            connection.close()
        self._remove(connection)

    # -- deadlines, the drain and the end

    def sweep(self, now: float) -> None:
        """Once in a while: ends what has taken too long, and, in a drain, what is idle. Raises EngineBroken."""
        self.next_sweep = now + SWEEP
        self._check_vital()
        draining = self._life.draining
        if draining and not self.listener.closed:
            self.begin_drain(now)
        for connection in list(self.by_fd.values()):
            if connection.detached:
                continue
            if connection.deadline <= now:
                self._expire(connection, now)
            elif draining:
                self.close_idle(connection, now)

    def _check_vital(self) -> None:
        """Other code may have closed what this cannot do without; the poller is not in here: `poll` notices."""
        for fd in [fd for fd, known in self._vital.items() if identity(fd) != known]:
            del self._vital[fd]  # told once: the drain goes on without it
            if fd != self.listener.fd:
                self.mailbox.detach()
                raise EngineBroken("the wake-up socket was closed by other code")
            if not (self.listener.closed or self._listening.closed):
                self.listener.close()
                self._listening.socket.detach()  # its number may be that of another file
                raise EngineBroken("the listening socket was closed by other code")

    def begin_drain(self, now: float) -> None:
        """Stops accepting, and closes what is idle. May be called again.

        Clients that the system has accepted already are admitted, if no other process would accept them later.
        """
        if not self.listener.closed:
            listening = self._listening
            refuses = listening.refuses_when_draining and not listening.closed
            if refuses:
                self.accept(now, listening.request_queue_size)
            self.listener.close()
            if refuses:
                listening.stop_listening()
        for connection in list(self.by_fd.values()):
            if not connection.detached:
                self.close_idle(connection, now)

    def close_idle(self, connection: Connection, now: float) -> None:
        """In a drain: closes a connection that is between two requests, unless a request has come already."""
        state = connection.state
        if not (state is IDLE or state is HEAD) or connection.receiver.part != "nothing" or connection.has_come():
            return
        # Not just closed: as long as the drain lasts, a request that is on its way finds the end there, not a reset.
        self._linger(connection, now)
        if connection.state is LINGERING:
            self._leaving.add(connection)

    def _expire(self, connection: Connection, now: float) -> None:
        state = connection.state
        receiving = state is not SENDING and state is not LINGERING
        last_words = connection.receiver.expire() if receiving else b""
        if last_words:
            self._refused.add("head timeout" if state is HEAD else "slow body")
            self._say_last(connection, last_words, now)
            return
        if state is SENDING:
            self._ended.add("slow reader")
        elif receiving:
            self._ended.add("no request" if state is HEAD else "idle timeout")
        self.drop(connection)

    def close(self) -> None:
        """When there is no leader any more: closes every connection that is not detached, and the poller."""
        self.listener.close()
        for connection in list(self.by_fd.values()):
            if connection.detached:  # its thread, when it ends at last, finds it closed
                self.ignore(connection)
                connection.broken = True
                connection.sock.close()
                if connection.outbox is not None and connection.outbox.watched:
                    connection.outbox.discard()  # a producer that waits goes on
            else:
                self.drop(connection)
        self.by_fd.clear()
        self.poller.close()
        self.mailbox.close()
