"""How often each status was answered, and with how many bytes of content.

Each thread counts for itself, so that nothing is locked and nothing is lost; `Answers.figures` adds up.
"""

from __future__ import annotations

import threading
from typing import Any


class Count:
    """One thread's."""

    __slots__ = ("bytes", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.bytes = 0

    def add(self, status: int, length: int) -> None:
        """One answer more, with `length` bytes of content."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.bytes += length


class Answers(threading.local):
    """All answers of one server. `mine` is the calling thread's count."""

    def __init__(self, every: list[Count]) -> None:
        # Once in each thread that counts; `every` is one and the same list, and its append one operation.
        self.mine = Count()
        self._every = every
        every.append(self.mine)

    def figures(self) -> dict[str, Any]:
        """Since the start. Any thread.

        `statuses` maps each to how often it was the final answer, be it the application's, a file's or the server's
        own, also on a connection that was turned away; as many as there are lines in the access log. `bytes` are those
        of their contents, heads and framing not counted. A client that left early may have got less.
        """
        statuses: dict[int, int] = {}
        for count in list(self._every):
            for status, times in count.statuses.copy().items():
                statuses[status] = statuses.get(status, 0) + times
        return {"statuses": dict(sorted(statuses.items())), "bytes": sum(count.bytes for count in list(self._every))}
