"""Clients that send garbage to a live server and leave as rudely as they like; and what it holds on to afterwards."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, NamedTuple

from tests.fuzz.mutation import garbage

PATIENCE = 20.0
# Connections that are open at once.
AT_ONCE = 40
_AT_ONCE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # SO_LINGER: on, for no time
_PROBE = b"OPTIONS * HTTP/1.1\r\nHost: probe\r\n\r\n"
# Linux has a whole network on the loopback interface: else the ports of one address would run out.
_MANY_ADDRESSES = sys.platform.startswith("linux")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers in every way that there is, by the length of the path; some of them are faults."""
    path = environ["PATH_INFO"]
    kind = len(path) % 8
    if kind == 6:
        raise LookupError(path)
    if kind == 7:
        return []  # start_response was never called
    content = environ["wsgi.input"].read() if kind % 2 else b""
    write = start_response("200 OK", [("Content-Type", "application/octet-stream")])
    if kind == 2:
        return (b"x" * size for size in (1, 1000, 100_000))
    if kind == 3:
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if kind == 4:
        write(b"written")
        return [b"and returned"]
    if kind == 5:
        return [b"x" * 500_000]
    return [content or b"small"]


class Held(NamedTuple):
    """What the server holds on to."""

    connections: int
    descriptors: int  # of the whole process; -1 where that cannot be told
    threads: int


class Crowd:
    """Garbage for one server in this process. The same seed brings the same bytes."""

    def __init__(self, server: Any, seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)
        self.sent = 0  # connections, so far

    def run(self, connections: int) -> None:
        """So many connections, some dozens at a time; after each lot the server must answer. Raises AssertionError."""
        while connections > 0:
            lot = min(AT_ONCE, connections)
            self._lot(lot)
            connections -= lot
            self.sent += lot
            self.check_alive()

    def _lot(self, count: int) -> None:
        clients = []
        try:
            for _ in range(count):
                clients.append(self._connect())
                self._send(clients[-1], garbage(self.chance))
            self.chance.shuffle(clients)
            for client in clients:
                self._go_on(client)
        finally:
            for client in clients:
                self._leave(client)

    def _connect(self) -> socket.socket:
        client = socket.socket()
        client.settimeout(PATIENCE)
        if _MANY_ADDRESSES:
            client.bind((f"127.0.{self.chance.randrange(1, 250)}.1", 0))
        client.connect(("127.0.0.1", self.server.server_port))
        client.setblocking(False)  # a server that does not read must not hold this one up
        return client

    def _send(self, client: socket.socket, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the server may have had enough
            client.send(data)

    def _go_on(self, client: socket.socket) -> None:
        """In the middle of what it does: more of the same, a half-close, a look at what has come, or nothing."""
        kind = self.chance.randrange(4)
        with contextlib.suppress(OSError):
            if kind == 0:
                client.send(garbage(self.chance))
            elif kind == 1:
                client.shutdown(socket.SHUT_WR)
            elif kind == 2:
                client.recv(1000)

    def _leave(self, client: socket.socket) -> None:
        if self.chance.randrange(4):
            with contextlib.suppress(OSError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        client.close()

    def check_alive(self) -> None:
        """The server answers somebody else. Raises AssertionError."""
        with socket.create_connection(("127.0.0.1", self.server.server_port), timeout=PATIENCE) as sock:
            assert ask(sock).startswith(b"HTTP/1.1 204 "), f"after {self.sent} connections there is no answer"

    def held_when_all_have_gone(self) -> Held:
        """Waits until the server has closed what its clients have left. Raises AssertionError."""
        deadline = monotonic() + PATIENCE
        server = self.server
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE) as sock:
            while True:
                assert ask(sock).startswith(b"HTTP/1.1 204 ")
                busy = server.admission.running + server.admission.waiting
                if server.leader.open == 1 and not busy:
                    break
                assert monotonic() < deadline, f"{server.leader.open - 1} connections, {busy} requests are left over"
            return Held(server.leader.open - 1, descriptors(), server._pool.size)


def ask(sock: socket.socket) -> bytes:
    """One answer without content."""
    sock.sendall(_PROBE)
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        assert piece, "the server has closed the connection of a client that did nothing wrong"
        data += piece
    return data


def descriptors() -> int:
    """Open descriptors of this process; -1 where that cannot be told."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            return len(os.listdir(folder))
    return -1


def threads() -> set[str]:
    """The names of all threads."""
    return {thread.name for thread in threading.enumerate()}
