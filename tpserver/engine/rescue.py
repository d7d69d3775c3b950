"""Finds what was lost when an exception came to a thread of the pool from outside, and ends it properly.

Libraries that limit the time of a request have the interpreter raise an exception in its thread, at whatever
instruction it has come to: it may have left the application, and be in the middle of giving back what it has. No code
bears that everywhere. So what a thread has is written down before it gets it, and struck out after it has given it
back; and the watcher looks now and then whether those who have something are still at it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from tpserver.engine.pool import Turn
from tpserver.logs.log import Log

if TYPE_CHECKING:
    from tpserver.engine.connection import Connection
    from tpserver.engine.server import Server

_log = Log("tpserver")

# Seconds after which what is on its way to a thread is sent once more: the first time; then twice as many, and so on.
_AGAIN: Final = 0.25


class Rescue:
    """The watcher's: looks after what the threads of one server have."""

    def __init__(self, server: Server) -> None:
        self._server = server
        # Connections that leaders were relieved with, while they were at something else than the application. Added
        # by the watcher, taken out by those leaders.
        self.strays: dict[Turn, Connection] = {}
        self._late: dict[Any, tuple[float, float]] = {}  # what is on its way to a thread: when again, and after that

    def look(self, now: float) -> None:
        """Now and then; `now` of the perf_counter."""
        server, leadership = self._server, self._server.leadership
        held, strays = server.admission.held.copy(), self.strays.copy()
        leading = leadership.turn if leadership.led == leadership.number else None
        server.admission.recount()
        coming: dict[Any, Callable[[Any], object]] = {}
        for request, turn in held.items():
            if turn is None:
                coming[request] = server.start
            # Who leads has nothing but its turn: the watcher itself failed when it was about to relieve it.
            elif (turn.over or turn is leading) and server.admission.drop(request, turn):
                self._lost(request, turn, now)
                if turn.over:  # else it is read by the leader
                    request.close()
        for turn in strays:
            if (turn.over or turn is leading) and self.strays.pop(turn, None) is not None:
                self._lost(None, turn, now)
        if leading is None:
            coming[leadership.number] = server.start_leader
        elif leading.over:
            server.replace_leader()
        self._send_again(coming, now)

    def _lost(self, request: Any, turn: Turn, now: float) -> None:
        server = self._server
        _log.debug("a thread was interrupted; what it had is given up")
        server.running.forget(turn.thread, request)
        if request is not None:
            server.placement.forget(request, now)
        server.leader.check_soon()

    def _send_again(self, coming: dict[Any, Callable[[Any], object]], now: float) -> None:
        """What is on its way for long may have been lost with the thread that took it. Whoever comes second leaves."""
        late = {}
        for what, start in coming.items():
            due, delay = self._late.get(what, (now + _AGAIN, 2 * _AGAIN))
            if now >= due:
                start(what)
                due, delay = now + delay, 2 * delay
            late[what] = due, delay
        self._late = late
