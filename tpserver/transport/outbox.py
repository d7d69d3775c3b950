"""What a connection has still to send: bytes and pieces of files, in order.

Sending never blocks: what the socket does not take stays here, and the leader sends it when the client has read.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections import deque
from itertools import islice
from typing import Final

# Of a file, as much is offered to the socket in one go. (Without sendfile it is read into memory.)
FILE_STEP: Final = (1024 if hasattr(os, "sendfile") else 256) * 1024
READ_STEP: Final = 256 * 1024
# Bytes offered to the socket in one go. Windows takes any piece as a whole, into memory of the system: it would be too
# late to see that a client does not read.
OFFERED: Final = READ_STEP if sys.platform == "win32" else sys.maxsize
# Buffers offered in one sendmsg; POSIX promises 16, every system of today takes 1024.
_VECTOR: Final = 64
# Of a piece of a file, so many bytes are remembered at its beginning, middle and end.
_SAMPLE: Final = 64
_MORE: Final = getattr(socket, "MSG_MORE", 0)

# Of an open file: st_mtime_ns and st_size.
Version = tuple[int, int]


class FilePiece:
    """A part of an open file, still to be sent. Owns `file`, a descriptor, and closes it, unless `more` of it follows.

    Where `version` is given the file has to be that still when the last of it is sent. One that has grown since passes
    if a sample of the piece has stayed as it was: a log is no other file for the line that has been added to it, but
    one that is written anew may become longer, too.
    """

    __slots__ = ("_file", "_first", "_more", "_offset", "_sample", "_sendfile", "_version", "device", "remaining")

    def __init__(
        self, file: int, offset: int, length: int, version: Version | None, more: bool, sendfile: bool
    ) -> None:
        self._file = file
        self._sendfile = sendfile
        self._first = self._offset = offset
        self._version = version
        self._more = more
        self.remaining = length
        self.device = os.fstat(file).st_dev
        self._sample = None if version is None else self._look()

    def send(self, sock: socket.socket) -> int:
        """Sends what the socket takes; how many bytes that were.

        Raises BlockingIOError when it takes none, OSError when the client is gone, EOFError when the file has changed.
        """
        step = min(self.remaining, FILE_STEP if self._sendfile else READ_STEP)
        if step == self.remaining:  # for a client that has all it was promised takes it for whole
            self._check()
        if self._sendfile and hasattr(os, "sendfile"):
            sent: int = os.sendfile(sock.fileno(), self._file, self._offset, step)
        else:
            data = self._read(self._offset, step)
            sent = sock.send(data) if data else 0
        if sent == 0:
            raise EOFError("the file became shorter while it was sent")
        self._offset += sent
        self.remaining -= sent
        return sent

    def _check(self) -> None:
        if self._version is not None:
            status = os.fstat(self._file)
            modified, size = self._version
            if status.st_mtime_ns != modified and (status.st_size <= size or self._look() != self._sample):
                raise EOFError("the file was changed while it was sent")

    def _look(self) -> list[bytes]:
        """Some of what is in the piece now, at its beginning, middle and end."""
        end = self._offset + self.remaining
        places = (self._first, (self._first + end) // 2, max(self._first, end - _SAMPLE))
        return [self._read(place, min(_SAMPLE, end - place)) for place in places]

    def _read(self, offset: int, length: int) -> bytes:
        os.lseek(self._file, offset, os.SEEK_SET)
        return os.read(self._file, length)

    def close(self) -> None:
        """Closes the descriptor, unless another piece of it follows."""
        if not self._more:
            os.close(self._file)


def device_name(outbox: Outbox | None) -> str:
    """The name of the device whose file is sent next; "" where that is none. Any thread; a moment's answer."""
    device = None if outbox is None else outbox.device
    return "" if device is None else f"device {device}:"


