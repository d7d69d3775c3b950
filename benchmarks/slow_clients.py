"""A process that is thousands of bad clients, each of which would hold a thread of a simpler server.

`python -m benchmarks.slow_clients PORT SECONDS KIND=COUNT...`

Kinds: `head` and `body` send one byte of a head or a body every second, `deaf` asks for a big response and never
reads it, `idle` asks one request, reads the answer and keeps the connection. It says `settled` in a line of JSON when
all have connected and the idle ones have been answered, and `done`, with how each kind fared, after so many seconds
more or when its standard input is closed. One thread, one epoll: only for Linux.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import statistics
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from .client import HOST, get

DRIP_SECONDS = 1.0
AT_ONCE = 200  # connections that are being made
SETTLE_SECONDS = 60.0

OPENING = {
    "head": b"GET / HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\nX-Drip: ",
    "body": b"POST / HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\nContent-Length: 1000000\r\n\r\n",
    "deaf": get("/big"),
    "idle": get("/"),
}


@dataclass(eq=False)
class BadClient:
    kind: str
    socket: socket.socket
    opened: float
    connected: bool = False
    answered: bool = False
    status: str = ""  # of the first answer
    ended: float | None = None  # seconds after its opening, by the server


@dataclass
class Crowd:
    """All clients: `step` moves those for which there is something to do."""

    port: int
    wanted: deque[str]
    epoll: select.epoll = field(default_factory=select.epoll)
    clients: list[BadClient] = field(default_factory=list)
    polled: dict[int, BadClient] = field(default_factory=dict)  # by descriptor
    drips: deque[tuple[float, BadClient]] = field(default_factory=deque)  # when, in order
    opening: int = 0
    unsettled: int = 0

    def __post_init__(self) -> None:
        self.unsettled = len(self.wanted)

    def step(self, timeout: float) -> None:
        while self.wanted and self.opening < AT_ONCE:
            self._open(self.wanted.popleft())
        now = time.monotonic()
        while self.drips and self.drips[0][0] <= now:
            due, client = self.drips.popleft()
            self._drip(client, due)
        if self.drips:
            timeout = min(timeout, max(0.0, self.drips[0][0] - now))
        for descriptor, _ in self.epoll.poll(timeout):
            self._handle(self.polled[descriptor])

    def _open(self, kind: str) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        if kind == "deaf":  # small buffers on both sides, so that the rest stays with the server
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        sock.connect_ex((HOST, self.port))
        client = BadClient(kind, sock, time.monotonic())
        self.clients.append(client)
        self.polled[sock.fileno()] = client
        self.epoll.register(sock, select.EPOLLOUT)
        self.opening += 1

    def _handle(self, client: BadClient) -> None:
        if not client.connected:
            self._connected(client)
        elif client.kind == "deaf":  # never reads; only a reset connection is reported
            self._ended(client)
        else:
            self._receive(client)

    def _connected(self, client: BadClient) -> None:
        self.opening -= 1
        client.connected = True
        try:
            client.socket.sendall(OPENING[client.kind])
        except OSError:
            self._settled(client)
            self._ended(client)
            return
        self.epoll.modify(client.socket, 0 if client.kind == "deaf" else select.EPOLLIN)
        if client.kind in ("head", "body"):
            self.drips.append((time.monotonic() + DRIP_SECONDS, client))
        if client.kind != "idle":
            self._settled(client)

    def _receive(self, client: BadClient) -> None:
        try:
            data = client.socket.recv(65536)
        except OSError:
            data = b""
        client.status = client.status or data[9:12].decode("latin-1")
        if client.kind == "idle":
            self._settled(client)
        if not data:
            self._ended(client)

    def _drip(self, client: BadClient, due: float) -> None:
        if client.ended is not None:
            return
        try:
            client.socket.send(b"x")
        except BlockingIOError:
            pass
        except OSError:
            self._ended(client)
            return
        self.drips.append((due + DRIP_SECONDS, client))

    def _settled(self, client: BadClient) -> None:
        if not client.answered:
            client.answered = True
            self.unsettled -= 1

    def _ended(self, client: BadClient) -> None:
        if client.ended is None:
            client.ended = time.monotonic() - client.opened
            self.epoll.unregister(client.socket)
            del self.polled[client.socket.fileno()]
            client.socket.close()

    def fared(self) -> dict[str, dict[str, object]]:
        """How each kind fared."""
        kinds: dict[str, dict[str, object]] = {}
        for kind in OPENING:
            mine = [client for client in self.clients if client.kind == kind]
            ended = sorted(client.ended for client in mine if client.ended is not None)
            kinds[kind] = {
                "ended": len(ended),
                "median_ended": statistics.median(ended) if ended else 0.0,
                "last_ended": ended[-1] if ended else 0.0,
                "answers": dict(Counter(client.status or "none" for client in mine)),
            }
        return kinds


def closed(stdin: int) -> bool:
    """Whether the measuring process has gone, or has closed the pipe."""
    return bool(select.select([stdin], [], [], 0)[0])


def run(port: int, seconds: float, counts: dict[str, int]) -> None:
    # The kinds are mixed evenly, so that the server meets all of them from the beginning.
    turns = sorted((i / count, kind) for kind, count in counts.items() for i in range(count))
    crowd = Crowd(port, deque(kind for _, kind in turns))
    begun = time.monotonic()
    while crowd.unsettled and time.monotonic() < begun + SETTLE_SECONDS and not closed(0):
        crowd.step(0.05)
    taken = time.monotonic() - begun
    print(json.dumps({"event": "settled", "seconds": taken, "unsettled": crowd.unsettled}), flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end and not closed(0):
        crowd.step(0.05)
    print(json.dumps({"event": "done", "kinds": crowd.fared()}), flush=True)


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _, port, seconds, *kinds = sys.argv
    counts = {kind: int(count) for kind, _, count in (one.partition("=") for one in kinds)}
    run(int(port), float(seconds), counts)


if __name__ == "__main__":
    main()
