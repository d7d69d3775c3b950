"""What runs in which thread, since when; and the log of what takes too long.

Nothing is ended in a thread: Python has no way to do that which leaves the rest of the process whole. What
can be done is to say once where a request hangs, and again when it has ended.
"""

from __future__ import annotations

import concurrent.futures
import gc
import os
import socketserver
import sys
import threading
import traceback
from itertools import dropwhile
from types import FrameType
from typing import Final

from tpserver.engine import connection, outbox
from tpserver.engine.protocol import Request
from tpserver.logs.log import Log

_log = Log("tpserver")

# Where a thread waits for its own client, and what is said of it: the stack alone would not tell an author.
_CONNECTION: Final = (connection.__file__, outbox.__file__)
_WAITS: Final = {
    "wait_for_room": "  (it waits for its client to read what was sent)\n",
    "receive": "  (it waits for its client to send more of its content)\n",
}
# Whose frames stand at the bottom of each stack: of no interest to the author of an application.
_OURS: Final = (
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    os.path.dirname(os.path.abspath(concurrent.futures.__file__)),
    os.path.abspath(socketserver.__file__),
    os.path.abspath(threading.__file__),
)


class _Entry:
    __slots__ = ("begun", "request", "told")

    def __init__(self, request: Request | None, begun: float) -> None:
        self.request = request
        self.begun = begun
        self.told = False


class Running:
    """The requests that occupy a thread: those in the pool, and those that a leader was relieved of.

    `slow`: seconds after which one is logged; 0: never. Clocks are the perf_counter.
    """

    def __init__(self, slow: float) -> None:
        self._slow = slow
        self._entries: dict[int, _Entry] = {}  # by the thread's identity; each is set and taken out as a whole
        self.slow_ones = 0  # how many have been logged

    def begin(self, request: Request | None, now: float, thread: int) -> None:
        """The thread of that identity runs `request`. Called by it, or by the watcher that relieved it.

        None: no request of the application; it was relieved while it received or sent something.
        """
        self._entries[thread] = _Entry(request, now)

    def forget(self, thread: int, request: Request | None) -> None:
        """The watcher: the thread of that identity has been driven from it."""
        entry = self._entries.get(thread)
        if entry is not None and entry.request is request:
            self._entries.pop(thread, None)

    def end(self, now: float) -> Request | None:
        """The calling thread has finished what it was at: that request of the application, if it was one."""
        entry = self._entries.pop(threading.get_ident(), None)
        if entry is not None and entry.told:
            _log.warning("%s has ended after %.1f s", _name(entry), now - entry.begun)
        return None if entry is None else entry.request

    @property
    def strays(self) -> int:
        """How many threads are at something else than the application. A moment's answer."""
        return sum(entry.request is None for entry in self._entries.copy().values())

    def look(self, now: float) -> None:
        """The watcher: logs what has run for too long, once."""
        if not self._slow:
            return
        for thread, entry in self._entries.copy().items():
            if not entry.told and now - entry.begun >= self._slow:
                entry.told = True
                self.slow_ones += 1
                _log.warning(
                    "%s has run for %.1f s; this is where its thread is:\n%s",
                    _name(entry),
                    now - entry.begun,
                    _stack(thread),
                )


def _name(entry: _Entry) -> str:
    return "a file or a content" if entry.request is None else entry.request.describe()


def _stack(thread: int) -> str:
    """Where a thread is, without the frames that every request has."""
    frame = _frames().get(thread)
    if frame is None:
        return "  (it has just ended)"
    frames = traceback.extract_stack(frame)
    theirs = list(dropwhile(_is_ours, frames))
    waiting = [_WAITS[one.name] for one in frames if one.filename in _CONNECTION and one.name in _WAITS]
    return "".join(traceback.format_list(theirs or frames) + waiting[:1]).rstrip()


def _frames() -> dict[int, FrameType]:
    """The frame of each thread, by its identity. No garbage is collected in the meantime.

    The interpreter makes these frames under a lock that a collection may want too: then it would stand
    still for good (CPython's issue 106883).
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
