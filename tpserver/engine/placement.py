"""Where a request runs: in place, by the leader, or in the pool. Decided by what its route has cost so far.

In place, a request costs all others the time that it *waits* (wall time less computing time, for
computing holds the interpreter wherever it happens), up to the tick after which the watcher relieves the
leader. In the pool it costs a hand-over between threads. The cheaper one is taken, route by route. What
computes for long goes to the pool too, where `Admission` lets few of its kind run at once.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from tpserver.engine.admission import COMPUTING as COMPUTING_ONE
from tpserver.engine.admission import QUICK as QUICK_ONE
from tpserver.engine.admission import WAITING as WAITING_ONE
from tpserver.engine.protocol import Request

# Seconds that a hand-over costs: measured, 14 000 to 20 000 requests/s through the pool against 116 000 in place.
HAND_OVER: Final = 60e-6
# A run in place that takes less (seconds) cannot have waited long enough to matter, and is not looked at closer.
QUICK: Final = 30e-6
# The most (seconds) that one run counts for. A thread that computes elsewhere may take the interpreter from any run in
# place, and that looks like waiting: a route goes to the pool when one in five of its runs waits, not for one in ten.
MOST: Final = 5 * HAND_OVER
# A mean is that of all runs, until there are so many; then one run replaces one in so many of it.
_SPAN: Final = 64
# A route of which fewer runs are known is judged by the one that goes on just now.
_FEW: Final = 2
# A route that computes for so long (seconds, its mean) is a computing one.
COMPUTING: Final = 5e-3
# A route whose requests take less (seconds, the mean) is brief: they shall not stand behind longer ones.
BRIEF: Final = 0.025
# A first run that takes less (seconds) tells nothing about the next.
_WARM_UP: Final = 0.5
# How much of a route's mean times outside the leader's turn one run replaces.
_LONG_WEIGHT: Final = 1 / 8
# A route in the pool is tried in place again after so many requests: first, and at the most.
_FIRST_TRIAL: Final = 32
_LAST_TRIAL: Final = 1024
# A run in the pool that takes less (seconds, from beginning to end): the next one is tried in place.
_SHORT: Final = 4 * QUICK
# How many routes are told apart, of either kind.
MAX_ROUTES: Final = 512
# How many slow ones are passed over in the search for one to forget.
_CHANCES: Final = 8
# Longer names than this are not remembered.
_LONGEST: Final = 512


class Route:
    """What requests of one kind have cost, in seconds. Threads that overlap only blur a mean."""

    __slots__ = (
        "_countdown",
        "_held",
        "_interval",
        "_seen",
        "_warm",
        "computing",
        "elapsed",
        "pooled",
        "suspect",
        "wait",
    )

    def __init__(self) -> None:
        self.wait = 0.0  # running mean: how long a run in place makes others wait
        self.suspect = False  # it has taken longer than QUICK: both clocks are read from now on
        self.computing = 0.0  # running mean, of runs that were relieved or in the pool: on the processor
        self.elapsed = 0.0  # the same: from beginning to end
        self.pooled = 0  # how many of those there were
        self._seen = 0  # how many runs the mean is of
        self._warm = False  # one of them has ended
        self._held = 0  # runs that a leader was relieved of before anything was known, and that go on
        self._interval = _FIRST_TRIAL
        self._countdown = 0

    def copy(self) -> Route:
        """One that has waited as much: a narrow route begins with what is known of its wide one."""
        route = Route()
        route.wait, route._seen = self.wait, self._seen
        return route

    @property
    def computes(self) -> bool:
        """Whether it keeps the interpreter for long."""
        return self.computing >= COMPUTING

    @property
    def quick(self) -> bool:
        """Whether its requests belong in place."""
        return self.wait <= HAND_OVER and self.computing < COMPUTING

    @property
    def kind(self) -> int:
        """What its requests are to `Admission`: one that waits, but not for long, goes with the quick ones."""
        if self.computing >= COMPUTING:
            return COMPUTING_ONE
        if self.wait <= HAND_OVER or (not self._held and self.elapsed < BRIEF):
            return QUICK_ONE
        return WAITING_ONE

    def on_trial(self) -> bool:
        """Whether the next request of this route, which is not quick, had better run in place: is it still so?"""
        if self.computing >= COMPUTING:
            return False  # its runs in the pool tell
        if self._countdown:
            self._countdown -= 1
            return False
        return True

    def learn(self, cost: float) -> None:
        """Takes into the mean what a run in place has cost the others."""
        if not self._seen:
            self.wait = 0.0
        self._seen = min(self._seen + 1, _SPAN)
        self.wait += (cost - self.wait) / self._seen
        if cost <= HAND_OVER:
            self._interval = _FIRST_TRIAL
            self._countdown = 0
            self.suspect = self.wait > HAND_OVER / 64
        elif self.wait > HAND_OVER:
            self._interval = min(self._interval * 2, _LAST_TRIAL)
            self._countdown = self._interval

    def relieved(self) -> None:
        """A leader was relieved of a run. Where little is known, it stands for the route until it ends."""
        self.suspect = True
        if self._seen < _FEW:
            self._held += 1
            self.wait = MOST
            self._countdown = self._interval  # one that hangs is enough
        else:
            self.learn(MOST)

    def ended(self, elapsed: float, computing: float) -> None:
        """Such a run has ended. A first one that imports modules and compiles templates is forgiven."""
        warm_up = not self._warm and elapsed < _WARM_UP
        self._warm = True
        if self._held:
            self._held -= 1
            if computing < elapsed / 2 and not warm_up:
                self.learn(MOST)
            elif not self._held:
                self._countdown = 0  # what it was relieved for does not stand any more
                if not self._seen:
                    self.wait = 0.0
        if not warm_up:
            self.learn_long(elapsed, computing)

    def learn_long(self, elapsed: float, computing: float) -> None:
        """Takes into the means what a run outside the leader's turn took."""
        weight = _LONG_WEIGHT if self.pooled else 1.0
        self.elapsed += (elapsed - self.elapsed) * weight
        self.computing += (computing - self.computing) * weight
        self.pooled += 1
        if elapsed < _SHORT:
            self._countdown = 0


