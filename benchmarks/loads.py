"""Measurements with wrk: the same load on tpserver and on each peer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .client import Client
from .process import ServerFailed
from .wrk import Load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .bench import Bench
    from .job import Figures, Job
    from .servers import Server
    from .wrk import Counted

_PROBE_BOUND = 120.0
TRAP_SECONDS = 9  # 1 to load, 3 of calm, the stall, 3 of calm, and some to spare
STALL_AFTER = 4.5
ORDINALS = ("1st", "2nd", "3rd")


def counted(result: Counted) -> Figures:
    """wrk's counts as figures."""
    return {
        "requests/s": result.rate,
        "MB/s": result.bytes / result.seconds / 1e6,
        "KiB per answer": result.bytes / max(1, result.requests) / 1024,
        "p50 ms": result.p50_ms,
        "p99 ms": result.p99_ms,
        "errors": result.errors,
        "refused/s": result.refused / result.seconds,
        "wrk cores": result.cores,
    }


def throughput(load: Load) -> Callable[[Bench, Server, Job], Figures]:
    """As many requests as the server answers."""

    def measure(bench: Bench, server: Server, job: Job) -> Figures:
        with bench.serve(server, job) as process:
            bench.warm(process, load)
            with bench.wrk(process, load) as wrk:
                return counted(wrk.finish())

    return measure


def mixed(load: Load) -> Callable[[Bench, Server, Job], Figures]:
    """The same, while one more visitor asks for /quick: wrk's latencies mix quick and slow, the visitor's do not."""

    def measure(bench: Bench, server: Server, job: Job) -> Figures:
        with bench.serve(server, job) as process:
            bench.warm(process, load)
            with (
                bench.wrk(process, load) as wrk,
                bench.helper("probe", process.port, "/quick", 0.0, _PROBE_BOUND) as probe,
            ):
                figures = counted(wrk.finish())
                seen = probe.finish()
        if not seen["count"]:
            raise ServerFailed("the visitor was not answered once")
        figures |= {"quick p50 ms": seen["p50_ms"], "quick p99 ms": seen["p99_ms"], "visits": seen["count"]}
        figures["errors"] += seen["failed"]
        return figures

    return measure


def beside(quick_load: Load, slow_load: Load, answered: str) -> Callable[[Bench, Server, Job], Figures]:
    """Quick requests, while others keep the application busy all the time; `answered` names how many of these."""

    def measure(bench: Bench, server: Server, job: Job) -> Figures:
        with bench.serve(server, job) as process:
            bench.warm(process, quick_load)
            with (
                bench.wrk(process, slow_load, bench.seconds + 1) as slow,
                bench.wrk(process, quick_load) as quick,
            ):
                figures = counted(quick.finish())
                slow_counted = slow.finish()
        figures[answered] = slow_counted.rate
        figures["errors"] += slow_counted.refused + slow_counted.broken  # they wait in line: time-outs are no faults
        return figures

    return measure


def rates(pages: Sequence[float], since: float) -> list[float]:
    """How many were ready in each of the first seconds since then."""
    return [sum(since + second <= when < since + second + 1 for when in pages) for second in range(len(ORDINALS))]


def trap(bench: Bench, server: Server, job: Job) -> Figures:
    """An application that loads for a second when it is first asked, and stalls once: what follows each of the two."""
    with bench.serve(server, job) as process, Client(process.port) as client:
        with bench.wrk(process, Load("/page"), TRAP_SECONDS) as wrk:
            process.rest(STALL_AFTER)
            client.ask("/stall")
            figures = counted(wrk.finish())
        times = json.loads(client.ask("/times").body)
    for word, end in zip(("loading", "stall"), times["ends"], strict=True):
        for ordinal, rate in zip(ORDINALS, rates(times["pages"], end), strict=True):
            figures[f"{ordinal} s after {word}"] = rate
    return figures
