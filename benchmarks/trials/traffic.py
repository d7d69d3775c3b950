"""A process that is all kinds of visitors of a server at once: python -m benchmarks.trials.traffic PORT SECONDS SEED

Quick and slow requests, streams, posts, uploads, small and large files, pipelining, errors; resets and garbage; slow
heads, slow readers and idle connections. It ends when the seconds have passed or its standard input is closed, and then
tells in a line of JSON how often each came and what came back that should not have.
"""

from __future__ import annotations

import json
import random
import select
import socket
import struct
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..apps.plain import BIG
from ..bench import FILES
from ..client import HOST, get
from .app import STREAM_PIECES
from .garbage import spoilt

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 20.0
SLOW_CLIENTS = 40
SLOW_SECONDS = 12.0
IDLE_CLIENTS = 100
IDLE_SECONDS = 20.0
_NOW = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


class Unexpected(Exception):
    """Something else came back."""


class Visitor:
    """A connection that is used again and again, and opened anew when it has ended."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self.port = port
        self.chance = chance
        self._socket: socket.socket | None = None
        self._stream: Any = None

    def open(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self.port), timeout=TIMEOUT)
            self._stream = self._socket.makefile("rb")
        return self._socket

    def close(self, *, reset: bool = False) -> None:
        if self._socket is not None:
            if reset:
                with suppress(OSError):
                    self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
            self._stream.close()
            self._socket.close()
            self._socket = None

    def send(self, data: bytes) -> None:
        self.open().sendall(data)

    def answer(self) -> tuple[int, int]:
        """Status and length of the next response. Raises OSError where it is not whole."""
        line = self._stream.readline()
        if not line.startswith(b"HTTP/1.1 "):
            raise ConnectionError(f"no status line: {line[:40]!r}")
        status, length, chunked, close = int(line[9:12]), 0, False, False
        while (line := self._stream.readline()) != b"\r\n":
            if not line:
                raise ConnectionError("the connection ended within a head")
            name, _, value = line.lower().partition(b":")
            length = int(value) if name == b"content-length" else length
            chunked |= name == b"transfer-encoding"
            close |= name == b"connection" and b"close" in value
        received = self._chunks() if chunked else self._content(length)
        if close:
            self.close()
        return status, received

    def _content(self, length: int) -> int:
        received = 0
        while received < length:
            piece = self._stream.read(min(length - received, 65536))
            if not piece:
                raise ConnectionError("the connection ended within a content")
            received += len(piece)
        return received

    def _chunks(self) -> int:
        received = 0
        while True:
            line = self._stream.readline()
            if not line:
                raise ConnectionError("the connection ended between two chunks")
            size = int(line, 16)
            received += self._content(size)
            self._stream.readline()
            if not size:
                return received

    def expect(self, path: str, status: int, length: int | None = None) -> None:
        """Asks; a busy server may say so (503)."""
        self.send(get(path))
        self.check(status, length)

    def check(self, status: int, length: int | None = None) -> None:
        got = self.answer()
        if got[0] != 503 and (got[0] != status or (length is not None and got[1] != length)):
            raise Unexpected(f"{got} instead of {(status, length)}")


def quick(visitor: Visitor) -> None:
    visitor.expect("/quick", 200, 13)


def slow(visitor: Visitor) -> None:
    visitor.expect("/slow", 200, 13)


def fail(visitor: Visitor) -> None:
    visitor.expect("/fail", 500)


def stream(visitor: Visitor) -> None:
    visitor.expect("/stream", 200, sum(len(b"piece %d\n" % number) for number in range(STREAM_PIECES)))


def big(visitor: Visitor) -> None:
    visitor.expect("/big", 200, len(BIG))


def small_file(visitor: Visitor) -> None:
    name = visitor.chance.choice(("1k.bin", "10k.bin", "100k.bin"))
    visitor.expect(f"/{name}", 200, FILES[name])


def large_file(visitor: Visitor) -> None:
    visitor.expect("/20m.bin", 200, FILES["20m.bin"])


def not_found(visitor: Visitor) -> None:
    """Another address each time, so that nothing remembered helps."""
    visitor.expect(f"/x{visitor.chance.randrange(10**9)}.html", 200, 13)


def post(visitor: Visitor) -> None:
    _upload(visitor, visitor.chance.randrange(10_000))


def upload(visitor: Visitor) -> None:
    _upload(visitor, visitor.chance.randrange(100_000, 3_000_000))


def _upload(visitor: Visitor, size: int) -> None:
    head = f"POST /content HTTP/1.1\r\nHost: {HOST}\r\nCookie: n={size}\r\nContent-Length: {size}\r\n\r\n"
    visitor.send(head.encode("ascii") + b"x" * size)
    visitor.check(200, len(str(size)))


def pipeline(visitor: Visitor) -> None:
    visitor.send(get("/quick") * 50)
    for _ in range(50):
        visitor.check(200, 13)


def new_connection(visitor: Visitor) -> None:
    visitor.close()
    quick(visitor)


def reset(visitor: Visitor) -> None:
    """Leaves in the middle of an answer, of a request, or of nothing."""
    visitor.send(visitor.chance.choice((get("/20m.bin"), get("/slow"), get("/stream"), get("/big"), b"GET / HT", b"")))
    if visitor.chance.randrange(2):
        select.select([visitor.open()], [], [], 0.02)
    visitor.close(reset=True)


def garbage(visitor: Visitor) -> None:
    sock = visitor.open()
    with suppress(OSError):
        sock.setblocking(False)
        sock.send(spoilt(visitor.chance))
        select.select([sock], [], [], 0.02)
    visitor.close(reset=bool(visitor.chance.randrange(2)))


# kind -> what it does, how many do it, and the seconds that each rests in between.
KINDS: dict[str, tuple[Callable[[Visitor], None], int, float]] = {
    "quick": (quick, 4, 0.005),
    "new connection": (new_connection, 2, 0.01),
    "not found": (not_found, 1, 0.01),
    "small file": (small_file, 2, 0.005),
    "large file": (large_file, 1, 0.5),
    "big": (big, 1, 0.05),
    "slow": (slow, 6, 0.01),
    "stream": (stream, 2, 0.1),
    "fail": (fail, 1, 0.2),
    "post": (post, 1, 0.02),
    "upload": (upload, 1, 0.2),
    "pipeline": (pipeline, 1, 0.1),
    "reset": (reset, 2, 0.02),
    "garbage": (garbage, 2, 0.02),
}


class Traffic:
    """All of them, each in a thread of its own, and one more for those that are slow."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.seed = seed
        self.over = threading.Event()
        self.counts: Counter[str] = Counter()
        self.unexpected: Counter[str] = Counter()

    def start(self) -> list[threading.Thread]:
        threads = [
            threading.Thread(target=self._repeat, args=(kind, number), daemon=True)
            for kind, (_, count, _) in KINDS.items()
            for number in range(count)
        ]
        threads.append(threading.Thread(target=self._be_slow, daemon=True))
        for thread in threads:
            thread.start()
        return threads

    def _repeat(self, kind: str, number: int) -> None:
        visit, _, rest = KINDS[kind]
        visitor = Visitor(self.port, random.Random(f"{self.seed} {kind} {number}"))
        rude = kind in ("reset", "garbage")
        while not self.over.wait(rest):
            self.counts[kind] += 1
            try:
                visit(visitor)
            except (OSError, ValueError, Unexpected) as error:
                visitor.close()
                if not rude and not self.over.is_set():
                    self.unexpected[f"{kind}: {type(error).__name__}: {error}"[:120]] += 1
        visitor.close()

    def _be_slow(self) -> None:
        """Slow heads, slow bodies, clients that never read, and idle ones: all are opened, left alone and replaced."""
        openings = (
            b"GET / HTTP/1.1\r\nX: ",
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n",
            get("/big"),
        )
        slow = [(openings[number % 3], SLOW_SECONDS) for number in range(SLOW_CLIENTS)]
        kinds = slow + [(get("/quick"), IDLE_SECONDS)] * IDLE_CLIENTS
        clients: list[tuple[float, socket.socket] | None] = [None] * len(kinds)
        chance = random.Random(self.seed)
        while not self.over.wait(0.5):
            now = time.monotonic()
            for number, (opening, lasting) in enumerate(kinds):
                client = clients[number]
                with suppress(OSError):
                    if client is None or client[0] < now:
                        if client is not None:
                            client[1].close()
                        sock = socket.create_connection((HOST, self.port), timeout=TIMEOUT)
                        clients[number] = (now + lasting * chance.uniform(0.5, 1.5), sock)
                        sock.sendall(opening)
                        self.counts["slow or idle"] += 1
                    elif number < SLOW_CLIENTS and number % 3 < 2:
                        client[1].send(b"x")
        for client in clients:
            if client is not None:
                client[1].close()


def main() -> None:
    _, port, seconds, seed = sys.argv
    traffic = Traffic(int(port), int(seed))
    threads = traffic.start()
    select.select([sys.stdin], [], [], float(seconds))
    traffic.over.set()
    deadline = time.monotonic() + 2 * TIMEOUT
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    hung = sum(thread.is_alive() for thread in threads)
    if hung:
        traffic.unexpected["visitors that wait without end"] = hung
    print(json.dumps({"counts": traffic.counts, "unexpected": traffic.unexpected}), flush=True)


if __name__ == "__main__":
    main()
