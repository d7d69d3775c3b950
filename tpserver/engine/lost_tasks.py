"""Tasks that were lost with a thread in which an exception was raised from outside: they are given up.

Time-limit libraries raise exceptions in threads, at any instruction. What a thread had then is found here; a connection
that is in no task any more is found by the leader's sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tpserver.engine.dispatch import Dispatch
from tpserver.engine.leadership import Leadership
from tpserver.engine.pool import Pool
from tpserver.engine.task import Place, Task, Tasks
from tpserver.logs.log import Log

_log = Log("tpserver")

# A task that no thread has come for at so many checks is lost; those at which the pool has something left to do do not
# count. Not so many seconds: after a stop of the whole process the watcher may be the first thread that goes on.
_UNCLAIMED: Final = 10


class LostTasks:
    """Of one server, while it serves. The watcher calls."""

    def __init__(
        self,
        tasks: Tasks,
        leadership: Leadership,
        pool: Pool,
        dispatch: Dispatch,
        is_at_work: Callable[[int, int], bool],
    ) -> None:
        """`is_at_work`: whether a leader thread has not come back from its term."""
        self._tasks = tasks
        self._leadership = leadership
        self._first_term = leadership.term + 1  # an earlier serve_forever has left those of earlier terms behind
        self._pool = pool
        self._dispatch = dispatch
        self._is_at_work = is_at_work
        self._unclaimed: dict[Task, int] = {}  # how often each was seen so, with nothing left to do for the pool

    def check(self, now: float) -> None:
        """The watcher, at `now` of perf_counter: gives up what was lost."""
        tasks = self._tasks.begun()
        self._count_unclaimed(tasks)
        for task in tasks:
            if task.place is Place.RELIEVED and task.term == self._leadership.term:
                self._dispatch.release(task, now, ran=False)  # the relief was not completed: the leader still has it
            # It may have ended, and been released, since the registry was asked.
            elif self._is_lost(task) and self._dispatch.release(task, now, ran=False):
                _log.debug("a thread was interrupted; its request is given up")
                self._dispatch.drop(task)

    def _count_unclaimed(self, tasks: list[Task]) -> None:
        seen, one = self._unclaimed, int(not self._pool.backlog)
        unclaimed = [task for task in tasks if task.place is Place.POOL and not task.thread]
        self._unclaimed = {task: seen.get(task, 0) + one for task in unclaimed}

    def _is_lost(self, task: Task) -> bool:
        if task.over:
            return True
        if task.place is Place.RELIEVED:
            return task.term >= self._first_term and not self._is_at_work(task.thread, task.term)
        return self._unclaimed.get(task, 0) >= _UNCLAIMED and not task.thread
