"""Counts final responses by status, and the bytes of their contents."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import TypedDict


class ResponseStats(TypedDict):
    """Since the start. As many responses as there are lines in the access log.

    `statuses` maps a status to how often it was the final response: the application's, a file's or the server's own,
    also on a connection that was turned away. `bytes` are those of their contents, without heads and framing. A client
    that left early may have got less.
    """

    statuses: dict[int, int]
    bytes: int


class ResponseCounts(threading.local):
    """Those of one server. Each thread counts in `own`, its status -> responses and status -> bytes, without a lock."""

    def __init__(self, every: list[tuple[dict[int, int], dict[int, int]]]) -> None:
        # Called once in each thread that counts, each time with one and the same list; `append` is atomic.
        self.own = defaultdict[int, int](int), defaultdict[int, int](int)
        self._every = every
        every.append(self.own)

    def stats(self) -> ResponseStats:
        """The sums of all threads. Any thread."""
        responses, sent = Counter[int](), 0
        for statuses, lengths in list(self._every):
            responses.update(statuses.copy())
            sent += sum(lengths.copy().values())
        return {"statuses": dict(sorted(responses.items())), "bytes": sent}
