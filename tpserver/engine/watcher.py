"""The watcher: relieves a leader that stays with one thing for longer than a tick, and makes the round of checks.

It is a thread of its own. It never touches the poller, and blocks for nothing but its own rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tpserver.engine.leadership import Leadership
from tpserver.logs.log import Log
from tpserver.system.bell import Bell
from tpserver.system.clock import clock

_log = Log("tpserver")

# Seconds that a leader may stay with one thing; the watcher looks twice before it relieves it. Each look takes the
# interpreter from the leader (measured: 60 us), so it is four times as long while no leader was relieved of late.
TICK: Final = 0.001
# Seconds between two rounds of the checks.
_ROUND: Final = 0.02
# Seconds between two looks of a watcher that sleeps, since nothing has come for two rounds.
_REST: Final = 0.5
_FAULT: Final = "internal error in the watcher; it goes on"

# A check is told the time of perf_counter, in seconds.
Check = Callable[[float], None]


class Watcher:
    """Of one server. `watch` is for the thread that watches; the rest says who may call."""

    def __init__(self, leadership: Leadership, relieve: Callable[[int], bool], turns: Callable[[], int]) -> None:
        """`relieve(attention_id)` promotes another leader, if it can. `turns`: how often the leader has had events."""
        self._leadership = leadership
        self._relieve = relieve
        self._turns = turns
        self.sleeps = False
        self.busy: Callable[[], bool] = lambda: False  # whether anything waits or runs
        self.checks: list[Check] = []  # of each round; one that fails does not keep the others from theirs
        self.rare_checks: list[Check] = []  # the same, of rounds five times as far apart
        self._alert_until = 0.0
        self._bell = Bell()

    def wake(self) -> None:
        """Any thread, and signal handlers: something has come, look again."""
        self.sleeps = False
        self._bell.ring()

    def watch(self, enough: Callable[[], bool]) -> None:
        """Watches until `enough`. Raises what is no `Exception`; all others are logged: memory may run out anywhere."""
        while True:
            try:
                self._watch(enough)
                return
            except Exception:  # noqa: BLE001 - as said
                self.sleeps = False
                _log.exception(_FAULT)

    def _watch(self, enough: Callable[[], bool]) -> None:
        leadership = self._leadership
        seen = seen_turns = -1
        next_round = next_rare_round = quiet_since = clock.perf_counter()
        while not enough():
            self._rest(quiet_since, seen_turns)
            now = clock.perf_counter()
            attention_id, turns = leadership.attention_id, self._turns()
            attending = leadership.current is not None
            is_patient = now < leadership.patient_until
            if attending and attention_id == seen and not is_patient and self._relieve(attention_id):
                self._alert_until = now + _REST
            if attending or turns != seen_turns or self.busy():
                quiet_since = now
            seen, seen_turns = attention_id, turns
            if now >= next_round:
                next_round = now + _ROUND
                self.make_round(self.checks, now)
            if now >= next_rare_round:
                next_rare_round = now + 5 * _ROUND
                self.make_round(self.rare_checks, now)

    def make_round(self, checks: list[Check], now: float) -> None:
        """Each of the checks, once."""
        for check in checks:
            try:
                check(now)
            except Exception:  # noqa: BLE001 - no memory, for example: the others are made all the same
                _log.exception(_FAULT)

    def _rest(self, quiet_since: float, seen_turns: int) -> None:
        """One tick; or, when it has been quiet, until the leader has something or a thread calls."""
        now = clock.perf_counter()
        if now - quiet_since < 2 * _ROUND:
            self._bell.wait(TICK if now < self._alert_until else 4 * TICK)
        else:
            self.sleeps = True
            if self._turns() == seen_turns:  # else it began before it could see that the watcher sleeps
                self._bell.wait(_REST)
            self.sleeps = False
