"""Measurements without wrk: what tpserver withstands, and what it costs when nothing happens."""

from __future__ import annotations

import selectors
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from .apps.plain import HANG_SECONDS
from .bench import FILES, Bench, Helper
from .client import Client
from .job import Job
from .model import Metric, Scenario, Target
from .probe import percentile
from .process import ServerFailed, ServerProcess, need_files

if TYPE_CHECKING:
    from .job import Figures
    from .servers import Server

THREADS = 8
QUEUE = 16
OVERFLOW = 8
REFUSAL_SECONDS = 2.0
FILE_REQUESTS = 200

CROWD = {"head": 2000, "body": 2000, "deaf": 2000, "idle": 5000}
CROWD_SECONDS = 45.0
CONNECTIONS_OPTION = ("--max-connections", "12000")
SETTLE_SECONDS = 90.0
VISIT_EVERY = 0.010
LOOK_SECONDS = 0.5
FEW = 100  # descriptors of the server itself, and visitors

IDLE_CONNECTIONS = 5000
IDLE_SECONDS = 10.0


def hung(bench: Bench, server: Server, job: Job) -> Figures:
    """More requests than threads and queue take, none of which ends; then files."""
    with bench.serve(server, job) as process, ExitStack() as stack:
        clients = [stack.enter_context(Client(process.port)) for _ in range(THREADS + QUEUE + OVERFLOW)]
        refused = _refusals(clients)
        files = sorted(_time_of_file(process) for _ in range(FILE_REQUESTS))
    return {
        "refused at once": len(refused),
        "slowest refusal ms": max(refused, default=HANG_SECONDS * 1000),
        "file p50 ms": percentile(files, 0.50),
        "slowest file ms": files[-1],
    }


def _refusals(clients: list[Client]) -> list[float]:
    """Have all ask; milliseconds from asking to 503 for each that is refused soon enough to see."""
    sent: dict[Client, float] = {}
    for client in clients:
        sent[client] = time.perf_counter()
        client.send("/hang")
    refused: list[float] = []
    deadline = time.perf_counter() + REFUSAL_SECONDS
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        while len(refused) < OVERFLOW and (left := deadline - time.perf_counter()) > 0:
            for key, _ in selector.select(left):
                client = cast("Client", key.fileobj)
                selector.unregister(client)
                taken = (time.perf_counter() - sent[client]) * 1000
                if client.receive().status == 503:
                    refused.append(taken)
    return refused


def _time_of_file(process: ServerProcess) -> float:
    """Milliseconds for a file, with a connection of its own."""
    begun = time.perf_counter()
    with Client(process.port) as client:
        answer = client.ask("/1k.bin")
    if answer.status != 200 or len(answer.body) != FILES["1k.bin"]:
        raise ServerFailed(f"answered {answer.status} for a file while the application hung")
    return (time.perf_counter() - begun) * 1000


def slow_clients(bench: Bench, server: Server, job: Job) -> Figures:
    """Eleven thousand bad clients at once, and one good visitor who asks all along."""
    need_files(sum(CROWD.values()) + 500)
    crowd_arguments = [f"{kind}={count}" for kind, count in CROWD.items()]
    most_files, most_memory = 0, 0
    gone: float | None = None
    with (
        bench.serve(server, job) as process,
        bench.helper("probe", process.port, "/", VISIT_EVERY, SETTLE_SECONDS + CROWD_SECONDS) as probe,
        bench.helper("slow_clients", process.port, CROWD_SECONDS, *crowd_arguments) as crowd,
    ):
        connecting = _settled(crowd)
        settled = time.monotonic()
        while (done := crowd.message(LOOK_SECONDS)) is None:
            files, taken = process.open_files(), time.monotonic() - settled
            most_files, most_memory = max(most_files, files), max(most_memory, process.memory())
            if gone is None and files < CROWD["idle"] + FEW:
                gone = taken
            if taken > CROWD_SECONDS * 2:
                raise ServerFailed("the clients did not end in time")
        left = process.open_files()
        seen = probe.finish()
    figures: Figures = {
        "visits": seen["count"],
        "visits failed": seen["failed"],
        "visit p99 ms": seen["p99_ms"],
        "slowest visit ms": seen["max_ms"],
        "connected within s": connecting,
    }
    for kind, fared in done["kinds"].items():
        figures[f"{kind}: ended"] = fared["ended"]
        if kind != "idle":
            figures[f"{kind}: median s"] = fared["median_ended"]
            figures[f"{kind}: last s"] = fared["last_ended"]
        if kind in ("head", "body"):
            figures[f"{kind}: told 408"] = fared["answers"].get("408", 0)
    return figures | {
        "all but idle gone s": CROWD_SECONDS if gone is None else gone,
        "most sockets": most_files,
        "sockets left": left,
        "most memory MiB": most_memory / 2**20,
    }


def _settled(crowd: Helper) -> float:
    """Wait until all have connected and been answered; how many seconds that took."""
    message = crowd.message(SETTLE_SECONDS)
    if message is None or message["unsettled"]:
        raise ServerFailed(f"{message['unsettled'] if message else 'some'} clients could not connect, or got no answer")
    return float(message["seconds"])


