"""What a connection has still to send: bytes and pieces of files, in order.

Sending never blocks: what the socket does not take at once stays here, and the leader sends it when
the client has read. The memory that this takes is the response's own.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from typing import Final

# Of a file, as much is offered to the socket in one go.
FILE_STEP: Final = 1024 * 1024
# Read at a time where the system has no sendfile.
READ_STEP: Final = 256 * 1024
# Buffers offered in one sendmsg; POSIX promises 16, every system of today takes 1024.
_VECTOR: Final = 64

_MORE: Final = getattr(socket, "MSG_MORE", 0)


class FilePiece:
    """A part of an open file, still to be sent. Owns `file`, a descriptor of its own, and closes it."""

    __slots__ = ("_file", "_offset", "remaining")

    def __init__(self, file: int, offset: int, length: int) -> None:
        self._file = file
        self._offset = offset
        self.remaining = length

    def send(self, sock: socket.socket) -> int:
        """Sends what the socket takes; how many bytes that were.

        Raises BlockingIOError when the socket takes none, OSError when the client is gone, and
        EOFError when the file has become shorter than was promised.
        """
        if hasattr(os, "sendfile"):
            sent: int = os.sendfile(sock.fileno(), self._file, self._offset, min(self.remaining, FILE_STEP))
        else:
            os.lseek(self._file, self._offset, os.SEEK_SET)
            data = os.read(self._file, min(self.remaining, READ_STEP))
            sent = sock.send(data) if data else 0
        if sent == 0:
            raise EOFError("the file became shorter while it was sent")
        self._offset += sent
        self.remaining -= sent
        return sent

    def close(self) -> None:
        os.close(self._file)


class Outbox:
    """Bytes and file pieces on their way to one socket. One thread at a time: the connection's owner."""

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self._parts: deque[bytes | memoryview | FilePiece] = deque()
        self.size = 0  # bytes held in memory

    def __bool__(self) -> bool:
        return bool(self._parts)

    def append(self, data: bytes | memoryview) -> None:
        if data:
            self._parts.append(data)
            self.size += len(data)

    def append_file(self, file: int, offset: int, length: int) -> None:
        """Takes over the descriptor `file` and closes it when `length` bytes from `offset` on are sent."""
        self._parts.append(FilePiece(file, offset, length))

    def send(self, sock: socket.socket) -> int:
        """Offers the socket what is here, once for each kind; how many bytes it took (0: none now).

        Raises OSError when the client is gone, EOFError as `FilePiece.send`.
        """
        total = 0
        try:
            while self._parts:
                first = self._parts[0]
                sent = first.send(sock) if isinstance(first, FilePiece) else self._send_bytes(sock)
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
        return total

    def clear(self) -> None:
        """Gives up what is left, and closes its files."""
        while self._parts:
            part = self._parts.popleft()
            if isinstance(part, FilePiece):
                part.close()
        self.size = 0

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
