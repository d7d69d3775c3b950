"""All traffic at once, for as long as you like: python -m benchmarks soak --minutes N [--svg PATH] [--json PATH]

Once a second memory, descriptors, threads and the latency of a visitor who asks for a quick page are noted; in the end
they are drawn over time and judged: flat is the pass (see `flat` for the rule). Every answer that is not what it should
be, every visit that fails, and every fault of the server's own in its log is a failure too.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bench import Bench
from ..client import Client
from ..job import SUBJECT, Job
from ..probe import percentile
from ..servers import SERVERS
from .flat import RULES, WARM_UP, Verdict, judge
from .panels import Line, Panel, draw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..process import ServerProcess

SAMPLE_SECONDS = 1.0
VISIT_EVERY = 0.02
VISIT_TIMEOUT = 5.0
LEAST_MINUTES, MOST_MINUTES = 0.5, 24 * 60.0
# More samples than this are thinned out: a picture shows no more.
MOST_POINTS = 1200
_FAULT = re.compile(r"internal error|tpserver has a fault|cannot start a thread|cannot accept|left behind")
JOB = Job(app="trials.app:everything", files=True, ready=("/quick", 13), options=("--max-connections", "2000"))


@dataclass
class Visits:
    """A visitor in a thread of its own: how long each visit took, in milliseconds, since one last asked."""

    port: int
    over: threading.Event = field(default_factory=threading.Event)
    failed: int = 0
    why: list[str] = field(default_factory=list)  # of the first few
    _taken: list[float] = field(default_factory=list)

    def run(self) -> None:
        with Client(self.port, timeout=VISIT_TIMEOUT) as client:
            while not self.over.wait(VISIT_EVERY):
                begun = time.perf_counter()
                try:
                    status = client.ask("/quick").status
                    said = "" if status == 200 else f"status {status}"
                except OSError as error:
                    said = repr(error)
                if said:
                    self.failed += 1
                    self.why = [*self.why, said][:5]
                self._taken.append((time.perf_counter() - begun) * 1000)

    def take(self) -> list[float]:
        """In order of size."""
        taken, self._taken = self._taken, []
        return sorted(taken)


@dataclass
class Samples:
    """What was noted, each at its time in seconds."""

    times: list[float] = field(default_factory=list)
    series: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in ("memory", "descriptors", "threads", "latency", "median")}
    )

    def note(self, when: float, process: ServerProcess, visits: list[float]) -> None:
        """Where no visit ended in this second, the one that goes on took at least that long."""
        figures = {
            "memory": process.memory() / 2**20,
            "descriptors": process.open_files(),
            "threads": process.threads(),
            "latency": percentile(visits, 0.99) if visits else SAMPLE_SECONDS * 1000,
            "median": percentile(visits, 0.50) if visits else SAMPLE_SECONDS * 1000,
        }
        self.times.append(when)
        for name, value in figures.items():
            self.series[name].append(value)


def thinned(values: list[float]) -> list[float]:
    """At most MOST_POINTS values: each the greatest of those that it stands for, so that no peak is hidden."""
    step = -(-len(values) // MOST_POINTS)
    return [max(values[at : at + step]) for at in range(0, len(values), step)]


def record(bench: Bench, seconds: float, seed: int) -> tuple[Samples, dict[str, Any]]:
    """The soak itself. Told besides the samples: counts, what was unexpected, failed visits, faults in the log."""
    samples = Samples()
    with bench.serve(SERVERS[SUBJECT], JOB) as process:
        visits = Visits(process.port)
        visitor = threading.Thread(target=visits.run)
        with bench.helper("trials.traffic", process.port, seconds + 60.0, seed) as traffic:
            visitor.start()
            try:
                begun = due = time.monotonic()
                while (now := time.monotonic()) < begun + seconds:
                    due = max(due + SAMPLE_SECONDS, now)
                    process.rest(max(0.01, due - now))
                    samples.note(time.monotonic() - begun, process, visits.take())
                    _say_now_and_then(samples, seconds)
                told = traffic.finish()
            finally:
                visits.over.set()
                visitor.join()
        log = process.said()
    return samples, {
        **told,
        "failed visits": visits.failed,
        "why": visits.why,
        "faults": [line for line in log if _FAULT.search(line)],
    }


def _say_now_and_then(samples: Samples, seconds: float) -> None:
    if len(samples.times) % 30 == 0:
        now = {name: round(values[-1], 1) for name, values in samples.series.items()}
        print(f"soak {samples.times[-1]:.0f}/{seconds:.0f} s: {now}", file=sys.stderr, flush=True)


def faults(verdicts: Mapping[str, Verdict], told: Mapping[str, Any]) -> list[str]:
    """Why it has not passed; nothing is the pass."""
    found = [f"{name} {verdict}" for name, verdict in verdicts.items() if not verdict.flat]
    if told["failed visits"]:
        found.append(f"{told['failed visits']} visits failed: {', '.join(told['why'])}")
    found += [f"{count} times {what}" for what, count in told["unexpected"].items()]
    return found + [f"in the log: {line}" for line in told["faults"][:5]]


def picture(samples: Samples, verdicts: Mapping[str, Verdict], title: str, small: str) -> str:
    """The SVG."""
    drawn = {name: thinned(values) for name, values in samples.series.items()}
    times = thinned(samples.times)

    def panel(name: str, unit: str, *lines: Line) -> Panel:
        return Panel(name.capitalize(), unit, lines, str(verdicts[name]), verdicts[name].flat)

    panels = [
        panel("memory", "resident MiB", Line(drawn["memory"])),
        panel("descriptors", "open", Line(drawn["descriptors"])),
        panel("threads", "", Line(drawn["threads"])),
        panel("latency", "ms, of a quick page", Line(drawn["latency"], "p99"), Line(drawn["median"], "p50")),
    ]
    return draw(title, small, times, panels, warm=samples.times[-1] * WARM_UP)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--svg", type=Path, default=Path("soak.svg"), help="the picture goes there (default: soak.svg)")
    parser.add_argument("--json", type=Path, help="every sample goes there")
    options = parser.parse_args(arguments)
    if not LEAST_MINUTES <= options.minutes <= MOST_MINUTES:
        parser.error(f"--minutes is from {LEAST_MINUTES:g} to {MOST_MINUTES:g}")
    with Bench.open() as bench:
        samples, told = record(bench, options.minutes * 60, options.seed)
    verdicts = {name: judge(samples.series[name], rule) for name, rule in RULES.items()}
    found = faults(verdicts, told)
    visits = sum(told["counts"].values())
    small = f"{options.minutes:g} minutes, {visits:,} visits of {len(told['counts'])} kinds; the shaded part is warm-up"
    title = f"tpserver under all traffic at once: {'not flat' if found else 'flat'}"
    options.svg.write_text(picture(samples, verdicts, title, small), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps({"times": samples.times, **samples.series, **told}), encoding="utf-8")
    print(small)
    for name, count in sorted(told["counts"].items()):
        print(f"{name:>16}: {count:,}")
    for name, verdict in verdicts.items():
        print(f"{name:>16}: {verdict}")
    print(f"FAILED: {'; '.join(found)}" if found else "passed")
    return 1 if found else 0
