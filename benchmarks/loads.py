"""Measurements with wrk: the same load on tpserver and on each peer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .process import ServerFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from .bench import Bench
    from .model import Figures, Job
    from .servers import Server
    from .wrk import Counted, Load

_PROBE_BOUND = 120.0


def counted(result: Counted) -> Figures:
    """wrk's counts as figures."""
    return {
        "requests/s": result.rate,
        "MB/s": result.bytes / result.seconds / 1e6,
        "KiB per answer": result.bytes / max(1, result.requests) / 1024,
        "p50 ms": result.p50_ms,
        "p99 ms": result.p99_ms,
        "errors": result.errors,
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