class Placement:
    """The routes that have been seen. Leaders and pool threads.

    A request has a narrow route (all of its target) and a wide one (the beginning of its path). The
    wide one decides until a narrow one has been caught waiting, which is judged by itself from then on.
    So `/report?year=1999` runs in the pool while `/report` runs in place.
    """

    def __init__(self) -> None:
        self.wide: dict[str, Route] = {}
        self.narrow: dict[str, Route] = {}
        self._unknown = Route()  # stands for all that nothing has been learnt about
        # Guards what is added to and taken from the two: threads of the pool learn too.
        self._lock = threading.Lock()

    def route(self, request: Request) -> Route:
        """The route that decides about `request`."""
        route = self.narrow.get(request.route)
        if route is None and self.wide:
            route = self.wide.get(request.wide_route)
        return route or self._unknown

    def learn(self, request: Request, elapsed: float, computing: float | None) -> None:
        """After a run in place, to its end: its seconds in all, and on the processor where that was measured."""
        if computing is not None:
            cost = min(max(elapsed - computing, 0.0), MOST)
        elif elapsed < QUICK:
            return
        else:  # the first one that took long: that may have been any reason
            cost = 0.0
        wide, narrow = self._routes(request, cost > HAND_OVER)
        for route in (wide, narrow):
            if route is not None:
                route.learn(cost)
                route.suspect = route.suspect or computing is None

    def learn_relief(self, request: Request) -> None:
        """The watcher: a leader was relieved of `request`, which is all that is known of it yet.

        So that those of its route which come meanwhile do not take one thread after another in its place.
        """
        for route in self._routes(request, True):
            if route is not None:
                route.relieved()

    def learn_end(self, request: Request, elapsed: float, computing: float) -> None:
        """After the end of a run that a leader was relieved of."""
        for route in self._routes(request, False):
            if route is not None:
                route.ended(elapsed, computing)

    def learn_long(self, request: Request, elapsed: float, computing: float) -> None:
        """After a run in the pool. What it waited is not known: it may have been for the interpreter."""
        for route in self._routes(request, False):
            if route is not None:
                route.learn_long(elapsed, computing)

    def _routes(self, request: Request, make_narrow: bool) -> tuple[Route | None, Route | None]:
        narrow, wide = request.route, request.wide_route
        if len(wide) > _LONGEST:
            return None, None
        wide_route = self.wide.get(wide) or self._new(self.wide, wide, Route())
        narrow_route = self.narrow.get(narrow)
        if narrow_route is None and make_narrow and len(narrow) <= _LONGEST:
            narrow_route = self._new(self.narrow, narrow, wide_route.copy())
        return wide_route, narrow_route

    def _new(self, routes: dict[str, Route], name: str, route: Route) -> Route:
        with self._lock:
            if len(routes) >= MAX_ROUTES:
                self._forget_one(routes)
            return routes.setdefault(name, route)

    def _forget_one(self, routes: dict[str, Route]) -> None:
        """The oldest; but what is slow stays for longer, since others would wait when it is found out again.

        Else whoever asks for many paths that are not there makes room for that.
        """
        for _ in range(_CHANCES):
            name = next(iter(routes))
            if routes[name].quick:
                break
            routes[name] = routes.pop(name)  # behind all others
        del routes[next(iter(routes))]

    def figures(self) -> list[dict[str, Any]]:
        """Each route that has been told apart, and what was decided about it; times in seconds. Any thread."""
        return [
            {
                "route": name,
                "place": "in place" if route.quick else "computing" if route.computes else "pool",
                "wait": route.wait,
                "computing": route.computing,
                "elapsed": route.elapsed,
                "outside": route.pooled,
            }
            for routes in (self.wide, self.narrow)
            for name, route in routes.copy().items()
        ]
