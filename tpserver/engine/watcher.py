"""The watcher: looks every tick whether the leader is held up, and does what has to be done now and then.

It is the thread that is in `serve_forever`; where that is the main thread, one of its own (see `shield`). It never
touches the poller; it relieves a leader that stays with one request for longer than a tick, starts what may run at
last, ends what has waited for too long in line, and tells how evenly the interpreter is to be shared.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Final

from tpserver.logs.log import Log

if TYPE_CHECKING:
    from tpserver.engine.server import Server

_log = Log("tpserver")

# Seconds that a leader may stay with one connection; the watcher looks twice before it relieves it.
TICK: Final = 0.001
# The same while no run in place has taken a tick for _ALERT seconds: each look takes the interpreter from the leader
# (measured: 60 us), and finds nothing then.
_CALM_TICK: Final = 0.004
_ALERT: Final = 0.5
# So many ticks without a turn, and the watcher goes to sleep; it looks up once in _REST seconds, on Windows also for
# Ctrl-C.
_QUIET_TICKS: Final = 50
_REST: Final = 0.5
_FAULT: Final = "tpserver has a fault in its watcher, which goes on"
_RAISED: Final = "a signal handler has raised; the server goes on"
# Seconds between two looks at what takes very long.
_LOOK: Final = 0.1


class Watcher:
    """Of one server. `watch` is for the thread that watches; the rest says who may call."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.sleeps = False
        self.switch_interval = 0.0  # seconds; 0: the interpreter's is left alone. For whoever owns the process.
        self._computing = 0  # how many requests the interval was set for
        self._alert_until = 0.0  # of the perf_counter: until then it looks more often
        self._next_look = 0.0
        # Wakes the watcher. A queue, for a signal handler may ring in the middle of anything: an Event has a lock.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._raised: deque[BaseException] = deque()  # in the main thread, which waits; not yet dealt with

    def wake(self) -> None:
        """Any thread, and signal handlers: something has come, look again."""
        self.sleeps = False
        self._bell.put(None)

    def interrupted(self, error: BaseException) -> None:
        """The main thread, while the watcher is another one: a signal handler has raised."""
        self._raised.append(error)
        self.wake()

    def tell_late(self) -> None:
        """The main thread: the watcher has ended, and may have missed something. Raises nothing."""
        while self._raised:
            error = self._raised.popleft()
            if isinstance(error, Exception):
                _log.error(_RAISED, exc_info=error)

    def alert(self) -> None:
        """A leader, or the watcher itself: a run in place has taken a tick; look more often for a while."""
        self._alert_until = perf_counter() + _ALERT

    def watch(self, enough: Callable[[], bool]) -> None:
        """Watches until `enough`. Raises what is no `Exception`: Ctrl-C, where no handler is set for it."""
        while True:
            try:
                if self._watched(enough):
                    return
            except Exception:  # noqa: BLE001 - one more, while the one before was being logged
                continue

    def _watched(self, enough: Callable[[], bool]) -> bool:
        """The same; whether it is enough, for a fault may have ended it before.

        All of the loop is guarded: there may be no memory, at any point.
        """
        server = self._server
        leader, leadership = server.leader, server.leadership
        seen = seen_turns = -1
        quiet = 0
        try:
            while not enough():
                self._rest(quiet, seen_turns)
                if self._raised:
                    self._tell_raised()
                mark, turns = leadership.mark, leader.turns
                attending = leadership.attending is not None
                if attending and mark == seen:
                    server.promote(mark)
                quiet = 0 if attending or turns != seen_turns or server.admission.waiting else quiet + 1
                seen, seen_turns = mark, turns
                try:  # by itself: what always fails here shall not hide a leader that is held up
                    self._look_after_lines()
                    server.service_actions()
                except Exception:  # noqa: BLE001 - no memory, for example: somebody has to watch
                    _log.exception(_FAULT)
        except Exception:  # noqa: BLE001 - as above
            self.sleeps = False
            _log.exception(_FAULT)
            return False
        return True

    def _tell_raised(self) -> None:
        """What came to the main thread: logged, or raised here when it is to end the program."""
        while self._raised:
            error = self._raised.popleft()
            if not isinstance(error, Exception):
                raise error
            _log.error(_RAISED, exc_info=error)

    def _look_after_lines(self) -> None:
        server = self._server
        admission = server.admission
        now = perf_counter()
        if admission.waiting:
            due = admission.due(now, process_time())
            if due is not None:
                server.start(due)
            if server.queue_timeout:
                expired = admission.expired(now - server.queue_timeout)
                while expired is not None:
                    server.refuse_expired(expired)
                    expired = admission.expired(now - server.queue_timeout)
        if self.switch_interval and admission.running != self._computing:
            self._share_interpreter(admission.running)
        if now >= self._next_look:
            self._next_look = now + _LOOK
            if admission.waiting:
                server.drop_left()
            server.running.look(now)
            server.rescue.look(now)

    def _share_interpreter(self, running: int) -> None:
        """Few threads compute: short turns, so that the leader gets one soon. Many: longer ones, for each costs."""
        self._computing = running
        sys.setswitchinterval(self.switch_interval * max(1.0, running / 2))

    def _rest(self, quiet: int, seen_turns: int) -> None:
        """One tick; or, after so many quiet ones, until the leader has something or somebody calls."""
        if quiet < _QUIET_TICKS:
            self._wait_for_bell(TICK if perf_counter() < self._alert_until else _CALM_TICK)
        else:
            self.sleeps = True
            if self._server.leader.turns == seen_turns:  # else it began before it could see that the watcher sleeps
                self._wait_for_bell(_REST)
            self.sleeps = False

    def _wait_for_bell(self, timeout: float) -> None:
        with contextlib.suppress(Empty):
            self._bell.get(timeout=timeout)
            while True:  # however often it was rung
                self._bell.get_nowait()
