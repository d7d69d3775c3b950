"""The log of requests that take long: where the thread of each is, once; and once more when it has ended.

Nothing is ended in a thread: Python has no way to do that which leaves the rest of the process whole.
"""

from __future__ import annotations

import gc
import os
import socketserver
import sys
import threading
import traceback
from itertools import dropwhile
from types import FrameType
from typing import Final

from tpserver.engine.task import Task, Tasks
from tpserver.logs.log import Log
from tpserver.transport import connection

_log = Log("tpserver")

# Where a thread waits for its own client, and what is said of it: the stack alone does not tell an author.
_WAITS: Final = {
    (connection.__file__, "_wait_for_room"): "  (it waits for its client to read what was sent)\n",
    (connection.__file__, "receive"): "  (it waits for its client to send more of its content)\n",
}
# Files whose frames stand at the bottom of each stack: of no interest to the author of an application.
_OURS: Final = (
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    os.path.abspath(socketserver.__file__),
    os.path.abspath(threading.__file__),
)


class SlowLog:
    """Logs each task of a registry that has run for `slow` seconds (0: none)."""

    def __init__(self, tasks: Tasks, slow: float) -> None:
        self._tasks = tasks
        self._slow = slow
        self.count = 0  # how many have been logged

    def check(self, now: float) -> None:
        """The watcher; `now` of perf_counter."""
        if not self._slow:
            return
        for task in self._tasks.begun():
            if not task.logged and task.thread and now - task.begun >= self._slow:
                task.logged = True
                self.count += 1
                _log.warning(
                    "%s has run for %.1f s; this is where its thread is:\n%s",
                    task.describe(),
                    now - task.begun,
                    _stack(task.thread),
                )

    def tell_end(self, task: Task, now: float) -> None:
        """The thread that ran `task`, which was logged."""
        _log.warning("%s has ended after %.1f s", task.describe(), now - task.begun)


def _stack(thread: int) -> str:
    """Where a thread is, without the frames that every request has."""
    frame = _frames().get(thread)
    if frame is None:
        return "  (it has just ended)"
    frames = traceback.extract_stack(frame)
    theirs = list(dropwhile(_is_ours, frames))
    waiting = [_WAITS[one.filename, one.name] for one in frames if (one.filename, one.name) in _WAITS]
    return "".join(traceback.format_list(theirs or frames) + waiting[:1]).rstrip()


def _frames() -> dict[int, FrameType]:
    """The frame of each thread, by its identity. No garbage is collected in the meantime.

    The interpreter makes these frames under a lock that a collection may want too: then it stands still for good
    (CPython's issue 106883).
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        if collects:
            gc.enable()


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return os.path.abspath(frame.filename).startswith(_OURS)
