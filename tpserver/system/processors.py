"""How many processors this process may use."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

# Of a container: microseconds of a period that it may compute, and the period; or "max" (cgroup v2).
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def processors(quota: Path = _QUOTA) -> int:
    """One or more: those that the system lets this process run on, or fewer where a container has a quota."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux
    count = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        share, period = quota.read_text("ascii").split()
        count = min(count, round(int(share) / int(period)))
    return max(count, 1)
