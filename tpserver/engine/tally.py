"""Counts of what happens seldom: refusals, or ends of connections, by cause."""

from __future__ import annotations

import threading


class Tally:
    """How often what has happened. Any thread may call."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        # Guards the reading and writing of one count.
        self._lock = threading.Lock()

    def add(self, what: str) -> None:
        """Once more."""
        with self._lock:
            self._counts[what] = self._counts.get(what, 0) + 1

    def counts(self) -> dict[str, int]:
        """How often each has happened so far."""
        with self._lock:
            return dict(self._counts)
