"""Counts of rare events: refusals, or ends of connections."""

from __future__ import annotations

import threading


class Counters:
    """Counts events by cause. Any thread may call."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()  # guards the reading and writing of one count

    def add(self, cause: str) -> None:
        """Any thread: counts one event."""
        with self._lock:
            self._counts[cause] = self._counts.get(cause, 0) + 1

    def counts(self) -> dict[str, int]:
        """Any thread: how many events each cause has had. In one step, so that it needs no lock."""
        return self._counts.copy()
