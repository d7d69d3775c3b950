"""What requests of each route have cost so far, and which kind the next one is.

A request that runs in place, in the leader, makes all others wait while it *waits* (for a database, a lock, a disk).
In the pool it costs a hand-over between threads, and threads that compute at once slow each other. The cheaper place
is taken. Time on the processor keeps the interpreter wherever it is spent, so it counts for neither, up to a bound.

Only runs that tell something teach: see `Run.verdict`. Pure arithmetic: times are given, in seconds, and no clock is
read. Leaders and pool threads call; two that overlap only blur a mean.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Final, NamedTuple, TypedDict

from tpserver.engine.protocol import Request

# Seconds of waiting that a hand-over to the pool is worth. Measured: a request costs 60 us more in the pool.
HAND_OVER: Final = 60e-6
# The most that one run may count as waiting, in hand-overs. The watcher relieves a leader that waits, at the cost of
# about one promotion: measured, 300 us. So a route leaves when more than one in five of its runs waits.
_MOST_WAITING: Final = 5 * HAND_OVER
# Seconds of computing from which a request goes to the pool, where one computes at a time. Measured: pages of up to
# 3 ms are fastest in place, and a client does not notice 5 ms more.
COMPUTING: Final = 5e-3
# A request that waits less is brief. Long ones leave a thread to it. A database query takes less, a report more.
BRIEF: Final = 25e-3
# Runs that a mean is of; then one run replaces one in so many.
_SPAN: Final = 64
# Runs that a record counts for which was copied from its group: two that wait tell that it is of another kind.
_FEW: Final = 4
# Seconds until a route that left is tried in place again: the first time, doubled up to the longest. A trial fails
# after two runs that wait, and costs a waiting application less than 1 % at the longest.
_FIRST_TRIAL: Final = 0.1
_LONGEST_TRIAL: Final = 10.0
# Records kept. One takes 400 bytes, and the oldest is forgotten.
_MAX_RECORDS: Final = 512
# Characters of a name. A longer route has no record of its own; longer groups that begin alike share one.
_LONGEST_NAME: Final = 512


class Kind(Enum):
    """What a request is taken for. QUICK ones run in place, and those on trial; the others go to the pool."""

    QUICK = "quick"
    TRIAL = "trial"  # its route has left, and is tried in place again
    LONG_TRIAL = "long trial"  # the same, and it has taken long so far
    BRIEF = "brief"  # waits, but not for long
    LONG = "long"  # waits
    COMPUTING = "computing"  # keeps the interpreter for long

    @property
    def is_trial(self) -> bool:
        """Whether its run in place decides about its route."""
        return self is Kind.TRIAL or self is Kind.LONG_TRIAL


class Run(NamedTuple):
    """One run of a request, in seconds."""

    elapsed: float
    computed: float  # on the processor, by the thread that ran it
    computed_by_all: float  # on the processor, by the whole process meanwhile
    at_once: int = 1  # requests that ran at the same time, this one included
    waited: bool = True  # False: its thread never gave the processor away by itself, as the system tells

    def verdict(self) -> tuple[float, float] | None:
        """Seconds that it waited, and that it computed; None where other threads blur what happened."""
        others = self.computed_by_all - self.computed
        if others <= self.elapsed / 8:
            return max(self.elapsed - self.computed, 0.0) if self.waited else 0.0, self.computed
        if self.elapsed <= _MOST_WAITING:  # too short to have waited for more than the interpreter
            return 0.0, self.computed
        computed = self.computed / self.at_once  # threads that compute at once slow each other
        if self.at_once > 1 and self.elapsed >= max(COMPUTING, 2 * self.computed * self.at_once):
            return self.elapsed, computed  # it got less than half of its share: it cannot have wanted more
        if computed >= COMPUTING:
            return 0.0, computed
        return None


class RouteStats(TypedDict):
    """One record, for the statistics; times in seconds."""

    route: str
    place: str
    wait: float
    computing: float
    elapsed: float
    runs: int


class Cost:
    """The record of one route, or of a group of routes. Means, in seconds."""

    __slots__ = (
        "_trial",
        "_trial_every",
        "computing",
        "elapsed",
        "quick",
        "relieved",
        "runs",
        "seen",
        "trial_at",
        "waiting",
    )

    def __init__(self, like: Cost | None = None) -> None:
        """`like`: what it is taken to be until a few runs of its own tell better."""
        self.elapsed = 0.0  # from beginning to end, of all runs
        self.waiting = 0.0  # of the runs that told something
        self.computing = 0.0
        self.seen = 0  # runs that `elapsed` is of
        self.runs = 0  # runs that `waiting` and `computing` are of
        self.relieved: set[Request] = set()  # which go on in threads that were relieved of leading
        self.quick = True  # whether its requests belong in place, by these means
        self.trial_at = 0.0  # of perf_counter: when it is tried in place again, after it has left
        self._trial_every = _FIRST_TRIAL
        self._trial: Cost | None = None  # runs in place since then: they decide, whatever was known before
        if like is not None:
            self._copy(like)

    def _copy(self, other: Cost) -> None:
        self.elapsed, self.waiting, self.computing = other.elapsed, other.waiting, other.computing
        self.seen, self.runs = min(other.seen, _FEW), min(other.runs, _FEW)
        self.quick = other.quick

    @property
    def is_known(self) -> bool:
        """Whether so many runs have taught it that one more teaches little, and it is not on trial."""
        return self.runs >= _SPAN and self._trial is None

    @property
    def idle(self) -> bool:
        """Whether it tells nothing that an unknown route would not."""
        return self.quick and self.elapsed < HAND_OVER and self.seen >= _SPAN and not self.relieved

    @property
    def patience(self) -> float:
        """Seconds that a run may take in place before the watcher relieves the leader: it is known to compute so long.

        On trial it may be slowed by runs in the pool that have not ended yet.
        """
        return 2 * self.computing if self.quick else min(2 * self.elapsed, 2 * COMPUTING)

    def kind(self, now: float, patience: int) -> Kind:
        """What the next request is taken for. `patience`: runs that may wait in place at once before others leave."""
        quick = self.quick
        if len(self.relieved) < (patience if quick and self.runs else 1):  # else what goes on just now tells more
            if quick:
                return Kind.QUICK
            if now >= self.trial_at:
                return Kind.TRIAL if self.elapsed < BRIEF else Kind.LONG_TRIAL
            if self.computing >= max(COMPUTING, self.waiting):
                return Kind.COMPUTING
        return Kind.BRIEF if self.runs and self.elapsed < BRIEF else Kind.LONG

    def learn(self, elapsed: float, verdict: tuple[float, float] | None, now: float) -> None:
        """Takes one run of so many seconds, and what it tells, into the means."""
        self.note_elapsed(elapsed)
        was_quick = self.quick
        if not was_quick and now >= self.trial_at:
            self._judge(elapsed, verdict, now)
        elif verdict is not None:
            waited, computed = verdict
            self.runs = min(self.runs + 1, _SPAN)
            self.waiting += (min(waited, _MOST_WAITING + computed / 8) - self.waiting) / self.runs
            self.computing += (min(computed, 4 * COMPUTING) - self.computing) / self.runs
            self.quick = _is_quick(self.waiting, self.computing)
            if was_quick and not self.quick:
                self.trial_at = now + self._trial_every

    def _judge(self, elapsed: float, verdict: tuple[float, float] | None, now: float) -> None:
        """A run while it is on trial."""
        trial = self._trial = self._trial or Cost()
        trial.trial_at = inf  # not within itself
        trial.learn(elapsed, verdict, now)
        # Runs that tell nothing do no harm: then other threads keep the interpreter, here and there.
        if trial.quick and trial.seen >= 4 * _FEW:
            self._copy(trial)
            self._trial, self._trial_every = None, _FIRST_TRIAL
        elif not trial.quick and trial.runs >= _FEW // 2:
            self._trial_every = min(2 * self._trial_every, _LONGEST_TRIAL)
            self._trial, self.trial_at = None, now + self._trial_every

    def note_elapsed(self, elapsed: float) -> None:
        """Takes the seconds of one run into that mean."""
        self.seen = min(self.seen + 1, _SPAN)
        self.elapsed += (elapsed - self.elapsed) / self.seen


def _is_quick(waited: float, computed: float) -> bool:
    """Whether a request that waits and computes for so long (seconds) belongs in place."""
    return computed < COMPUTING and waited <= HAND_OVER + computed / 8


class Costs:
    """The records of one server.

    A route (all of the target) has a record of its own when it has turned out to be of another kind than its group.
    Its group (the same but for an id or the query) has one when a run has taken long. What has none is quick.
    """

    def __init__(self, threads: int) -> None:
        self._patience = max(threads - 1, 1)
        self.routes: dict[str, Cost] = {}
        self.groups: dict[str, Cost] = {}

    def find(self, request: Request) -> Cost | None:
        """The record that decides about `request`; None: nothing is known."""
        if not self.groups:
            return None
        cost = self.routes.get(request.route) if self.routes else None
        return cost or self.groups.get(request.route_group[:_LONGEST_NAME])

    def kind(self, request: Request, now: float) -> Kind:
        """What `request` is taken for, at `now` of perf_counter."""
        return self.kind_by(self.find(request), request, now)

    def kind_by(self, cost: Cost | None, request: Request, now: float) -> Kind:
        """The same, by what `find` has found."""
        kind = Kind.QUICK if cost is None else cost.kind(now, self._patience)
        # A content that is still on its way is waited for.
        return Kind.BRIEF if request.content_arriving and (kind is Kind.QUICK or kind.is_trial) else kind

    def begin_relieved(self, request: Request) -> None:
        """The watcher: a leader was relieved of `request`."""
        for cost in (self._group(request), self.routes.get(request.route)):
            if cost is not None:
                cost.relieved.add(request)

    def end_relieved(self, request: Request) -> None:
        """The thread that ran it, or the watcher: that run has ended. May be called again."""
        for cost in (self.groups.get(request.route_group[:_LONGEST_NAME]), self.routes.get(request.route)):
            if cost is not None:
                cost.relieved.discard(request)

    def learn(self, request: Request, run: Run, now: float) -> None:
        """After a run that was measured. One that contradicts its group makes a record of the route's own."""
        verdict = run.verdict()
        own = self.routes.get(request.route) if self.routes else None
        if own is not None:
            own.learn(run.elapsed, verdict, now)
            return
        group = self._group(request)
        contradicts = bool(group.runs) and verdict is not None and _is_quick(*verdict) != group.quick
        if contradicts and len(request.route) <= _LONGEST_NAME:
            own = self.routes[request.route] = Cost(group if group.quick else None)
            own.learn(run.elapsed, verdict, now)
            self._bound(self.routes)
        group.learn(run.elapsed, verdict, now)

    def note_elapsed(self, request: Request, cost: Cost | None, elapsed: float) -> None:
        """After a run in place whose processor time was not measured, since nothing had taken long so far."""
        if cost is None:
            cost = self._group(request)
        cost.note_elapsed(elapsed)
        if cost.idle:
            self._forget(request, cost)

    def _forget(self, request: Request, cost: Cost) -> None:
        """Drops a record that tells no more than none would. A group stays while a route may be its exception."""
        name = request.route_group[:_LONGEST_NAME]
        group = self.groups.get(name)
        if cost is not group:
            if group is None or group.quick:
                self.routes.pop(request.route, None)
        elif not self.routes:
            self.groups.pop(name, None)

    def _group(self, request: Request) -> Cost:
        name = request.route_group[:_LONGEST_NAME]
        cost = self.groups.get(name)
        if cost is None:
            cost = self.groups.setdefault(name, Cost())
            self._bound(self.groups)
        return cost

    def _bound(self, records: dict[str, Cost]) -> None:
        while len(records) > _MAX_RECORDS:
            records.pop(next(iter(records.copy())), None)

    def stats(self, now: float) -> list[RouteStats]:
        """Each record and what it decides. Any thread."""
        return [
            RouteStats(
                route=name,
                place="in place" if cost.quick else "computing" if kind is Kind.COMPUTING else "pool",
                wait=cost.waiting,
                computing=cost.computing,
                elapsed=cost.elapsed,
                runs=cost.seen,
            )
            for records in (self.groups, self.routes)
            for name, cost in records.copy().items()
            for kind in [cost.kind(now, self._patience)]
        ]
