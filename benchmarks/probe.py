"""A process that asks one request after another over a keep-alive connection and times each: what one visitor sees.

`python -m benchmarks.probe PORT PATH INTERVAL SECONDS`

It goes on until its standard input is closed, or the seconds have passed, and prints one line of JSON. A request that
fails counts as failed, with the time that it took to fail.
"""

from __future__ import annotations

import json
import select
import sys
import time

from .client import Client

TIMEOUT = 5.0


def percentile(ordered: list[float], part: float) -> float:
    """The value that so large a part of the ordered values does not exceed."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def probe(port: int, path: str, interval: float, seconds: float) -> dict[str, float]:
    taken: list[float] = []
    failed = 0
    end = time.monotonic() + seconds
    with Client(port, timeout=TIMEOUT) as client:
        while time.monotonic() < end and not select.select([sys.stdin], [], [], interval)[0]:
            begun = time.perf_counter()
            try:
                failed += client.ask(path).status != 200
            except OSError:
                failed += 1
            taken.append((time.perf_counter() - begun) * 1000)
    taken.sort()
    if not taken:
        return {"count": 0, "failed": 0}
    return {
        "count": len(taken),
        "failed": failed,
        "p50_ms": percentile(taken, 0.50),
        "p99_ms": percentile(taken, 0.99),
        "max_ms": taken[-1],
    }


if __name__ == "__main__":
    _, port, path, interval, seconds = sys.argv
    print(json.dumps(probe(int(port), path, float(interval), float(seconds))), flush=True)
