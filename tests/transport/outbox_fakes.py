"""Sockets that take as much as a test wants, and a sendfile for them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable


class PlainSocket:
    """Takes `step` bytes each time; raises BlockingIOError after `room` bytes. Has no sendmsg."""

    def __init__(self, step: int, room: int = 1 << 60) -> None:
        self.step = step
        self.room = room
        self.taken = bytearray()
        self.calls = 0

    def fileno(self) -> int:
        return -1

    def getsockopt(self, *_: object) -> int:
        return 0

    def setsockopt(self, *_: object) -> None:
        pass

    def take(self, data: bytes | memoryview) -> int:
        self.calls += 1
        length = min(self.step, self.room, len(data))
        if not length:
            raise BlockingIOError
        self.taken += data[:length]
        self.room -= length
        return length

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        return self.take(data)


class VectorSocket(PlainSocket):
    """Has sendmsg."""

    def sendmsg(self, buffers: Iterable[bytes | memoryview], ancillary: object = (), flags: int = 0) -> int:
        return self.take(b"".join(buffers))


def sendfile_to(sock: PlainSocket):
    """`os.sendfile` for a fake."""

    def sendfile(out: int, file: int, offset: int, length: int) -> int:
        os.lseek(file, offset, os.SEEK_SET)
        data = os.read(file, length)
        return sock.take(data) if data else 0

    return sendfile


def is_open(file: int) -> bool:
    """Whether this descriptor is open."""
    try:
        os.fstat(file)
    except OSError:
        return False
    return True


def fill(sock: socket.socket) -> int:
    """Sends until the system takes no more (Windows takes any piece as a whole, until then); how many bytes."""
    total = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            total += sock.send(b"x" * 1_000_000)
    return total
