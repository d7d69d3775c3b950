"""Where a request runs: in place, by the leader, or in the pool; the cheaper one, by what its route has cost so far."""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar

from tpserver.engine.admission import QUICK as QUICK_ONE
from tpserver.engine.protocol import Request
from tpserver.engine.routes import BRIEF, HAND_OVER, LONG, MOST, QUICK, SEVERAL, Family, Route

# How many routes are told apart, of either kind.
MAX_ROUTES: Final = 512
# How many slow ones are passed over in the search for one to forget.
_CHANCES: Final = 8
# Of longer names only so much is remembered.
_LONGEST: Final = 512
# One in so many members of a family that is well is remembered by itself, however quick.
_SAMPLE: Final = 8

_R = TypeVar("_R", bound=Route)


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
            route = self.wide.get(request.route_group)
            if route is None:
                route = self._stand_in(request)
        return route

    def _stand_in(self, request: Request) -> Route:
        """Who decides where the wide route is not known, or its name is too long."""
        name = request.route_group[:_LONGEST]
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
            if family is not None and family.taught >= SEVERAL:
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
        name = request.route_group[:_LONGEST]
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
        name = request.route_group[:_LONGEST]
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
        name = request.route_group[:_LONGEST]
        if name not in self.wide:
            family = self._family(name)
            route = family.heir() if family is not None and family.holds_back else Route()
            route.learn_long(elapsed, computing)
            waits = route.computes or elapsed - computing > HAND_OVER
            alike = family is not None and family.holds_back and waits
            if family is not None and (elapsed >= LONG) != (family.kind != QUICK_ONE):
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
        name = request.route_group[:_LONGEST]
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
