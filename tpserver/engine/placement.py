"""Where a request runs: in place, by the leader, or in the pool. Decided by what its route has cost so far.

In place, a request costs all others the time that it *waits* (wall time less computing time, for
computing holds the interpreter wherever it happens), up to the tick after which the watcher relieves the
leader. In the pool it costs a hand-over between threads. The cheaper one is taken, route by route.
"""

from __future__ import annotations

from time import perf_counter, thread_time
from typing import Final

# Seconds that a hand-over costs: measured, 14 000 to 20 000 requests/s through the pool against 116 000 in place.
HAND_OVER: Final = 60e-6
# A run in place that takes less (seconds) cannot have waited long enough to matter, and is not looked at closer.
QUICK: Final = 30e-6
# How much of the running mean one run replaces.
_WEIGHT: Final = 1 / 64
# A route in the pool is tried in place again after so many requests: first, and at the most.
_FIRST_TRIAL: Final = 32
_LAST_TRIAL: Final = 1024
# How many routes are told apart; beyond, they begin anew.
MAX_ROUTES: Final = 1024


class Route:
    """What requests of one kind have cost. Only leaders touch it; two that overlap only blur a mean."""

    __slots__ = ("_countdown", "_interval", "_suspect", "wait")

    def __init__(self) -> None:
        self.wait = 0.0  # running mean of the seconds that a run in place makes others wait
        self._suspect = False
        self._interval = _FIRST_TRIAL
        self._countdown = 0

    def in_place(self) -> bool:
        """Whether the next request of this route had better run in place."""
        if self.wait <= HAND_OVER:
            return True
        if self._countdown:
            self._countdown -= 1
            return False
        return True  # a trial

    def begin(self) -> tuple[float, float]:
        """Before a run in place: (wall clock, computing clock), for `end`."""
        # The computing clock is a system call, so it is read only where it may be needed.
        return perf_counter(), thread_time() if self._suspect else -1.0

    def end(self, begun: tuple[float, float], tick: float, relieved: bool) -> None:
        """After a run in place. `tick` in seconds; `relieved`: the watcher found that it took too long."""
        wall = perf_counter() - begun[0]
        if wall < QUICK and not self._suspect:
            return
        if relieved:
            cost = tick
        elif begun[1] < 0:
            self._suspect = True  # from now on both clocks are read
            return
        else:
            cost = min(max(wall - (thread_time() - begun[1]), 0.0), tick)
        self._learn(cost)

    def _learn(self, cost: float) -> None:
        self.wait += (cost - self.wait) * _WEIGHT
        if cost > HAND_OVER:
            if self.wait > HAND_OVER:
                self._interval = min(self._interval * 2, _LAST_TRIAL)
                self._countdown = self._interval
        else:
            self._interval = _FIRST_TRIAL
            self._countdown = 0
            self._suspect = self.wait > HAND_OVER / 64


class Placement:
    """The routes that have been seen. Leaders only."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}

    def route(self, name: str) -> Route:
        route = self._routes.get(name)
        if route is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            route = self._routes[name] = Route()
        return route
