"""A fixed amount of pure Python, measured in milliseconds that it takes when nothing else runs.

The amount is fixed, not the processor time: where threads take the interpreter from each other, the same work takes
more time, and that must show. A session counts once how many steps take a millisecond, and tells all servers by
`VARIABLE`.
"""

from __future__ import annotations

import os
import time

VARIABLE = "BENCHMARK_STEPS_PER_MS"
_LOT = 2000
_LOTS = 100

_steps_per_ms = int(os.environ.get(VARIABLE) or 0)


def _run(steps: int) -> int:
    """Texts, look-ups and numbers, as pages are made of."""
    known = {"page": 1, "item": 2, "name": 3}
    length = 0
    for number in range(steps):
        text = f"<li id=item-{number % 97}>{number}</li>"
        name, _, rest = text.partition("-")
        length += len(name) + known.get(rest[:4], len(rest.upper()))
    return length


def calibrate() -> int:
    """How many steps take a millisecond, by the quickest of some lots: what else runs only slows them down."""
    quickest = float("inf")
    for _ in range(_LOTS):
        begun = time.perf_counter()
        _run(_LOT)
        quickest = min(quickest, time.perf_counter() - begun)
    return round(_LOT / quickest / 1000)


def work(milliseconds: float) -> None:
    """So much computing. An application that is run by hand, outside a session, counts for itself."""
    global _steps_per_ms
    if not _steps_per_ms:
        _steps_per_ms = calibrate()
    _run(round(milliseconds * _steps_per_ms))
