"""Requests that wait for a thread: refused after their time, and dropped when their clients have left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from tpserver.engine.dispatch import Dispatch
from tpserver.engine.task import Task, Tasks
from tpserver.transport.connection import Connection
from tpserver.transport.polling import ClientSide
from tpserver.transport.protocol import Request

# Seconds in a queue after which it is asked whether the client has left.
LEFT_AFTER: Final = 0.1


class Waiting:
    """Of one server, while it serves. The watcher calls."""

    def __init__(
        self,
        tasks: Tasks,
        dispatch: Dispatch,
        refuse: Callable[[Request, Connection, str], None],
        leave: Callable[[Request], None],
        ended: Counter[str],
        timeout: float,
    ) -> None:
        """`refuse` writes 503, for a cause. `leave` logs a request whose client has left, which `ended` counts.

        `timeout`: seconds that a request may wait; 0: no limit.
        """
        self._tasks = tasks
        self._dispatch = dispatch
        self._refuse = refuse
        self._leave = leave
        self._ended = ended
        self._timeout = timeout

    def check(self, now: float) -> None:
        """The watcher, at `now` of perf_counter: refuses what has waited too long, and drops what no client waits for.

        A client that has closed its side may have left, or have nothing more to send. It is served behind the others.
        """
        doubtful: set[Task] = set()
        for task in self._tasks.queued():
            assert task.request is not None
            waited = now - task.request.arrived
            side = task.connection.client_side() if waited >= LEFT_AFTER else ClientSide.OPEN
            if side is ClientSide.RESET and self._tasks.remove(task):
                self._ended["client gone"] += 1
                self._leave(task.request)
                self._dispatch.drop(task)
            elif 0 < self._timeout <= waited:
                self._end(task, "queue timeout")
            elif side is not ClientSide.OPEN:
                doubtful.add(task)
        self._tasks.put_last(doubtful)

    def end_all(self) -> None:
        """The watcher, when the server stops: refuses all of them."""
        for task in self._tasks.queued():
            self._end(task, "stopping")

    def _end(self, task: Task, cause: str) -> None:
        if self._tasks.remove(task) and task.request is not None:
            self._refuse(task.request, task.connection, cause)
            self._dispatch.give_back(task.connection)
