"""Where a request runs: in place, by the leader, or in the pool. Decided by what its route has cost so far.

In place, a request costs all others the time that it *waits* (wall time less computing time, for
computing holds the interpreter wherever it happens), up to the tick after which the watcher relieves the
leader. In the pool it costs a hand-over between threads. The cheaper one is taken, route by route.
"""

from __future__ import annotations

import threading
from time import perf_counter, thread_time
from typing import Final

from tpserver.engine.protocol import Request

# Seconds that a hand-over costs: measured, 14 000 to 20 000 requests/s through the pool against 116 000 in place.
HAND_OVER: Final = 60e-6
# A run in place that takes less (seconds) cannot have waited long enough to matter, and is not looked at closer.
QUICK: Final = 30e-6
# The most (seconds) that one run counts for. A thread that computes elsewhere may take the interpreter from any run in
# place, and that looks like waiting: a route goes to the pool when one in five of its runs waits, not for one in ten.
MOST: Final = 5 * HAND_OVER
# How much of the running mean one run replaces.
_WEIGHT: Final = 1 / 64
# A route in the pool is tried in place again after so many requests: first, and at the most.
_FIRST_TRIAL: Final = 32
_LAST_TRIAL: Final = 1024
# How many routes are told apart, of either kind.
MAX_ROUTES: Final = 1024
# Longer names than this are not remembered.
_LONGEST: Final = 512


class Route:
    """What requests of one kind have cost. Only leaders touch it; two that overlap only blur a mean."""

    __slots__ = ("_countdown", "_interval", "_suspect", "wait")

    def __init__(self) -> None:
        self.wait = 0.0  # running mean of the seconds that a run in place makes others wait
        self._suspect = False
        self._interval = _FIRST_TRIAL
        self._countdown = 0

    @property
    def quick(self) -> bool:
        """Whether its requests belong in place."""
        return self.wait <= HAND_OVER

    def in_place(self) -> bool:
        """Whether the next request of this route had better run in place: a quick one, or one on trial."""
        if self.wait <= HAND_OVER:
            return True
        if self._countdown:
            self._countdown -= 1
            return False
        return True

    def begin(self) -> tuple[float, float]:
        """Before a run in place: (wall clock, computing clock), for `cost`."""
        # The computing clock is a system call, so it is read only where it may be needed.
        return perf_counter(), thread_time() if self._suspect else -1.0

    def cost(self, begun: tuple[float, float], relieved: bool) -> float | None:
        """After a run in place: the seconds that it made others wait, or None where that was not measured.

        `relieved`: the watcher found that it took longer than a tick.
        """
        wall = perf_counter() - begun[0]
        if wall < QUICK:
            return 0.0 if self._suspect else None
        if relieved:
            return MOST
        if begun[1] < 0:
            self._suspect = True  # from now on both clocks are read
            return None
        return min(max(wall - (thread_time() - begun[1]), 0.0), MOST)

    def learn(self, cost: float) -> None:
        """Takes one cost into the running mean."""
        self.wait += (cost - self.wait) * _WEIGHT
        if cost <= HAND_OVER:
            self._interval = _FIRST_TRIAL
            self._countdown = 0
            self._suspect = self.wait > HAND_OVER / 64
        elif self.wait > HAND_OVER:
            self._interval = min(self._interval * 2, _LAST_TRIAL)
            self._countdown = self._interval


class Placement:
    """The routes that have been seen. Leaders only.

    A request has a narrow route (all of its target) and a wide one (the beginning of its path). The
    wide one decides until a narrow one has been caught waiting, which is judged by itself from then on.
    So `/report?year=1999` runs in the pool while `/report` runs in place.
    """

    def __init__(self) -> None:
        self._wide: dict[str, Route] = {}
        self._narrow: dict[str, Route] = {}
        self._unknown = Route()  # stands for all that nothing has been learnt about
        # Guards what is added to and taken from the two: a leader that was relieved may still learn something.
        self._lock = threading.Lock()

    def route(self, request: Request) -> Route:
        """The route that decides about `request`."""
        route = self._narrow.get(request.route)
        if route is None and self._wide:
            route = self._wide.get(request.wide_route)
        return route or self._unknown

    def learn(self, request: Request, cost: float) -> None:
        """What a run in place has cost, in seconds."""
        narrow, wide = request.route, request.wide_route
        if len(wide) > _LONGEST:
            return
        wide_route = self._wide.get(wide) or self._new(self._wide, wide)
        wide_route.learn(cost)
        narrow_route = self._narrow.get(narrow)
        if narrow_route is None and cost > HAND_OVER and len(narrow) <= _LONGEST:
            narrow_route = self._new(self._narrow, narrow)
        if narrow_route is not None:
            narrow_route.learn(cost)

    def _new(self, routes: dict[str, Route], name: str) -> Route:
        with self._lock:
            if len(routes) >= MAX_ROUTES:
                del routes[next(iter(routes))]  # the oldest
            return routes.setdefault(name, Route())
