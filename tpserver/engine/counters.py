"""Counts of rare events: refusals, or ends of connections."""

from __future__ import annotations

import threading


class Counters:
    """Counts events by cause. Any thread may call."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        # Guards the reading and writing of one count.
        self._lock = threading.Lock()

    def add(self, cause: str) -> None:
        """Any thread: counts one event."""
        with self._lock:
            self._counts[cause] = self._counts.get(cause, 0) + 1

    def counts(self) -> dict[str, int]:
        """Any thread: how many events each cause has had."""
        with self._lock:
            return dict(self._counts)
