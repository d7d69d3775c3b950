"""The connections of one server: accepting, what each waits for, until when, and how it ends.

`states` has the table of their states. Leaders change: the next one finds everything here as it was.
"""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Final

from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.transport.address_limit import TOO_MANY, AddressLimit
from tpserver.transport.connection import CLOSED, HEAD, IDLE, LINGERING, READY, RUNNING, SENDING, Connection
from tpserver.transport.errors import EngineBroken
from tpserver.transport.listener import REST, TURN, Listener, ListeningServer, capacity
from tpserver.transport.mailbox import Mailbox
from tpserver.transport.pace import Timing
from tpserver.transport.polling import NOTHING, READ, WRITE, new_poller
from tpserver.transport.protocol import Address, ConnectionProtocol, Introduction
from tpserver.transport.states import TURNED_AWAY, enter, next_state
from tpserver.transport.vital import VitalSockets

_log = Log("tpserver")

# Seconds between two looks at the deadlines; also the longest poll.
SWEEP: Final = 1.0
# The deadline of a connection that the leader resets when it attends to it.
OVERDUE: Final = -inf


class Connections:
    """The sockets of one server: the listening one, the mailbox's and the accepted ones, with their poller."""

    def __init__(
        self,
        protocol: ConnectionProtocol,
        listening: ListeningServer,
        *,
        timing: Timing,
        max_connections: int,
        max_connections_per_ip: int,
        max_outbox: int,
        sendfile: bool = True,
        new_connection: Callable[..., Connection] | None = None,
        refused: Counter[str],
        ended: Counter[str],
    ) -> None:
        """`refused` counts what is answered with a refusal, `ended` connections that end without an answer."""
        self._protocol = protocol
        self._listening = listening
        self._timing = timing
        self._idle_timeout = timing.idle_timeout  # by itself: it is read behind each response
        self._max_outbox = max_outbox
        self._sendfile = sendfile
        self._new_connection = new_connection  # what makes another kind than `Connection`, as that does
        self._refused, self.ended = refused, ended
        self._address_limit = AddressLimit(max_connections_per_ip)
        self.poller = new_poller()
        self.by_fd: dict[int, Connection] = {}
        # Bytes of their next request are here already, or they are new, and it may be: a new one is watched after the
        # first attempt to receive. In order; taken out when attended to, not before: a leader that is relieved drops
        # what it has not begun, and no poll brings these again.
        self.ready: dict[Connection, None] = {}
        self.mailbox = Mailbox()
        self.poller.watch(self.mailbox.fd, NOTHING, READ)
        self.listener = Listener(listening, self.poller)
        self._tell_leader = partial(self.mailbox.post, self.watch_for_room)  # for producers of streams
        self._vital = VitalSockets(listening, self.listener, self.mailbox)
        # Which linger, and count neither for the limit nor for the drain: turned away, or idle when the drain began.
        self._leaving: set[Connection] = set()
        self.next_sweep = self._spare_until = 0.0
        self.capacity = capacity(max_connections, self.poller.capacity)

    def give_back(self, connection: Connection) -> None:
        """Any thread that owns `connection`: its request has been answered, the leader takes it back."""
        self.mailbox.posts.append(partial(self.take_back, connection))
        # One that only waits for its next request, and is watched, need not wake the leader: that request will.
        # Asked after it has been posted: a leader that stops watching it later finds the post before it sleeps.
        waits = connection.polled == READ and connection.keep_alive
        if self.mailbox.sleeping and not (waits and not connection.outbox and not connection.receiver.pending):
            self.mailbox.wake()

    @property
    def awaited(self) -> int:
        """Any thread: how many connections a drain waits for: those that were not idle when it began."""
        return max(len(self.by_fd) - len(self._leaving), 0)  # in this order: the leaving ones are always among them

    @property
    def drained(self) -> bool:
        """Any thread: whether nothing new is taken, and no connection is awaited."""
        return self.listener.closed and not self.awaited

    def poll(self, *, wait: bool = True) -> list[tuple[int, int]]:
        """The leader: (fd, events) for each ready socket. Waits until the next sweep. Raises EngineBroken."""
        try:
            self.mailbox.sleeping = True  # from here on `post` wakes
            if self.ready or self.mailbox.posts or not wait:
                return self.poller.poll(0.0)
            return self.poller.poll(max(0.0, self.next_sweep - clock.monotonic()))
        except (OSError, ValueError) as error:
            if self._listening.closed and not self.listener.closed:  # `server_close` in another thread, just now
                self.listener.close()
                return []
            raise EngineBroken(f"the sockets cannot be polled: {error}") from error
        finally:
            self.mailbox.sleeping = False

    def settle(self, connection: Connection, now: float) -> None:
        """The leader: the next state of a connection that has been attended to or given back, and what that takes."""
        if (
            connection.state is RUNNING
            and connection.polled == READ
            and connection.keep_alive
            and not (connection.outbox or connection.receiver.pending or (connection.encrypted and connection.stuck))
            and not self._protocol.draining
        ):
            # The usual case first, without a call: answered, and the next request is still to come.
            connection.outbox = None
            connection.state = IDLE
            connection.deadline = now + self._idle_timeout
            return
        state = next_state(connection, self._protocol.draining and not self._listening.spares_idle)
        if not connection.outbox:
            connection.outbox = None
        if state is CLOSED:
            if connection.polled:  # else `drop` does so
                connection.end_sending()
            self.drop(connection)
            return
        enter(connection, state, now)
        if state is READY:
            self.ready[connection] = None
        else:
            self.watch(connection, WRITE if state is SENDING else READ)

    def take_back(self, connection: Connection) -> None:
        """The leader, by post (see `give_back`)."""
        detached, connection.detached = connection.detached, False
        if self.by_fd.get(connection.fd) is not connection:  # lost meanwhile, or of an earlier serve_forever
            connection.close()
        elif detached:
            connection.body_time_left = None
            self.settle(connection, clock.monotonic())

    def watch_for_room(self, connection: Connection) -> None:
        """The leader, posted by the producer of a stream: the socket has not taken all that there is to send."""
        # Else it has been given back, and is dealt with as all others are.
        if connection.detached and self.by_fd.get(connection.fd) is connection:
            self.watch(connection, WRITE)

    def send_on(self, connection: Connection) -> None:
        """The leader: a detached connection is ready. Sends on if it is a stream, else stops watching it."""
        if not (connection.polled == WRITE and connection.send_on()):
            self.watch(connection, NOTHING)

    def watch(self, connection: Connection, wanted: int) -> None:
        """The leader: has the poller watch a connection for READ, WRITE or NOTHING."""
        if wanted == READ and connection.encrypted and connection.stuck:
            wanted = WRITE
        if connection.polled != wanted:
            before, connection.polled = connection.polled, NOTHING  # till it is done: to watch it twice does no harm
            try:
                self.poller.watch(connection.fd, before, wanted)
                connection.polled = wanted
            except (OSError, KeyError, ValueError):
                self._disown(connection)

    def accept(self, now: float, most: int = TURN) -> None:
        """The leader: accepts what waits at the listening socket, `most` at a time."""
        for sock, client_address in self.listener.accept(most):
            try:
                self._admit(sock, client_address, now)
            except BaseException as error:  # no memory, for example: the others must not suffer
                connection = self.by_fd.get(sock.fileno())
                if connection is not None and connection.sock is sock:
                    self.drop(connection)
                sock.close()
                if isinstance(error, EngineBroken):
                    raise
                _log.exception("internal error; a new connection was closed")
        if not self.listener.watched:  # it rests
            self.next_sweep = min(self.next_sweep, now + REST)

    def _admit(self, sock: socket.socket, client_address: Address, now: float) -> None:
        receiver = self._protocol.receiver(client_address)
        connection = (self._new_connection or Connection)(
            sock, client_address, receiver, self._timing, self._max_outbox, self._tell_leader, self._sendfile
        )
        old = self.by_fd.get(connection.fd)
        if old is not None:  # other code has closed that one
            self._disown(old)
        if self._vital.have(connection.fd):
            self._vital.check()
        self.by_fd[connection.fd] = connection
        enter(connection, HEAD, now)  # a new connection has as long for its first head as any later one
        if len(self.by_fd) - len(self._leaving) > self.capacity:
            self._turn_away(connection, now, "connection limit")
        elif not self._address_limit.add(connection, self._protocol.is_counted(client_address)):
            self._turn_away(connection, now, TOO_MANY)
        else:
            self.ready[connection] = None

    def introduce(self, connection: Connection, introduction: Introduction) -> bytes | None:
        """The leader, also when relieved: who the client is. Returns what has come of it; None: it is refused."""
        connection.client_address, connection.receiver = introduction.client_address, introduction.receiver
        self._address_limit.remove(connection)
        try:
            if self._address_limit.add(connection, introduction.is_counted):
                return connection.begin_encryption(introduction.rest)
            connection.begin_encryption(b"")  # so that nothing more is said in clear text
        except OSError:
            connection.abort()
            return None
        self.refuse(connection, TOO_MANY, self._protocol.too_many_connections(connection.client_address, TOO_MANY))
        return None

    def _turn_away(self, connection: Connection, now: float, cause: str) -> None:
        """One connection too many: told so. A few of them may linger, uncounted: only a few, for descriptors."""
        self.refuse(connection, cause, self._protocol.too_many_connections(connection.client_address, cause))
        if len(self._leaving) < TURNED_AWAY:
            self._leaving.add(connection)
            self.settle(connection, now)
        else:
            self.drop(connection)

    def refuse(self, connection: Connection, cause: str, data: bytes) -> None:
        """The leader, also when it was relieved: `data` is the last that this connection sends."""
        self._refused[cause] += 1
        connection.write(data)
        connection.flush()
        connection.state = RUNNING
        connection.keep_alive = False

    def drop(self, connection: Connection) -> None:
        """The leader: closes a connection, once more if it was interrupted in it."""
        self._leaving.discard(connection)  # before it leaves `by_fd`: see `drained`
        self.ready.pop(connection, None)
        self._address_limit.remove(connection)
        if connection.polled or connection.detached:
            self.watch(connection, NOTHING)
        elif connection.sock.fileno() >= 0 and not connection.end_sending():  # no poller tells that it is not its own
            self._disown(connection)
        if connection.detached:
            connection.abort()  # its thread finds out, and `take_back` closes it
        else:
            connection.close()
        if self.by_fd.get(connection.fd) is connection:
            del self.by_fd[connection.fd]  # last: what is interrupted before is found by it

    def _disown(self, connection: Connection) -> None:
        """Drops what other code has closed: nothing is sent or received by its number any more, nor is that closed."""
        _log.error("a connection was closed by code that does not own it: does the application close descriptors?")
        connection.sock.detach()
        connection.polled = NOTHING
        self.drop(connection)

    def sweep(self, now: float) -> None:
        """The leader, once in a while: ends what has taken too long; in a drain what is idle. Raises EngineBroken."""
        self.next_sweep = now + SWEEP
        self._vital.check()
        self.listener.watch()
        for connection in list(self.by_fd.values()):
            if not connection.detached and OVERDUE < connection.deadline <= now:
                self._expire(connection, now)
        if self._protocol.draining:
            self.begin_drain(now)

    def begin_drain(self, now: float) -> None:
        """The leader: stops accepting, and closes what is idle. May be called again. Raises EngineBroken."""
        if not self.listener.closed:
            self._vital.check()
            self.listener.end(partial(self.accept, now))
            if self._listening.spares_idle:  # till then an answer tells clients that it is the last one
                self.next_sweep = self._spare_until = clock.monotonic() + SWEEP
        if now < self._spare_until:
            return
        for connection in list(self.by_fd.values()):
            idle = not connection.detached and (connection.state is IDLE or connection.state is HEAD)
            if idle and connection.receiver.part == "nothing" and not connection.has_come():
                # Not just closed: as long as the drain lasts, a request on its way finds the end and not a reset.
                enter(connection, LINGERING, now)
                self._leaving.add(connection)

    def _expire(self, connection: Connection, now: float) -> None:
        state = connection.state
        if state is SENDING:
            self.ended["slow reader"] += 1
            _log.debug("%s reads too slowly; its connection is reset", connection.client_address)
            if connection.outbox is not None and connection.outbox.device is not None:
                # To close a file may take as long as a disk does: the leader attends to it, and can be relieved.
                connection.deadline = OVERDUE
                self.ready[connection] = None
                return
            connection.reset()  # else the system keeps what it has not read, for minutes
        elif state is not LINGERING:
            last_words = connection.receiver.expire()
            if last_words:
                self.refuse(connection, "head timeout" if state is HEAD else "slow body", last_words)
                self.settle(connection, now)
                return
            self.ended["no request" if state is HEAD else "idle timeout"] += 1
        self.drop(connection)

    def close(self) -> None:
        """When there is no leader any more: closes every connection that is not detached, and the poller."""
        self.listener.close()
        for connection in list(self.by_fd.values()):
            if connection.detached:  # its thread, when it ends at last, finds it closed
                self.watch(connection, NOTHING)
                connection.cut_off()
            else:
                self.drop(connection)
        self.by_fd.clear()
        self.mailbox.close()
        with contextlib.suppress(OSError):  # other code has closed it
            self.poller.close()