class Outbox:
    """Bytes and file pieces on their way to one socket.

    The thread that owns the connection appends and sends. While it produces a stream the leader sends, too: what is
    left over when the socket is full (`send_on`). So one lock guards all of it; a response that the socket takes at
    once is never in here. An exception may come from outside at any line: only a `with` takes the lock.
    """

    __slots__ = ("_discarded", "_lock", "_parts", "_sendfile", "held", "moved", "size", "watched")

    def __init__(self, *, sendfile: bool = True) -> None:
        """`sendfile`: files are sent by the kernel, where the system can do that."""
        self._sendfile = sendfile
        self._lock = threading.Lock()
        self._parts: deque[bytes | memoryview | FilePiece] = deque()
        self._discarded = False  # nothing is sent any more: what has been dropped would be missing before it
        self.size = 0  # bytes held in memory
        self.moved = 0  # bytes that the socket has taken
        self.watched = False  # the leader has been told to send on, and does so until all is sent
        self.held = False  # complete responses in memory, which the leader keeps for the next: see `Connection.hold`

    def __bool__(self) -> bool:
        """Whether something is left. Any thread; the answer is a moment's."""
        return bool(self._parts)

    @property
    def device(self) -> int | None:
        """The device of the file that is sent next; None where that is no file. Any thread; a moment's answer."""
        with contextlib.suppress(IndexError):
            first = self._parts[0]
            return first.device if isinstance(first, FilePiece) else None
        return None

    def append(self, data: bytes | memoryview) -> None:
        """The owner: puts `data` behind what is still to be sent."""
        with self._lock:
            if data and not self._discarded:
                self._parts.append(data)
                self.size += len(data)

    def append_file(self, file: int, offset: int, length: int, version: Version | None, more: bool) -> None:
        """The owner: the same with a `FilePiece`. `more` promises that a piece without it comes next of that file."""
        with self._lock:
            self.held = False  # from here on the disk decides how long the lock is held
            self._parts.append(FilePiece(file, offset, length, version, more, self._sendfile))

    def send(self, sock: socket.socket) -> int:
        """The owner: offers the socket what is here, once for each kind; how many bytes it took (0: none now).

        Raises OSError when the client is gone, EOFError as `FilePiece.send`.
        """
        with self._lock:
            self.held = False
            return self._send(sock)

    def discard(self) -> None:
        """The owner or the leader: drops what is left, closes its files, and takes nothing any more."""
        with self._lock:
            self._discarded = True
            while self._parts:
                try:
                    part = self._parts[0]  # `device` tells of it as long as a disk takes to close it
                    if isinstance(part, FilePiece):
                        part.close()
                finally:
                    self._parts.popleft()
            self.size = 0
            self.watched = self.held = False

    def take_files(self) -> list[FilePiece]:
        """The leader: as `discard`, but it leaves it to the caller to close these."""
        with self._lock:
            files = [part for part in self._parts if isinstance(part, FilePiece)]
            self._parts.clear()
        self.discard()
        return files

    # -- a stream: one thread produces it, and the leader sends what is left over meanwhile

    def leave(self, data: bytes) -> bool:
        """The producer: puts `data` there for the leader; False where that does not send on what is left just now.

        The socket is full as long as the leader waits for it. To ask it with each piece costs more than the piece.
        """
        if not self.watched:
            return False
        with self._lock:
            if self.watched:
                self._parts.append(data)
                self.size += len(data)
            return self.watched

    def watch(self) -> bool:
        """The producer: whether the leader has to be told that something is left. Only once, until all is sent."""
        with self._lock:
            told, self.watched = self.watched, bool(self._parts)
            return self.watched and not told

    def send_on(self, sock: socket.socket) -> bool:
        """The leader, if it has been told to: offers the socket what is left; whether to go on. Raises OSError."""
        if not (self.watched or self.held):  # its owner may hold the lock for as long as a disk takes
            return False
        with self._lock:
            self._send(sock)
            self.watched = bool(self._parts)
            return self.watched

    # -- with the lock held

    def _send(self, sock: socket.socket) -> int:
        total = 0
        try:
            while self._parts:
                first = self._parts[0]
                if isinstance(first, FilePiece):
                    total += first.send(sock)
                    if not first.remaining:
                        self._parts.popleft()
                        first.close()
                    break  # the next step of a large file is another turn's, so that others get theirs
                sent = self._send_bytes(sock)
                total += sent
                if not self._take(sent):
                    break
        except BlockingIOError:
            pass
        self.moved += total
        return total

    def _send_bytes(self, sock: socket.socket) -> int:
        buffers: list[bytes | memoryview] = []
        for part in islice(self._parts, _VECTOR):
            if isinstance(part, FilePiece):
                break
            buffers.append(part)
        more = _MORE if len(buffers) < len(self._parts) else 0  # a head and the beginning of its file share a packet
        if len(buffers) == 1 or not hasattr(sock, "sendmsg"):
            first = buffers[0]
            return sock.send(first if len(first) <= OFFERED else memoryview(first)[:OFFERED], more)
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
