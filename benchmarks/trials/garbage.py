"""100 000 connections of garbage, and what the server holds on to afterwards.

`python -m benchmarks garbage [--connections N] [--seed N]`

Each connection brings a spoilt request, half a one, random bytes or nothing, and leaves by a reset, a close or after a
look at the answer. As many that are not counted warm the server up, and so do slow requests for all its threads; then
threads and descriptors must be the same at the end as at the beginning, and memory within 5 %.
"""

from __future__ import annotations

import argparse
import random
import socket
import struct
import sys
import time
from contextlib import ExitStack, suppress
from typing import NamedTuple

from ..bench import Bench
from ..client import HOST, Client, get
from ..job import SUBJECT, Job
from ..process import ServerFailed, ServerProcess
from ..servers import SERVERS

CONNECTIONS = 100_000
# What the server remembers is bounded, and so are the pieces that the allocator keeps for each thread: full by then.
WARM_CONNECTIONS = 100_000
WARM_REQUESTS = 100  # at once, and slow: by then the pool has all its threads
MEMORY_SHARE = 0.05
LOT = 50
SETTLE_SECONDS = 30.0
_LOOK = 0.2
_NOW = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time

_REQUESTS = (
    get("/"),
    get("/none") * 20,
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"x" * 70_000,
    b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffff",
    b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"GET /../../etc/passwd HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    b"",
)


class Held(NamedTuple):
    """What a server holds on to when it has no clients."""

    threads: int
    descriptors: int
    memory: int  # bytes


def spoilt(chance: random.Random) -> bytes:
    """The bytes of one connection."""
    data = chance.choice(_REQUESTS)
    kind = chance.randrange(4)
    if kind == 0:
        return data
    if kind == 1:
        return chance.randbytes(chance.choice((3, 30, 300, 3000)))
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.randrange(4)) + data[at + chance.randrange(3) :]


def crowd(port: int, count: int, chance: random.Random) -> None:
    """So many connections, some dozens at a time. Their addresses vary, else the ports of one would run out."""
    while count > 0:
        lot = min(LOT, count)
        count -= lot
        with ExitStack() as stack:
            clients = []
            for _ in range(lot):
                client = stack.enter_context(socket.socket())
                if sys.platform.startswith("linux"):
                    client.bind((f"127.0.{chance.randrange(1, 250)}.1", 0))
                client.settimeout(10.0)
                client.connect((HOST, port))
                client.setblocking(False)
                with suppress(OSError):  # the server may have had enough
                    client.send(spoilt(chance))
                clients.append(client)
            for client in clients:
                with suppress(OSError):
                    if chance.randrange(2):
                        client.recv(4096)
                    if chance.randrange(4):
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)


def warm(port: int, chance: random.Random) -> None:
    """Fills what is bounded: the pool and the memories."""
    crowd(port, WARM_CONNECTIONS, chance)
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(port)) for _ in range(WARM_REQUESTS)]
        for client in clients:
            client.send("/slow")
        for client in clients:
            client.receive()


def held(process: ServerProcess, most_descriptors: int | None = None) -> Held:
    """Waits, for a bounded time, until the descriptors are as few as they were."""
    deadline = time.monotonic() + SETTLE_SECONDS
    before = -1
    while True:
        descriptors = process.open_files()
        settled = descriptors == before if most_descriptors is None else descriptors <= most_descriptors
        if settled or time.monotonic() > deadline:
            return Held(process.threads(), descriptors, process.memory())
        before = descriptors
        process.rest(1.0 if most_descriptors is None else _LOOK)


def faults(before: Held, after: Held) -> list[str]:
    """What is more than it was; nothing is the pass."""
    found = []
    if after.threads > before.threads:
        found.append(f"{after.threads} threads instead of {before.threads}")
    if after.descriptors > before.descriptors:
        found.append(f"{after.descriptors} descriptors instead of {before.descriptors}")
    if after.memory > before.memory * (1 + MEMORY_SHARE):
        found.append(f"{after.memory / 2**20:.1f} MiB instead of {before.memory / 2**20:.1f}")
    return found


def run(bench: Bench, connections: int, seed: int) -> int:
    """Exit status."""
    chance = random.Random(seed)
    job = Job(app="trials.app:everything", files=True, ready=("/quick", 13))
    with bench.serve(SERVERS[SUBJECT], job) as process:
        warm(process.port, chance)
        before = held(process)
        begun = time.monotonic()
        for done in range(0, connections, 5000):
            crowd(process.port, min(5000, connections - done), chance)
            with Client(process.port) as client:
                answer = client.ask("/quick")
            if done % 20_000 == 0:
                print(f"garbage {done}: {process.memory() / 2**20:.1f} MiB", file=sys.stderr, flush=True)
            if answer.status != 200:
                raise ServerFailed(f"answered {answer.status} after {done} connections")
        seconds = time.monotonic() - begun
        after = held(process, before.descriptors)
    print(f"{connections} connections of garbage, seed {seed}, {connections / seconds:.0f}/s")
    for name, one in (("before", before), ("after", after)):
        print(f"{name:>7}: {one.threads} threads, {one.descriptors} descriptors, {one.memory / 2**20:.1f} MiB")
    found = faults(before, after)
    print(f"FAILED: {'; '.join(found)}" if found else "passed: nothing is left over")
    return 1 if found else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks garbage", description=__doc__)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with Bench.open() as bench:
        return run(bench, options.connections, options.seed)
