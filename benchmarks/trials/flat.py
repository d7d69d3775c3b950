"""The rule by which a soak is judged: what is flat, and what goes on growing.

What comes before the warm-up's end is left out: caches fill and pools grow then. The rest is cut into three parts of
equal length, and each is stood for by its median, which a short peak does not move. A series is flat when the last
part's median exceeds the first part's by no more than the tolerance (a share of the first part's) or the slack (in
the series' own unit), whichever is more. Getting less is always flat. A leak smaller than that shows in a longer soak:
for a rate of growth there is always a length of time in which it exceeds any share.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# The part of a soak that is left out at its beginning.
WARM_UP = 0.25
# Fewer values than this in each third say nothing.
LEAST = 5


@dataclass(frozen=True)
class Rule:
    """How much a series may grow from the first third to the last: a share of it, or so many of its units."""

    tolerance: float
    slack: float


@dataclass(frozen=True)
class Verdict:
    """What became of one series: the medians of its first and last third."""

    flat: bool
    first: float
    last: float
    why: str = ""  # where it says nothing: why it does not

    def __str__(self) -> str:
        if self.why:
            return self.why
        change = self.last - self.first
        share = f" ({change / self.first:+.1%})" if self.first else ""
        return f"{'flat' if self.flat else 'GROWS'}: {self.first:.4g} to {self.last:.4g}{share}"


# Memory is the one of the issue, 5 %; descriptors and threads come and go with the traffic of the moment; latency is
# what a machine that does other things too makes of it.
RULES = {
    "memory": Rule(0.05, 2.0),  # MiB
    "descriptors": Rule(0.05, 10),
    "threads": Rule(0.0, 1),
    "latency": Rule(0.5, 20.0),  # ms
}


def after_warm_up(values: Sequence[float]) -> Sequence[float]:
    """What is judged."""
    return values[int(len(values) * WARM_UP) :]


def judge(values: Sequence[float], rule: Rule) -> Verdict:
    """Whether a series, of values at equal distances, is flat. One that is too short is not."""
    judged = after_warm_up(values)
    third = len(judged) // 3
    if third < LEAST:
        return Verdict(False, 0.0, 0.0, f"too short: {len(values)} values")
    first, last = statistics.median(judged[:third]), statistics.median(judged[-third:])
    return Verdict(last - first <= max(rule.tolerance * first, rule.slack), first, last)
