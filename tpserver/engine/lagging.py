"""Requests whose thread waits for its client: they occupy no processor, and give their places to others.

Readers of a stream that is larger than an outbox, and senders of a content that the application reads while it arrives
(`--stream-body`), would take all threads, however slow they are. Their connections say so (`Connection.lags`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from tpserver.engine.task import Place, Task

# So many leaders that were relieved of streams, and wait for their clients, keep no quick request waiting.
LAGGING_LEADERS: Final = 32


def occupied(running: Collection[Task], most: int) -> int:
    """How many of those that run occupy a place: all but those that wait for their clients, of which `most` count."""
    return len(running) - min(sum(task.connection.lags for task in list(running)), most)


def occupied_for_quick(running: Collection[Task]) -> int:
    """The same for quick requests, which need no thread of the pool: any number of those that wait for their clients.

    Leaders that were relieved of such are bounded: others must be left.
    """
    lagging = [task.place for task in list(running) if task.connection.lags]
    return len(running) - len(lagging) + max(lagging.count(Place.RELIEVED) - LAGGING_LEADERS, 0)
