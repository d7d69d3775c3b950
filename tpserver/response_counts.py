"""Counts final responses by status, and the bytes of their contents.

Each thread counts for itself, so nothing is locked and nothing is lost; `ResponseCounts.stats` adds up.
"""

from __future__ import annotations

import threading
from typing import TypedDict


class ResponseStats(TypedDict):
    """Since the start. As many responses as there are lines in the access log.

    `statuses` maps a status to how often it was the final response: the application's, a file's or the server's own,
    also on a connection that was turned away. `bytes` are those of their contents, without heads and framing. A client
    that left early may have got less.
    """

    statuses: dict[int, int]
    bytes: int


class ThreadCounts:
    """Those of one thread, which alone changes them."""

    __slots__ = ("bytes", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.bytes = 0


class ResponseCounts(threading.local):
    """Those of one server. `own` is the calling thread's."""

    def __init__(self, every: list[ThreadCounts]) -> None:
        # Called once in each thread that counts, each time with one and the same list; `append` is atomic.
        self.own = ThreadCounts()
        self._every = every
        every.append(self.own)

    def stats(self) -> ResponseStats:
        """The sums of all threads. Any thread."""
        statuses: dict[int, int] = {}
        for counts in list(self._every):
            for status, times in counts.statuses.copy().items():
                statuses[status] = statuses.get(status, 0) + times
        return {"statuses": dict(sorted(statuses.items())), "bytes": sum(counts.bytes for counts in list(self._every))}
