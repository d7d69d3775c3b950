"""One socket: its receiver, what is left to send, its state and its deadline.

A connection has one owner at a time: the leader, or the thread of the request that it runs (`detached` is true then).
Nothing about it is locked but its outbox.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Final

from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.system.gil_held_io import RECEIVE, Send
from tpserver.transport.encryption import Unencrypted
from tpserver.transport.outbox import OFFERED, Outbox, Version
from tpserver.transport.pace import Burst, Timing
from tpserver.transport.polling import NOTHING, READ, WRITE, ClientSide, client_side, refuses, reset_on_close, wait_for
from tpserver.transport.protocol import Address, Receiver

_log = Log("tpserver")

# A producer that is faster than its client waits beyond this many bytes in memory, unless told otherwise.
MAX_OUTBOX: Final = 1024 * 1024
# What is logged, with its traceback, where a fault of the server's has cost one connection.
INTERNAL_ERROR: Final = "internal error; connection closed"


class State(Enum):
    """What a connection waits for. `states` has the table."""

    IDLE = "idle"  # the next request
    HEAD = "head"  # the rest of a head, or the first request of a new connection
    BODY = "body"  # the rest of a body
    READY = "ready"  # the leader: bytes of its next request are here already
    RUNNING = "running"  # the answer to its request
    SENDING = "sending"  # the client to read what is in the outbox
    LINGERING = "lingering"  # the client to see the end and close
    CLOSED = "closed"


# By themselves: to look a member up in its class costs as much as a call.
IDLE, HEAD, BODY, READY, RUNNING, SENDING, LINGERING, CLOSED = State


class Connection(Unencrypted):
    """One accepted, non-blocking socket, of which there may be thousands."""

    __slots__ = (
        "_burst", "_tell_leader", "body_time_left", "broken", "client_address", "client_ends",
        "counted_address", "deadline", "detached", "fd", "keep_alive", "lags", "max_outbox", "moved", "outbox",
        "polled", "receiver", "sendfile", "sock", "state", "timing", "unsent_response",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        client_address: Address,
        receiver: Receiver,
        timing: Timing,
        max_outbox: int = MAX_OUTBOX,
        tell_leader: Callable[[Connection], None] = lambda _: None,
        sendfile: bool = True,
    ) -> None:
        """`tell_leader` is called by the thread of a stream when the leader has to send what is left over."""
        self.sock, self.fd = sock, sock.fileno()
        self.client_address = client_address
        self.receiver = receiver
        self.timing = timing
        self.sendfile = sendfile
        self.max_outbox = max_outbox  # bytes that wait in memory before their producer does
        self.unsent_response: bytes | None = None  # in one piece, not yet offered to the socket: the usual, quick case
        self.outbox: Outbox | None = None  # made for a response that needs one; the leader takes it away when empty
        self.counted_address: str | None = None  # the address that this is counted for, while it is
        self.state = IDLE
        self.polled = NOTHING  # what the poller watches; the leader's
        self.deadline = inf  # of the monotonic clock, in seconds; the leader's
        self.body_time_left: float | None = None  # seconds, for a body that the thread of its request receives
        self.moved = 0  # bytes of the last response in one piece, or of a stream, that have not gone by the outbox
        self.detached = False  # owned by the thread of its request, which is not the leader
        self.lags = False  # the thread of its request waits for the client
        self.keep_alive = True  # False: the connection closes behind what is still to be sent
        self.client_ends = False  # it has said that it sends nothing more: it is not waited for its end
        self.broken = False  # the client is gone, or what it got must not pass for complete: just close
        self._burst: Burst | None = None  # of a stream
        self._tell_leader = tell_leader

    @property
    def sending(self) -> bool:
        """Whether the socket has not yet taken everything. Any thread; a snapshot."""
        return self.unsent_response is not None or bool(self.outbox)

    @property
    def taken(self) -> int:
        """Bytes of the response that the socket has taken: the client has those to read. Any thread; a snapshot."""
        return self.moved if self.outbox is None else self.moved + self.outbox.moved

    @property
    def held(self) -> bool:
        """Whether `hold` keeps responses that are still to be offered to the socket. Any thread; a snapshot."""
        return self.outbox is not None and self.outbox.held

    # -- sending

    def write(self, data: bytes) -> None:
        """The owner: puts `data` behind what is still to be sent; `flush` sends it. Once broken, nothing is."""
        if self.broken:
            return
        if self.unsent_response is None and self.outbox is None and len(data) <= OFFERED:
            self.unsent_response = data
        else:
            self._outbox().append(data)

    def write_file(
        self, file: int, offset: int, length: int, *, version: Version | None = None, more: bool = False
    ) -> None:
        """The owner: puts a piece of an open file there, see `FilePiece`. Takes over the descriptor `file`."""
        if not self.broken:
            self._outbox().append_file(file, offset, length, version, more)
        elif not more:
            os.close(file)

    def flush(self, send: Send | None = None) -> int:
        """The owner: offers the socket what is to be sent; how many bytes it took. Never blocks.

        A lost client raises nothing. `send` is how a response in one piece goes (see `gil_held_io`).
        """
        data = self.unsent_response
        try:
            if data is not None:
                self.unsent_response = None
                try:
                    sent = self.sock.send(data) if send is None else send(self.sock, data)
                except BlockingIOError:
                    sent = 0
                self.moved = sent
                if sent < len(data):
                    self._outbox().append(memoryview(data)[sent:])
            else:
                sent = self.outbox.send(self.sock) if self.outbox else 0
            return sent
        except EOFError:
            self.reset()
            return 0
        except OSError:
            self.abort()
            return 0

    def hold(self) -> bool:
        """The leader: keeps a response in one piece for the next one of a client that pipelines; whether that pays.

        They leave in one send. Where the next request is slow, it is sent before that: by `Dispatch.place`, or by the
        leader that comes after this one.
        """
        if self.unsent_response is None and not self.held:
            return False
        outbox = self._outbox()
        outbox.held = True
        return outbox.size <= RECEIVE

    def progress(self, moved: int, now: float) -> None:
        """The leader: `moved` more bytes of a body or of a response extend the deadline."""
        self.deadline = self.timing.progress(self.deadline, moved, now)

    def send(self, data: bytes) -> None:
        """The owner, which produces a stream: sends at once; the leader sends on what the socket does not take.

        Waits while more than `max_outbox` bytes are left over. Raises ConnectionAbortedError when the client has gone,
        or takes less than its minimum rate. Where it fails, nothing is sent any more: it is not known how much was.
        """
        try:
            if not self.broken:
                outbox = self.outbox
                if outbox is None or not outbox.leave(data):
                    self.write(data)
                    burst = self._burst = self._burst or Burst()
                    if burst.goes_on(clock.perf_counter()) and self.detached:  # the leader sends many at once
                        outbox = self._outbox()
                    else:
                        moved = self.moved if self.outbox is None else 0
                        self.flush()
                        self.moved += moved
                        outbox = self.outbox
                if outbox is not None:  # the socket has not taken everything, now or before
                    if outbox.size > self.max_outbox:
                        self._wait_for_room(outbox)
                    if outbox.watch():
                        self._tell_leader(self)
        except BaseException:  # the client reads too slowly, or there is no memory or stack
            if not self.broken:
                self.broken, self.keep_alive = True, False  # first, for calls may fail now
                self.reset()
            raise
        if self.broken:
            raise ConnectionAbortedError("the client has gone")

    def _wait_for_room(self, outbox: Outbox) -> None:
        """Sends until half of `max_outbox` is left over, or the connection is broken."""
        outbox.watched = False  # the leader sends nothing meanwhile
        now = clock.monotonic()
        deadline = self.timing.progress(self.timing.begin(now), self.taken, now)
        while outbox.size > self.max_outbox // 2 and not self.broken:
            if not self._wait_for(WRITE, deadline - clock.monotonic()):
                raise ConnectionAbortedError("the client reads too slowly")
            deadline = self.timing.progress(deadline, self.flush(), clock.monotonic())

    def _wait_for(self, wanted: int, timeout: float) -> bool:
        self.lags = True
        try:
            return wait_for(self.sock, wanted, timeout)
        finally:
            self.lags = False

    def send_on(self) -> bool:
        """The leader, of a detached connection: sends what is left of its stream; whether to go on. Raises none."""
        try:
            return self.outbox is not None and self.outbox.send_on(self.sock)
        except OSError:
            self.abort()
        except BaseException:  # noqa: BLE001 - one connection must not end the others
            _log.exception(INTERNAL_ERROR)
            self.reset()
        return False

    def _outbox(self) -> Outbox:
        if self.outbox is None:
            self.outbox = Outbox(sendfile=self.sendfile)
        if self.unsent_response is not None:
            self.outbox.append(self.unsent_response)
            self.unsent_response = None
        return self.outbox

    # -- receiving

    def receive(self) -> bytes:
        """The owner, the thread of a request: the next bytes of its body, at the least rate that a body must have.

        Raises ConnectionAbortedError when the client has gone, TimeoutError when it is too slow.
        """
        now = clock.monotonic()
        if self.body_time_left is None:
            self.body_time_left = self.timing.begin(now) - now
        deadline = now + self.body_time_left  # what the application takes between two reads is not the client's time
        data = b""
        while not data:
            try:
                data = self.sock.recv(RECEIVE)
                if not data:
                    raise ConnectionAbortedError("the client has gone")
            except BlockingIOError:
                if not self._wait_for(READ, deadline - clock.monotonic()):
                    self.keep_alive = False
                    raise TimeoutError("the client sends too slowly") from None
            except OSError as error:
                self.abort()
                raise ConnectionAbortedError("the client has gone") from error
        now = clock.monotonic()
        self.body_time_left = self.timing.progress(deadline, len(data), now) - now
        return data

    def has_come(self) -> bool:
        """The leader: whether there are bytes that have not been received."""
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except OSError:  # nothing yet, or never again
            return False

    def client_gone(self) -> bool:
        """Any thread that runs a request of this connection: whether the client has closed its side, or all of it."""
        return self.client_side() is not ClientSide.OPEN

    def client_left(self) -> bool:
        """The owner, behind a response: whether the client has left. One that has closed its side is sent it first."""
        if not self.client_gone():
            return False
        self.flush()
        return self.broken or refuses(self.sock)

    def client_side(self) -> ClientSide:
        """Any thread that runs or drops a request of this connection: what the client has done to its side."""
        return ClientSide.RESET if self.broken else client_side(self.sock)

    # -- the end

    def end_sending(self) -> bool:
        """The leader: the client sees the end of what it is sent, also where a child process still holds the socket.

        Not if it is broken: that must not pass for an end. False: the socket was closed by other code.
        """
        try:
            if self.broken:
                self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
            else:
                self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:  # else the client has gone, as the poller will tell
            return error.errno not in {errno.EBADF, errno.ENOTSOCK}
        return True

    def abort(self) -> None:
        """The owner, or the leader that sends on: nothing more is sent, and the leader will close the connection."""
        self.broken = True
        self.keep_alive = False
        self.unsent_response = None
        if self.outbox is not None:
            self.outbox.discard()

    def reset(self) -> None:
        """As `abort`, so that the client sees it: what ends with the connection must not pass for complete."""
        reset_on_close(self.sock)
        self.abort()

    def cut_off(self) -> None:
        """The last leader: the thread that has this connection finds it closed; if it waits for its client, at once."""
        self.broken = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def close(self) -> None:
        """The leader: the end. May be called again."""
        self.state = CLOSED
        self.abort()
        self.receiver.close()
        self.sock.close()
