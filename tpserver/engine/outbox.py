"""What a connection has still to send: bytes and pieces of files, in order.

Sending never blocks: what the socket does not take at once stays here, and the leader sends it when
the client has read. The memory that this takes is the response's own.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
from collections import deque
from typing import Final

from tpserver.engine.pace import Pace
from tpserver.system.clock import clock

# Of a file, as much is offered to the socket in one go.
FILE_STEP: Final = 1024 * 1024
# Read at a time where the system has no sendfile.
READ_STEP: Final = 256 * 1024
# Buffers offered in one sendmsg; POSIX promises 16, every system of today takes 1024.
_VECTOR: Final = 64

# Of a piece of a file, so many bytes are remembered at its beginning, middle and end.
_SAMPLE: Final = 64

_MORE: Final = getattr(socket, "MSG_MORE", 0)

# Seconds after which a producer that waits for its client looks again, even if it has not been woken.
_LONGEST_WAIT: Final = 1.0

# Of an open file: st_mtime_ns and st_size.
Version = tuple[int, int]


def _read_at(file: int, offset: int, length: int) -> bytes:
    if hasattr(os, "pread"):
        data: bytes = os.pread(file, length, offset)
        return data
    os.lseek(file, offset, os.SEEK_SET)
    return os.read(file, length)


class FilePiece:
    """A part of an open file, still to be sent. Owns `file`, a descriptor, and closes it, unless `more` of it follows.

    Where `version` is given the file has to be that still when the last of it is sent. One that has
    grown since passes, if a sample of the piece has stayed as it was: a log is no other file for the line that has
    been added to it, but one that is written anew may become longer, too.
    """

    __slots__ = ("_file", "_more", "_offset", "_piece", "_sample", "_version", "remaining")

    def __init__(self, file: int, offset: int, length: int, version: Version | None, more: bool) -> None:
        self._file = file
        self._offset = offset
        self._version = version
        self._more = more
        self._piece = offset, length
        self._sample = b"" if version is None else self._look()
        self.remaining = length

    def _look(self) -> bytes:
        """Some of what is in the piece now, at its beginning, middle and end; "" where it cannot be read."""
        offset, length = self._piece
        try:
            if length <= 3 * _SAMPLE:
                return _read_at(self._file, offset, length)
            places = (offset, offset + length // 2, offset + length - _SAMPLE)
            return b"".join([_read_at(self._file, place, _SAMPLE) for place in places])
        except OSError:
            return b""

    def send(self, sock: socket.socket, *, late: bool) -> int:
        """Sends what the socket takes; how many bytes that were. `late`: it was not made in this turn.

        Raises BlockingIOError when the socket takes none, OSError when the client is gone, and
        EOFError when the file has become shorter than was promised, or another.
        """
        if hasattr(os, "sendfile"):
            step = min(self.remaining, FILE_STEP)
            self._check(step, late)
            sent: int = os.sendfile(sock.fileno(), self._file, self._offset, step)
        else:
            step = min(self.remaining, READ_STEP)
            os.lseek(self._file, self._offset, os.SEEK_SET)
            data = os.read(self._file, step)
            self._check(step, late)
            sent = sock.send(data) if data else 0
        if sent == 0:
            raise EOFError("the file became shorter while it was sent")
        self._offset += sent
        self.remaining -= sent
        return sent

    def _check(self, step: int, late: bool) -> None:
        """Before the last step, for a client that has all it was promised takes it for whole."""
        if late and step == self.remaining and self._version is not None:
            status = os.fstat(self._file)
            modified, size = self._version
            if status.st_mtime_ns != modified and (status.st_size <= size or self._look() != self._sample):
                raise EOFError("the file was changed while it was sent")

    def close(self) -> None:
        """Closes the descriptor, unless another piece of it follows."""
        if not self._more:
            os.close(self._file)


class Outbox:
    """Bytes and file pieces on their way to one socket.

    The thread that owns the connection appends and sends. While it produces a stream the leader sends, too: what is
    left over when the socket is full (`send_on`). So one lock guards all of it; a response that the socket takes at
    once is never in here, and takes no lock. An exception may be raised from outside in the producer, at any line, so
    that there is nothing but a `with` around a lock, and a queue that is written in C.
    """

    __slots__ = ("_deadline", "_discarded", "_late", "_lock", "_parts", "_room", "_wake_at", "size", "watched")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: deque[bytes | memoryview | FilePiece] = deque()
        self._late = False  # something has been left over before
        self._discarded = False  # nothing is sent any more: what has been dropped would be missing before it
        self.size = 0  # bytes held in memory
        self.watched = False  # the leader has been told to send on, and does so until all is sent
        self._room: queue.SimpleQueue[None] | None = None  # where the producer waits
        self._wake_at = -1  # at this size it is woken
        self._deadline = 0.0  # it waits no longer, but for what its client reads

    def __bool__(self) -> bool:
        """Whether something is left. Any thread; the answer is a moment's."""
        return bool(self._parts)

    def append(self, data: bytes | memoryview) -> None:
        """The owner: puts `data` behind what is still to be sent."""
        with self._lock:
            if data and not self._discarded:
                self._parts.append(data)
                self.size += len(data)

    def append_file(
        self, file: int, offset: int, length: int, *, version: Version | None = None, more: bool = False
    ) -> None:
        """The owner: takes over the descriptor `file` and closes it when `length` bytes from `offset` on are sent.

        `version` and `more` as `FilePiece`; `more` promises that a piece without it comes next of that file.
        """
        with self._lock:
            self._parts.append(FilePiece(file, offset, length, version, more))

    def send(self, sock: socket.socket) -> int:
        """The owner: offers the socket what is here, once for each kind; how many bytes it took (0: none now).

        Raises OSError when the client is gone, EOFError as `FilePiece.send`.
        """
        with self._lock:
            return self._send(sock)

    def discard(self) -> None:
        """The owner or the leader: drops what is left, closes its files, and takes nothing any more."""
        with self._lock:
            self._discarded = True
            while self._parts:
                part = self._parts.popleft()
                if isinstance(part, FilePiece):
                    part.close()
            self.size = 0
            self.watched = False
        self._wake_producer()

    # -- a stream: one thread produces it, and the leader sends what is left over meanwhile

    def watch(self) -> bool:
        """The producer: whether the leader has to be told that something is left. Only once, until all is sent."""
        with self._lock:
            told, self.watched = self.watched, bool(self._parts)
            return self.watched and not told

    def send_on(self, sock: socket.socket, pace: Pace, now: float) -> bool:
        """The leader, if it has been told to: offers the socket what is left; whether to go on. Raises OSError."""
        if not self.watched:  # not a stream: its owner may hold the lock for as long as a disk takes
            return False
        with self._lock:
            self._deadline = pace.progress(self._deadline, self._send(sock), now)
            self.watched = bool(self._parts)
            wake = self.size <= self._wake_at
        if wake:
            self._wake_producer()
        return self.watched

    def wait_for_room(self, wake_at: int, pace: Pace, moved: int) -> None:
        """The producer, which has just sent `moved` bytes: waits until `wake_at` bytes are left, or `discard`.

        Raises ConnectionAbortedError when the client reads too slowly.
        """
        room = self._room = self._room or queue.SimpleQueue()
        now = clock.monotonic()
        with self._lock:
            self._deadline = pace.progress(pace.begin(now), moved, now)
            self._wake_at = wake_at
        while self.size > wake_at and not self._discarded:
            left = self._deadline - clock.monotonic()
            if left <= 0:
                raise ConnectionAbortedError("the client reads too slowly")
            with contextlib.suppress(queue.Empty):
                room.get(timeout=min(left, _LONGEST_WAIT))
        self._wake_at = -1

    def cut_off(self) -> None:
        """The last leader: a producer that waits goes on. Without the lock, which may be held for as long as a disk."""
        self._discarded = True
        self._wake_producer()

    def _wake_producer(self) -> None:
        if self._room is not None:
            self._room.put(None)

    # -- with the lock held

    def _send(self, sock: socket.socket) -> int:
        total = 0
        try:
            while self._parts:
                first = self._parts[0]
                sent = first.send(sock, late=self._late) if isinstance(first, FilePiece) else self._send_bytes(sock)
                total += sent
                if isinstance(first, FilePiece):
                    if not first.remaining:
                        self._parts.popleft()
                        first.close()
                    break  # the next step of a large file is another turn's, so that others get theirs
                if not self._take(sent):
                    break
        except BlockingIOError:
            pass
        self._late = bool(self._parts)
        return total

    def _send_bytes(self, sock: socket.socket) -> int:
        buffers = []
        more = 0
        for part in self._parts:
            if isinstance(part, FilePiece):
                more = _MORE  # so that a head and the beginning of its file share a packet
                break
            buffers.append(part)
            if len(buffers) == _VECTOR:
                break
        if len(buffers) == 1 or not hasattr(sock, "sendmsg"):
            return sock.send(buffers[0], more)
        sent: int = sock.sendmsg(buffers, (), more)
        return sent

    def _take(self, sent: int) -> bool:
        """Drops `sent` bytes from the front; whether nothing of the parts offered was left over."""
        self.size -= sent
        while sent:
            first = self._parts[0]
            assert not isinstance(first, FilePiece)
            if sent < len(first):
                self._parts[0] = memoryview(first)[sent:]
                return False
            sent -= len(first)
            self._parts.popleft()
        return True
