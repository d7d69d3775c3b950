"""The words of the benchmarks: metric, target, scenario, outcome."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .job import BEFORE, SUBJECT, Figures, Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from .bench import Bench
    from .servers import Server


@dataclass(frozen=True)
class Metric:
    """A figure that a scenario gives."""

    name: str  # with its unit
    compared: bool = False  # also as a ratio tpserver/peer
    digits: int = 0


@dataclass(frozen=True)
class Target:
    """What tpserver aims at: a value of its own, or a ratio to a peer."""

    metric: str
    bound: float
    peer: str | None = None
    least: bool = True  # at least the bound; otherwise at most

    def __str__(self) -> str:
        return f"{'ratio ' if self.peer else ''}{'≥' if self.least else '≤'} {self.bound:g}"

    def met(self, value: float) -> bool:
        return value >= self.bound if self.least else value <= self.bound


@dataclass(frozen=True)
class Scenario:
    """One thing to measure: `measure` gives the figures of one run of one server."""

    name: str
    title: str
    setup: str  # connections, threads, requests: the small print
    job: Job
    measure: Callable[[Bench, Server, Job], Figures]
    metrics: tuple[Metric, ...]
    peers: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    needs_wrk: bool = True
    needs_proc: bool = False  # reads /proc, polls by epoll: Linux
    most_rounds: int = 1000
    run_seconds: float = 0.0  # how long a run takes; 0: about as long as --seconds


@dataclass
class Outcome:
    """What all rounds of a scenario gave."""

    scenario: Scenario
    rounds: list[dict[str, Figures]] = field(default_factory=list)  # server -> figures
    failures: dict[str, str] = field(default_factory=dict)  # server -> why

    def takes(self, server: str) -> bool:
        """Whether this server takes part."""
        return server in (SUBJECT, BEFORE, *self.scenario.peers)

    def servers(self) -> list[str]:
        """Those that have figures, in the order of the tables."""
        wanted = (SUBJECT, BEFORE, *self.scenario.peers)
        return [name for name in wanted if any(name in figures for figures in self.rounds)]

    def values(self, server: str, metric: str) -> list[float]:
        return [figures[server][metric] for figures in self.rounds if metric in figures.get(server, {})]

    def median(self, server: str, metric: str) -> float | None:
        values = self.values(server, metric)
        return statistics.median(values) if values else None

    def ratios(self, peer: str, metric: str) -> list[float]:
        """tpserver/peer, each pair from one round, so that what disturbs a round disturbs both."""
        pairs = [
            (figures[SUBJECT][metric], figures[peer][metric])
            for figures in self.rounds
            if metric in figures.get(SUBJECT, {}) and metric in figures.get(peer, {})
        ]
        return [ours / theirs if theirs else float("inf") for ours, theirs in pairs]

    def reached(self, target: Target) -> float | None:
        """The value that a target is held against; None when it was not measured."""
        if target.peer is None:
            return self.median(SUBJECT, target.metric)
        ratios = self.ratios(target.peer, target.metric)
        return statistics.median(ratios) if ratios else None