def idle_memory(bench: Bench, server: Server, job: Job) -> Figures:
    """Resident memory before and after 5000 connections, each of which has made one request."""
    need_files(IDLE_CONNECTIONS + 500)
    with bench.serve(server, job) as process:
        with Client(process.port) as client:
            for _ in range(FILE_REQUESTS):
                client.ask("/")
        before = process.memory()
        with bench.helper("slow_clients", process.port, SETTLE_SECONDS, f"idle={IDLE_CONNECTIONS}") as crowd:
            _settled(crowd)
            after = process.memory()
            done = crowd.finish()
    kept = IDLE_CONNECTIONS - done["kinds"]["idle"]["ended"]
    return {
        "KiB per connection": (after - before) / IDLE_CONNECTIONS / 1024,
        "connections kept": kept,
        "resident MiB": after / 2**20,
    }


def idle(bench: Bench, server: Server, job: Job) -> Figures:
    """Processor time without requests, after one at first."""
    with bench.serve(server, job) as process:
        process.rest(1.0)  # what starting left to do
        before, begun = process.processor_seconds(), time.monotonic()
        process.rest(IDLE_SECONDS)
        used, taken = process.processor_seconds() - before, time.monotonic() - begun
    return {"% of a core": used / taken * 100}


ALONE = (
    Scenario(
        "hung",
        "Every thread of the application hangs",
        f"{THREADS} threads, a queue of {QUEUE}, as many requests that do not end, "
        f"then {OVERFLOW} more of them and {FILE_REQUESTS} for a file",
        Job(
            app="apps.plain:hung",
            threads=THREADS,
            files=True,
            options=("--queue", str(QUEUE)),
            ready=("/1k.bin", FILES["1k.bin"]),
        ),
        hung,
        (
            Metric("refused at once"),
            Metric("slowest refusal ms", digits=1),
            Metric("file p50 ms", digits=1),
            Metric("slowest file ms", digits=1),
        ),
        targets=(
            Target("refused at once", OVERFLOW),
            Target("slowest refusal ms", 50.0, least=False),
            Target("slowest file ms", 50.0, least=False),
        ),
        needs_wrk=False,
        most_rounds=3,
        run_seconds=5.0,
    ),
    Scenario(
        "slow-clients",
        "Eleven thousand bad clients at once",
        "2000 drip a head and 2000 a body at a byte a second, 2000 do not read a large response, 5000 idle; "
        f"a visitor asks every {VISIT_EVERY * 1000:.0f} ms all along; watched for {CROWD_SECONDS:.0f} s",
        Job(app="apps.plain:big", options=CONNECTIONS_OPTION),
        slow_clients,
        (
            Metric("visits"),
            Metric("visits failed"),
            Metric("visit p99 ms", digits=1),
            Metric("slowest visit ms", digits=1),
            Metric("connected within s", digits=1),
            Metric("head: ended"),
            Metric("head: median s", digits=1),
            Metric("head: last s", digits=1),
            Metric("head: told 408"),
            Metric("body: ended"),
            Metric("body: median s", digits=1),
            Metric("body: last s", digits=1),
            Metric("body: told 408"),
            Metric("idle: ended"),
            Metric("all but idle gone s", digits=1),
            Metric("most sockets"),
            Metric("sockets left"),
            Metric("most memory MiB", digits=1),
        ),
        targets=(
            Target("visits failed", 0, least=False),
            Target("slowest visit ms", 100.0, least=False),
            Target("head: ended", CROWD["head"]),
            Target("body: ended", CROWD["body"]),
            Target("idle: ended", 0, least=False),
            Target("sockets left", CROWD["idle"] + FEW, least=False),
        ),
        needs_wrk=False,
        needs_proc=True,
        most_rounds=1,
        run_seconds=CROWD_SECONDS + 10,
    ),
    Scenario(
        "idle-memory",
        "The memory of an idle connection",
        f"{IDLE_CONNECTIONS} connections that have made one request each; resident size of the process",
        Job(app="apps.plain:hello", options=CONNECTIONS_OPTION),
        idle_memory,
        (Metric("KiB per connection", digits=2), Metric("connections kept"), Metric("resident MiB", digits=1)),
        targets=(
            Target("KiB per connection", 8.0, least=False),
            Target("connections kept", IDLE_CONNECTIONS),
        ),
        needs_wrk=False,
        needs_proc=True,
        most_rounds=1,
        run_seconds=5.0,
    ),
    Scenario(
        "idle",
        "An idle server",
        f"processor time over {IDLE_SECONDS:.0f} s without a request",
        Job(app="apps.plain:hello"),
        idle,
        (Metric("% of a core", digits=2),),
        targets=(Target("% of a core", 0.2, least=False),),
        needs_wrk=False,
        needs_proc=True,
        most_rounds=1,
        run_seconds=IDLE_SECONDS + 2,
    ),
)
