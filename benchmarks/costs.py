"""What a log, a start, memory, a pipeline and a single client cost: each held against something beside it."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from .bench import FILES
from .client import Client
from .job import Job
from .loads import throughput
from .model import Metric, Scenario, Target
from .process import ServerFailed
from .wrk import Load

if TYPE_CHECKING:
    from .bench import Bench
    from .job import Figures
    from .servers import Server

STARTS = 5
LINE_SECONDS = 5.0
_LOOK = 0.001
_BROWSER = Load(script="browser")


def pipelined(bench: Bench, server: Server, job: Job) -> Figures:
    """The same server with one request at a time on each connection, and then with sixteen."""
    with bench.serve(server, job) as process:
        bench.warm(process, Load())
        with bench.wrk(process, Load()) as wrk:
            plain = wrk.finish()
        with bench.wrk(process, Load(script="pipeline")) as wrk:
            many = wrk.finish()
    return {
        "pipelined/unpipelined": many.rate / plain.rate,
        "requests/s": many.rate,
        "unpipelined/s": plain.rate,
        "errors": plain.errors + many.errors,
    }


def access_log(bench: Bench, server: Server, job: Job) -> Figures:
    """With a log and without one; then how soon the line of one more request is in the file."""
    off = throughput(_BROWSER)(bench, server, job)
    log = bench.folder / "access.log"
    log.unlink(missing_ok=True)
    with bench.serve(server, replace(job, options=("--access-log", str(log)))) as process:
        bench.warm(process, _BROWSER)
        with bench.wrk(process, _BROWSER) as wrk:
            on = wrk.finish()
        with Client(process.port) as client:
            client.ask("/last-line")
        # Lines are in the order of the answers: when this one is there, all are.
        begun, found = time.perf_counter(), False
        while not found and time.perf_counter() < begun + LINE_SECONDS:
            process.rest(_LOOK)
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - 4096))
                found = b"/last-line" in file.read()
        taken = (time.perf_counter() - begun) * 1000
    if not found:
        raise ServerFailed(f"wrote no line within {LINE_SECONDS:.0f} s")
    with log.open("rb") as file:
        lines = sum(1 for _ in file)
    return {
        "on/off": on.rate / off["requests/s"],
        "requests/s": on.rate,
        "without a log/s": off["requests/s"],
        "line after ms": taken,
        "lines missing": max(0, on.requests - lines),
        "errors": on.errors + off["errors"],
    }


def start(bench: Bench, server: Server, job: Job) -> Figures:
    """From the start of the process to its first answer: the median of some."""
    with bench.serve(server, job):  # writes the bytecode that the others read
        pass
    taken = []
    for _ in range(STARTS):
        begun = time.perf_counter()
        with bench.serve(server, job):
            taken.append((time.perf_counter() - begun) * 1000)
    return {"start ms": statistics.median(taken)}


def memory(bench: Bench, server: Server, job: Job) -> Figures:
    """After the start and one answer; a page that processes share counts in part to each."""
    with bench.serve(server, job):  # compiles, which takes memory, too
        pass
    with bench.serve(server, job) as process:
        return {"PSS MiB": process.proportional_memory() / 2**20}


_HELLO = Job(app="apps.plain:hello", quick=True)
COSTS = (
    Scenario(
        "one-connection",
        "One client, one request after another",
        "13 bytes over one keep-alive connection of wrk; 8 threads",
        _HELLO,
        throughput(Load(connections=1)),
        (Metric("p50 ms", compared=True, digits=3), Metric("requests/s"), Metric("errors")),
        ("waitress", "bjoern"),
        (Target("p50 ms", 0.055, least=False),),
    ),
    Scenario(
        "start",
        "From the start to the first answer",
        f"a folder of files, and one of 1 KiB is asked for; each figure is the median of {STARTS} starts",
        Job(files=True, ready=("/1k.bin", FILES["1k.bin"])),
        start,
        (Metric("start ms", compared=True),),
        ("http.server",),
        (Target("start ms", 1.2, "http.server", least=False),),
        needs_wrk=False,
        run_seconds=(STARTS + 1) * 1.0,
    ),
    Scenario(
        "memory",
        "Memory after the start",
        "proportional set size of the process after one answer of 13 bytes; 8 threads",
        _HELLO,
        memory,
        (Metric("PSS MiB", compared=True, digits=1),),
        ("waitress",),
        (Target("PSS MiB", 14.0, least=False),),
        needs_wrk=False,
        needs_proc=True,
        most_rounds=3,
        run_seconds=1.0,
    ),
    Scenario(
        "pipelined",
        "Sixteen requests at once on each connection",
        "64 keep-alive connections, 13 bytes; the same server before, with one request at a time on each",
        _HELLO,
        pipelined,
        (Metric("pipelined/unpipelined", digits=2), Metric("requests/s"), Metric("unpipelined/s"), Metric("errors")),
        targets=(Target("pipelined/unpipelined", 1.3), Target("errors", 0, least=False)),
    ),
    Scenario(
        "access-log",
        "A line in the access log for each request",
        "13 bytes, 64 keep-alive connections, heads of browsers; a log in a file, and none, in turn; "
        "then how soon the line of the last request is there",
        _HELLO,
        access_log,
        (
            Metric("on/off", digits=2),
            Metric("requests/s"),
            Metric("without a log/s"),
            Metric("line after ms", digits=1),
            Metric("lines missing"),
            Metric("errors"),
        ),
        targets=(
            Target("on/off", 0.88),
            Target("line after ms", 100.0, least=False),
            Target("lines missing", 0, least=False),
        ),
    ),
)
