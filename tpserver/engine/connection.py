"""One socket: its receiver, its outbox, its state and its deadline.

A connection has one owner at a time: the leader, or the thread that runs its request (`away` is
true then). It passes hands; nothing about it is locked.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import sys
from time import monotonic
from typing import Any, Final

from tpserver.engine.holding import Send, send
from tpserver.engine.outbox import Outbox, Version
from tpserver.engine.polling import NOTHING
from tpserver.engine.protocol import Part, Receiver
from tpserver.engine.timing import Pace

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

# A producer that is faster than its client waits beyond this many bytes in memory.
MAX_OUTBOX: Final = 1024 * 1024


class Connection:
    """One accepted, non-blocking socket. Only its owner calls its methods. Thousands of these may be idle."""

    __slots__ = (
        "away", "broken", "client_address", "deadline", "fd", "keep", "moved", "outbox", "pace", "phase", "polled",
        "receiver", "sock", "state", "whole",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, client_address: Any, receiver: Receiver, pace: Pace) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.client_address = client_address
        self.receiver = receiver
        self.pace = pace
        self.whole: bytes | None = None  # a response not yet offered to the socket: the usual, quick case
        self.outbox: Outbox | None = None  # made for the first response that needs one
        self.state = RECEIVING
        self.phase: Part = "nothing"  # what the deadline was set for
        self.polled = NOTHING  # what the poller watches; the leader's
        self.deadline = NEVER  # of the monotonic clock, in seconds
        self.moved = 0  # bytes that the last flush has sent
        self.away = False  # owned by a thread that is not the leader
        self.keep = True  # False: close behind what is still to be sent
        self.broken = False  # the client is gone, or what it got must not pass for complete: just close

    @property
    def idle(self) -> bool:
        """Whether it awaits its next request and nothing else: nothing to send, nothing received, not to be closed."""
        return self.keep and not self.outbox and not self.receiver.pending

    @property
    def unsent(self) -> int:
        """Bytes in memory that the socket has not yet taken."""
        return len(self.whole or b"") + (self.outbox.size if self.outbox is not None else 0)

    def write(self, data: bytes) -> None:
        """Puts `data` behind what is still to be sent; `flush` sends it. Once broken, nothing is."""
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
        if not self.broken:
            self._outbox().append_file(file, offset, length, version=version, more=more)
        elif not more:
            os.close(file)

    def flush(self, send: Send = send) -> int:
        """Offers the socket what is to be sent; how many bytes it took. Never blocks; a lost client raises nothing.

        `send` is how a response in one piece goes (see `holding`).
        """
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
        """Writes and flushes; waits while more than MAX_OUTBOX bytes are left over.

        Raises ConnectionAbortedError when the client has gone, or takes less than its minimum rate.
        """
        self.write(data)
        self.flush()
        if self.outbox and self.outbox.size > MAX_OUTBOX:
            self._wait_for_room()
        if self.broken:
            raise ConnectionAbortedError("the client has gone")

    def abort(self) -> None:
        """Gives up: nothing more is sent, and the leader will close the connection."""
        self.broken = True
        self.keep = False
        self.whole = None
        if self.outbox is not None:
            self.outbox.clear()

    def reset(self) -> None:
        """Gives up so that the client sees it: what ends with the connection must not pass for complete."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.abort()

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

    def _wait_for_room(self) -> None:
        """The producing thread waits for its own client; the leader does not watch this socket meanwhile."""
        deadline = self.pace.progress(self.pace.begin(monotonic()), self.moved, monotonic())
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_WRITE)
            while self.outbox and self.outbox.size > MAX_OUTBOX // 2:
                now = monotonic()
                if now >= deadline:
                    self.abort()
                    raise ConnectionAbortedError("the client reads too slowly")
                selector.select(deadline - now)
                deadline = self.pace.progress(deadline, self.flush(), monotonic())
