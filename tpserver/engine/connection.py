"""One socket: its receiver, its outbox, its state and its deadline.

A connection has one owner at a time: the leader, or the thread that runs its request (`away` is
true then). It passes hands; nothing about it is locked, but for one case.

A stream whose client lags is *lent*: its owner stays the thread that produces it, which alone sets and unsets
`lent`, and meanwhile the leader sends what is in the outbox when the socket takes it, by `send_lent` and nothing
else. `_lock` guards that loan: the leader holds it while it looks at `lent` and sends, the producer while it
takes the loan back. It does so before it touches the outbox again, whatever it does with it; so neither waits for
the other for longer than one send that does not block.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import socket
import struct
import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from tpserver.engine.outbox import Outbox, Version
from tpserver.engine.polling import NOTHING
from tpserver.engine.protocol import Part, Receiver
from tpserver.engine.timing import Pace
from tpserver.system.gil_held_io import RECEIVE, Send, send

# What a connection that the leader owns is waiting for.
RECEIVING: Final = 0  # bytes of a request
READY: Final = 1  # its turn: bytes of the next request are here already
SENDING: Final = 2  # the client to read what is in the outbox
LINGERING: Final = 3  # the client to see the end and close (RFC 9112 section 9.6)
ANSWERED: Final = 4  # nothing: its request has been answered, and what comes next is not decided yet
CLOSED: Final = 5

# SO_LINGER's struct: on, for 0 seconds.
_AT_ONCE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)

NEVER: Final = float("inf")

# Seconds without progress after which a client lags behind its stream.
_LAG: Final = 0.05
# A producer that is faster than its client waits beyond this many bytes in memory, unless told otherwise.
MAX_OUTBOX: Final = 1024 * 1024


# One that takes no descriptor, of which there may be none left; for one socket it is as good as any.
_Selector: Final[Any] = getattr(selectors, "PollSelector", selectors.SelectSelector)

# Tells of a client's end also behind bytes that have not been received. It takes no descriptor either.
_POLL: Final[Any] = getattr(select, "poll", None)
# The client has closed its side; where there is no such event (macOS) only a closed connection is told.
_PEER_CLOSED: Final[int] = getattr(select, "POLLRDHUP", 0)


class Connection:
    """One accepted, non-blocking socket. Only its owner calls its methods. Thousands of these may be idle."""

    __slots__ = (
        "_lend_to", "_lock", "away", "broken", "client_address", "credit", "crowd", "deadline", "fd", "keep_alive",
        "lags", "lent", "max_outbox", "moved", "outbox", "pace", "phase", "polled", "receiver", "sock", "state",
        "whole",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        client_address: Any,
        receiver: Receiver,
        pace: Pace,
        max_outbox: int = MAX_OUTBOX,
        lend_to: Callable[[Connection], None] | None = None,
    ) -> None:
        """`lend_to` tells the leader of a stream that is lent; without it what is left waits for the next piece."""
        self.sock = sock
        self.fd = sock.fileno()
        self.client_address = client_address
        self.receiver = receiver
        self.pace = pace
        self.max_outbox = max_outbox  # bytes that wait in memory before their producer does
        self.whole: bytes | None = None  # a response not yet offered to the socket: the usual, quick case
        self.outbox: Outbox | None = None  # made for the first response that needs one
        self.crowd = ""  # the address that it is counted for, while it is
        self.state = RECEIVING
        self.phase: Part = "nothing"  # what the deadline was set for
        self.polled = NOTHING  # what the poller watches; the leader's
        self.deadline = NEVER  # of the monotonic clock, in seconds
        self.credit: float | None = None  # seconds, for a body that the thread of its request receives
        self.lags = False  # the client does not take what is streamed as fast as it is made
        self.lent = False  # the leader may send on from the outbox; changed by the producing thread only
        self._lend_to = lend_to
        self._lock: threading.Lock | None = None  # guards `lent`, and the outbox meanwhile; made for the first loan
        self.moved = 0  # bytes that the last flush has sent
        self.away = False  # owned by a thread that is not the leader
        self.keep_alive = True  # False: close behind what is still to be sent
        self.broken = False  # the client is gone, or what it got must not pass for complete: just close

    @property
    def idle(self) -> bool:
        """Whether it awaits its next request and nothing else: nothing to send, nothing received, not to be closed."""
        return self.keep_alive and not self.outbox and not self.receiver.pending

    @property
    def sending(self) -> bool:
        """Whether the socket has not yet taken everything. Any thread may ask; the answer is a moment's."""
        return self.whole is not None or bool(self.outbox)

    @property
    def unsent(self) -> int:
        """Bytes in memory that the socket has not yet taken."""
        return len(self.whole or b"") + (self.outbox.size if self.outbox is not None else 0)

    def write(self, data: bytes) -> None:
        """Puts `data` behind what is still to be sent; `flush` sends it. Once broken, nothing is."""
        if self.lent:
            self._end_loan()
        if self.broken:
            return
        if self.whole is None and not self.outbox:
            self.whole = data
        else:
            self._outbox().append(data)

    def write_file(
        self, file: int, offset: int, length: int, *, version: Version | None = None, more: bool = False
    ) -> None:
        """Puts a piece of an open file there. Takes over the descriptor `file`, and closes it in the end.

        With `more`, another piece of the same descriptor follows, and that one closes it. `version` as `FilePiece`.
        """
        if self.lent:
            self._end_loan()
        if not self.broken:
            self._outbox().append_file(file, offset, length, version=version, more=more)
        elif not more:
            os.close(file)

    def flush(self, send: Send = send) -> int:
        """Offers the socket what is to be sent; how many bytes it took. Never blocks; a lost client raises nothing.

        `send` is how a response in one piece goes (see `gil_held_io`).
        """
        if self.lent:
            self._end_loan()
        whole = self.whole
        try:
            if whole is not None and not self.outbox:
                self.whole = None
                try:
                    sent = send(self.sock, whole)
                except BlockingIOError:
                    sent = 0
                if sent < len(whole):
                    self._outbox().append(memoryview(whole)[sent:])
            else:
                sent = self.outbox.send(self.sock) if self.outbox else 0
            self.moved = sent
            return sent
        except EOFError:
            self.reset()
            return 0
        except OSError:
            self.abort()
            return 0

    def send(self, data: bytes) -> None:
        """Writes and flushes; waits while more than `max_outbox` bytes are left over.

        Raises ConnectionAbortedError when the client has gone, or takes less than its minimum rate. Where it cannot
        do it for another reason, nothing is sent any more: nobody knows what of `data` has left.
        """
        try:
            self._send(data)
        except BaseException:  # no memory, no stack
            if not self.broken:
                self.broken, self.keep_alive = True, False  # first, for calls may fail now
                self.reset()
            raise

    def _send(self, data: bytes) -> None:
        self.write(data)
        self.flush()
        if self.outbox:
            if self.outbox.size > self.max_outbox:
                self._wait_for_room()
            if self.outbox and not self.lags:
                self._push()
            if self.outbox:
                self._lend()
        else:
            self.lags = False
        if not self.broken:
            self._notice_reset()
        if self.broken:
            raise ConnectionAbortedError("the client has gone")

    def receive(self) -> bytes:
        """The thread that runs a request: what comes next, at the least rate that a body must have.

        Raises ConnectionAbortedError when the client has gone, TimeoutError when it is too slow.
        """
        now = monotonic()
        if self.credit is None:
            self.credit = self.pace.begin(now) - now
        deadline = now + self.credit  # what the application takes between two reads is not the client's time
        data = b""
        with _Selector() as selector:
            selector.register(self.sock, selectors.EVENT_READ)
            while not data:
                try:
                    data = self.sock.recv(RECEIVE)
                    if not data:
                        raise ConnectionAbortedError("the client has gone")
                except BlockingIOError:
                    if not selector.select(deadline - monotonic()) and monotonic() >= deadline:
                        self.keep_alive = False
                        raise TimeoutError("the client sends too slowly") from None
                except OSError as error:
                    self.abort()
                    raise ConnectionAbortedError("the client has gone") from error
        now = monotonic()
        self.credit = self.pace.progress(deadline, len(data), now) - now
        return data

    def has_come(self) -> bool:
        """Whether there are bytes that have not been received. The leader."""
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except OSError:  # nothing yet, or never again
            return False

    def client_gone(self) -> bool:
        """Whether the client has closed its side. Any thread that runs a request of this connection may ask.

        One that only has nothing more to send, and still reads, looks the same: none of the usual clients does that.
        An end behind bytes that nobody has received yet is seen where the system tells of it (POLLRDHUP: Linux).
        """
        if self.broken:
            return True
        try:
            if _POLL is not None:
                poll = _POLL()
                poll.register(self.sock, _PEER_CLOSED)  # the end of a connection is told unasked
                if poll.poll(0):
                    return True
                if _PEER_CLOSED:
                    return False
            elif self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return True
            return not self.sock.recv(1, socket.MSG_PEEK)  # sees nothing behind what has not been received yet
        except BlockingIOError:
            return False
        except (OSError, ValueError):  # ValueError: it has been closed on this side
            return True

    def _notice_reset(self) -> None:
        """What has just been sent may have come back as a reset: then the next piece need not be made."""
        if self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.abort()

    def abort(self) -> None:
        """Gives up: nothing more is sent, and the leader will close the connection."""
        if self.lent:
            self._end_loan()
        self._give_up()

    def _give_up(self) -> None:
        self.broken = True
        self.keep_alive = False
        self.whole = None
        if self.outbox is not None:
            self.outbox.clear()

    def reset(self) -> None:
        """Gives up so that the client sees it: what ends with the connection must not pass for complete."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.abort()

    def detach(self) -> None:
        """Only the leader: the descriptor is not ours any more, and must not be closed: it may be somebody else's."""
        with contextlib.suppress(OSError):
            self.sock.detach()

    def close(self) -> None:
        """Only the leader: the end."""
        self.state = CLOSED
        self.abort()
        self.receiver.close()
        self.sock.close()

    def _outbox(self) -> Outbox:
        if self.outbox is None:
            self.outbox = Outbox()
        if self.whole is not None:
            self.outbox.append(self.whole)
            self.whole = None
        return self.outbox

    def _push(self) -> None:
        """Sends on while the client takes it: the next piece may be long in coming. One that lags is not waited for."""
        with _Selector() as selector:
            selector.register(self.sock, selectors.EVENT_WRITE)
            while self.outbox:
                if not selector.select(_LAG) or not self.flush():
                    self.lags = True
                    return

    def _lend(self) -> None:
        """The producing thread: the leader sends on while the next piece is made."""
        if self._lend_to is None:
            return
        if self._lock is None:
            self._lock = threading.Lock()
        with self._lock:
            self.lent = True
        self._lend_to(self)

    def _end_loan(self) -> None:
        """The producing thread: ends the loan. The outbox is its own again."""
        assert self._lock is not None
        with self._lock:
            self.lent = False
        if not self.outbox:
            self.lags = False  # the client has caught up meanwhile

    def send_lent(self) -> bool:
        """The leader, while the connection is away: sends on if it is lent; whether there is more to send.

        Never blocks; a lost client raises nothing: its producer finds the connection broken.
        """
        if self._lock is None:
            return False
        with self._lock:
            if not self.lent or not self.outbox:  # it has been taken back meanwhile
                return False
            try:
                self.outbox.send(self.sock)
            except OSError:  # no EOFError: a stream has no pieces of files
                self._give_up()
            return bool(self.outbox)

    def _wait_for_room(self) -> None:
        """The producing thread waits for its own client, until half of what may wait has gone."""
        deadline = self.pace.progress(self.pace.begin(monotonic()), self.moved, monotonic())
        with _Selector() as selector:
            selector.register(self.sock, selectors.EVENT_WRITE)
            while self.outbox and self.outbox.size > self.max_outbox // 2:
                now = monotonic()
                if now >= deadline:
                    self.abort()
                    raise ConnectionAbortedError("the client reads too slowly")
                selector.select(deadline - now)
                deadline = self.pace.progress(deadline, self.flush(), monotonic())
