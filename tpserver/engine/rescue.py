"""Finds what was lost when an exception came to a thread of the pool from outside, and ends it properly.

Libraries that limit the time of a request have the interpreter raise an exception in its thread, at whatever
instruction it has come to: it may have left the application, and be in the middle of giving back what it has. No code
bears that everywhere. So what a thread has is written down before it gets it, and struck out after it has given it
back; and the watcher looks now and then whether those who have something are still at it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final

from tpserver.log import Log

if TYPE_CHECKING:
    from tpserver.engine.connection import Connection
    from tpserver.engine.server import Server

_log = Log("tpserver")

# So often a stack is looked at before it is believed that a thread has left: it goes on meanwhile.
_LOOKS: Final = 3
# Seconds after which what is on its way to a thread is sent once more: the first time; then twice as many, and so on.
_AGAIN: Final = 0.25


class Turn:
    """One stay of a pool thread in the server's work."""

    __slots__ = ("thread",)

    def __init__(self) -> None:
        self.thread = threading.get_ident()


class Turns:
    """Who is in the server's work: in a function of which `bodies` has the code."""

    def __init__(self, *bodies: CodeType) -> None:
        self._bodies = bodies
        self._at: dict[int, Turn] = {}  # by the thread's identity
        self._doubted: set[Turn] = set()  # whose threads were seen elsewhere at the last look

    def begin(self) -> Turn:
        """The calling thread begins. What it began before, if it was driven from that, has ended."""
        turn = Turn()
        self._at[turn.thread] = turn
        return turn

    def end(self, turn: Turn) -> None:
        """The calling thread has ended it. Should it be driven from here too, `dead` finds out by itself."""
        if self._at.get(turn.thread) is turn:
            del self._at[turn.thread]

    def mine(self) -> Turn | None:
        """The calling thread's."""
        return self._at.get(threading.get_ident())

    def dead(self, turns: Iterable[Turn]) -> set[Turn]:
        """The watcher: those of `turns` that have ended. A thread is believed to be elsewhere at the second look."""
        ended: set[Turn] = set()
        doubted: set[Turn] = set()
        for turn in turns:
            if self._at.get(turn.thread) is not turn:
                ended.add(turn)
            elif not any(self._inside(turn) for _ in range(_LOOKS)):
                (ended if turn in self._doubted else doubted).add(turn)
        self._doubted = doubted
        return ended

    def _inside(self, turn: Turn) -> bool:
        frame: FrameType | None = sys._current_frames().get(turn.thread)
        while frame is not None:
            if frame.f_code in self._bodies:
                return True
            frame = frame.f_back
        return False


class Rescue:
    """The watcher's: looks after what the threads of one server have."""

    def __init__(self, server: Server, turns: Turns) -> None:
        self._server = server
        self._turns = turns
        # Connections that leaders were relieved with, while they were at something else than the application. Added
        # by the watcher, taken out by those leaders.
        self.strays: dict[Turn, Connection] = {}
        self._late: dict[Any, tuple[float, float]] = {}  # what is on its way to a thread: when again, and after that

    def look(self, now: float) -> None:
        """Now and then; `now` of the perf_counter."""
        server, leadership = self._server, self._server.leadership
        held, strays = server.admission.held.copy(), self.strays.copy()
        leading = leadership.turn if leadership.led == leadership.number else None
        turns = {turn for turn in (*held.values(), *strays, leading) if turn is not None}
        dead = self._turns.dead(turns)
        server.admission.recount()
        coming: dict[Any, Callable[[Any], object]] = {}
        for request, turn in held.items():
            if turn is None:
                coming[request] = server.start
            # Who leads has nothing but its turn: the watcher itself failed when it was about to relieve it.
            elif (turn in dead or turn is leading) and server.admission.drop(request, turn):
                self._lost(request, turn, now)
        for turn in strays:
            if (turn in dead or turn is leading) and self.strays.pop(turn, None) is not None:
                self._lost(None, turn, now)
        if leading in dead:
            server.replace_leader()
        elif leading is None:
            coming[leadership.number] = server.start_leader
        self._send_again(coming, now)

    def _lost(self, request: Any, turn: Turn, now: float) -> None:
        server = self._server
        _log.debug("a thread was interrupted; what it had is given up")
        server.running.forget(turn.thread, request)
        if request is not None:
            server.placement.forget(request, now)
            request.close()
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
