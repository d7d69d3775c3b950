"""Where a request runs: in place, by the leader, or in the pool. Decided by what its route has cost so far.

In place, a request costs all others the time that it *waits* (wall time less computing time, for
computing holds the interpreter wherever it happens), up to the tick after which the watcher relieves the
leader. In the pool it costs a hand-over between threads. The cheaper one is taken, route by route. What
computes for long goes to the pool too, where `Admission` lets few of its kind run at once.
"""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar

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
# Of longer names only so much is remembered.
_LONGEST: Final = 512
# A family of routes is asked when so many of its members have taught it; and it holds back those that nothing is known
# of when so many of them were slow.
_SEVERAL: Final = 3
# A member that takes longer (seconds) is a slow one without doubt.
_LONG: Final = 0.05
# One in so many members of a family that is well is remembered by itself, however quick.
_SAMPLE: Final = 8


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

    def heir(self) -> Route:
        """One that is taken to be like this one, its family, until a few runs of its own tell better."""
        route = self.copy()
        route._seen = min(route._seen, _FEW)
        route._countdown = _FIRST_TRIAL
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

    def try_soon(self) -> None:
        """The next request had better run in place."""
        self._countdown = 0

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


_R = TypeVar("_R", bound=Route)


class Family(Route):
    """What members have cost of which nothing was known when they ran."""

    __slots__ = ("long", "slow", "taught")

    def __init__(self) -> None:
        super().__init__()
        self.taught = 0  # how many runs it has learnt from
        self.slow = 0  # how many of them a leader was relieved of, or made others wait
        self.long = 0  # how many of them were long from beginning to end

    @property
    def holds_back(self) -> bool:
        """Whether members that nothing is known of are likely to be slow."""
        return self.slow >= _SEVERAL and not self.quick

    @property
    def kind(self) -> int:
        """As of a route; but while a server warms up, leaders are relieved of quick requests too.

        These would stand behind all slow ones, and could not show that they are quick.
        """
        if self._held >= _SEVERAL:
            return WAITING_ONE
        if self.long < _SEVERAL or self.elapsed < _LONG:
            return QUICK_ONE
        return COMPUTING_ONE if self.computes else WAITING_ONE

    def count_member(self, slow: bool) -> None:
        """One that nothing was known of has run, or runs."""
        self.taught += 1
        self.slow += slow

    def learn_long(self, elapsed: float, computing: float) -> None:
        """As of a route."""
        self.long += elapsed >= _LONG
        super().learn_long(elapsed, computing)


