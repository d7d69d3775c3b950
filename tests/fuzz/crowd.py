"""Clients that send garbage to a live server and leave as rudely as they like; and what it holds on to afterwards."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, NamedTuple

from tests import inside
from tests.client import PATIENCE, RESET, Client
from tests.fuzz.mutation import garbage
from tests.running import Running

# Connections that are open at once.
AT_ONCE = 40
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

    def __init__(self, running: Running, seed: int) -> None:
        self.running = running
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
        client.connect(self.running.address)
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
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()

    def check_alive(self) -> None:
        """The server answers another client. Raises AssertionError."""
        with Client(self.running) as client:
            status = client.ask("*", method="OPTIONS").status
            assert status == 204, f"after {self.sent} connections there is no answer"

    def held_when_all_have_gone(self) -> Held:
        """Waits until the server has closed what its clients have left. Raises AssertionError."""
        deadline = monotonic() + PATIENCE
        server = self.running.server
        with Client(self.running) as client:
            while True:
                assert client.ask("*", method="OPTIONS").status == 204
                connections, busy = inside.open_connections(server) - 1, inside.busy(server)
                if connections == busy == 0:
                    break
                assert monotonic() < deadline, f"{connections} connections, {busy} requests are left over"
            return Held(connections, descriptors(), inside.pool_threads(server))


def descriptors() -> int:
    """Open descriptors of this process; -1 where that cannot be told."""
    # wine has these folders as well, and they tell of wine.
    for folder in ("/proc/self/fd", "/dev/fd") if sys.platform != "win32" else ():
        with contextlib.suppress(OSError):
            return len(os.listdir(folder))
    return -1


def threads() -> set[str]:
    """The names of all threads."""
    return {thread.name for thread in threading.enumerate()}