class Placement:
    """The routes that have been seen. Leaders and pool threads.

    A request has a narrow route (all of its target) and a wide one (the beginning of its path). The
    wide one decides until a narrow one has been caught waiting, which is judged by itself from then on.
    So `/report?year=1999` runs in the pool while `/report` runs in place.

    A wide route that nothing is known of is judged by its family: those with the same beginning, or else those
    with as many segments. A family learns only from such requests, and remembers for them that they were slow. So
    `/report/1` to `/report/3` may be caught waiting, and `/report/4` goes to the pool at once.
    """

    def __init__(self) -> None:
        self.wide: dict[str, Route] = {}
        self.narrow: dict[str, Route] = {}
        self.families: dict[str, Family] = {}  # by the path without its last segment
        self.depths: dict[str, Family] = {}  # by the number of segments
        self._unknown = Route()  # stands for all that nothing has been learnt about
        self._unknown.suspect = True  # so that it is learnt
        self._fine = Route()  # stands for the unknown members of families that are well
        self._looks = 0  # how many of these have been looked up
        self._going: dict[int, list[Route]] = {}  # what a leader was relieved of, by identity: the routes that know
        # Guards what is added to and taken from them: threads of the pool learn too.
        self._lock = threading.Lock()

    def route(self, request: Request) -> Route:
        """The route that decides about `request`."""
        route = self.narrow.get(request.route)
        if route is None:
            route = self.wide.get(request.wide_route)
            if route is None:
                route = self._stand_in(request)
        return route

    def _stand_in(self, request: Request) -> Route:
        """Who decides where the wide route is not known, or its name is too long."""
        name = request.wide_route[:_LONGEST]
        route = self.wide.get(name)
        if route is not None:
            return route
        family = self._family(name)
        if family is None:
            return self._unknown
        if family.holds_back:
            return family
        self._looks += 1
        # What is asked for often shall be known by itself, should its family turn slow.
        return self._fine if self._looks % _SAMPLE else self._unknown

    def _family(self, name: str) -> Family | None:
        """The closest family of a wide route that can tell something about it."""
        beginning, depth = _families(name)
        for family in (self.families.get(beginning), self.depths.get(depth)):
            if family is not None and family.taught >= _SEVERAL:
                return family
        return None

    def learn(self, request: Request, elapsed: float, computing: float | None) -> None:
        """After a run in place, to its end: its seconds in all, and on the processor where that was measured."""
        if computing is not None:
            cost = min(max(elapsed - computing, 0.0), MOST)
        elif elapsed < QUICK:
            return
        else:  # the first one that took long: that may have been any reason
            cost = 0.0
        name = request.wide_route[:_LONGEST]
        if name in self.wide:
            for route in self._known(request, cost > HAND_OVER):
                route.learn(cost)
                route.suspect = route.suspect or computing is None
            return
        family = self._family(name)
        held_back = family is not None and family.holds_back
        if computing is not None:
            for one in self._relatives(name, cost > HAND_OVER):
                one.learn(cost)
        if held_back and cost > HAND_OVER:
            return  # like the others: its family knows
        route = self._new(self.wide, name, family.heir() if family is not None and held_back else Route())
        route.learn(cost if held_back else 0.0)  # a first run may wait for any reason
        route.suspect = route.suspect or elapsed >= QUICK

    def learn_relief(self, request: Request) -> None:
        """The watcher: a leader was relieved of `request`, which is all that is known of it yet.

        So that those of its route which come meanwhile do not take one thread after another in its place.
        """
        name = request.wide_route[:_LONGEST]
        routes: list[Route] = []
        if name not in self.wide:
            family = self._family(name)
            held_back = family is not None and family.holds_back
            routes += self._relatives(name, True)
            if not held_back:
                self._new(self.wide, name, Route())
        if name in self.wide:
            routes += self._known(request, True)
        for route in routes:
            route.relieved()
        self._going[id(request)] = routes

    def learn_end(self, request: Request, elapsed: float, computing: float) -> None:
        """After the end of a run that a leader was relieved of."""
        for route in self._going.pop(id(request), None) or self._known(request, False):
            route.ended(elapsed, computing)

    def forget(self, request: Request, now: float) -> None:
        """The watcher: the thread that ran `request` was interrupted; what a leader was relieved of goes on no more."""
        for route in self._going.pop(id(request), ()):
            route.ended(now - request.arrived, 0.0)

    def learn_long(self, request: Request, elapsed: float, computing: float) -> None:
        """After a run in the pool. What it waited is not known: it may have been for the interpreter."""
        name = request.wide_route[:_LONGEST]
        if name not in self.wide:
            family = self._family(name)
            route = family.heir() if family is not None and family.holds_back else Route()
            route.learn_long(elapsed, computing)
            waits = route.computes or elapsed - computing > HAND_OVER
            alike = family is not None and family.holds_back and waits
            if family is not None and (elapsed >= _LONG) != (family.kind != QUICK_ONE):
                alike = False
            for one in self._relatives(name, elapsed >= BRIEF):
                one.learn_long(elapsed, computing)
            if not alike:
                if not waits:
                    route.try_soon()
                self._new(self.wide, name, route)
            return
        for route in self._known(request, False):
            route.learn_long(elapsed, computing)

    def _known(self, request: Request, make_narrow: bool) -> list[Route]:
        """The routes of `request`, of which at least the wide one is known as a rule."""
        name = request.wide_route[:_LONGEST]
        wide = self.wide.get(name) or self._new(self.wide, name, Route())
        narrow = self.narrow.get(request.route)
        if narrow is None and make_narrow and len(request.route) <= _LONGEST:
            narrow = self._new(self.narrow, request.route, wide.copy())
        return [wide] if narrow is None else [wide, narrow]

    def _relatives(self, name: str, slow: bool) -> list[Family]:
        """The families that learn from a run of a wide route of which nothing is known.

        Those with as many segments learn from the first of each beginning, so that one beginning does not tell for all.
        """
        beginning, depth = _families(name)
        families = []
        family = self.families.get(beginning) if beginning else None
        if family is None:
            families.append(self.depths.get(depth) or self._new(self.depths, depth, Family()))
        if beginning:
            families.append(family or self._new(self.families, beginning, Family()))
        for one in families:
            one.count_member(slow)
        return families

    def _new(self, routes: dict[str, _R], name: str, route: _R) -> _R:
        with self._lock:
            if len(routes) >= MAX_ROUTES:
                self._forget_one(routes)
            return routes.setdefault(name, route)

    def _forget_one(self, routes: dict[str, _R]) -> None:
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
            for routes in (self.wide, self.narrow, self._holding_back())
            for name, route in routes.copy().items()
        ]

    def _holding_back(self) -> dict[str, Family]:
        families = {**self.families.copy(), **self.depths.copy()}
        return {name: route for name, route in families.items() if route.holds_back}


def _families(name: str) -> tuple[str, str]:
    """A wide route -> the family with its beginning (none where that is its only segment), and that of its depth.

    >>> _families("GET /report/17")
    ('GET /report/*', 'GET /*/*')
    >>> _families("GET /report")
    ('', 'GET /*')
    """
    beginning = name.rpartition("/")[0]
    first, deeper, _ = beginning.partition("/")
    return (beginning + "/*", first + "/*/*") if deeper else ("", first + "/*")
