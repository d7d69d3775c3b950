"""What requests of each route have cost so far, and which kind the next one is.

A request that runs in place, in the leader, makes all others wait while it *waits* (for a database, a lock, a disk).
In the pool it costs a hand-over between threads, and threads that compute at once slow each other. The cheaper place
is taken. Time on the processor keeps the interpreter wherever it is spent, so it counts for neither, up to a bound.

Only runs that tell something teach: see measuring. Pure arithmetic: times are given, in seconds, and no clock is
read. Leaders and pool threads call; two that overlap only blur a mean.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Final

from tpserver.engine.measuring import COMPUTING, HAND_OVER, Run, Verdict
from tpserver.transport.protocol import Request

# A request that takes less is brief. Long ones leave a thread to it. A database query takes less, a report more.
BRIEF: Final = 25e-3
# The largest share of its runs that may hold up others while its route stays in place. The leader is relieved of such
# a run, at the price of a promotion: measured, 300 us, or five hand-overs.
_MOST_SLOW: Final = 1 / 8
# Runs that a mean is of; then one run replaces one in so many.
SPAN: Final = 64
# Seconds until a route that left is tried in place again: the first time, doubled up to the longest. A trial mostly
# fails after two runs, and costs a waiting application less than 1 % at the longest.
_FIRST_TRIAL: Final = 0.1
_LONGEST_TRIAL: Final = 10.0
# Records kept, of which one takes 600 bytes; and characters of their names. A longer route has no record of its own;
# longer groups that begin alike share one.
_LIMIT: Final = 512


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


# By itself: to look a member up in its class costs as much as a call.
QUICK: Final = Kind.QUICK


class Cost:
    """The record of one route, or of a group of routes. Means, in seconds."""

    __slots__ = (
        "_told_waits", "_trial_every", "_tried", "computing", "elapsed", "patience", "quick", "relieved", "runs",
        "seen", "slow", "trial_at", "waiting",
    )  # fmt: skip

    def __init__(self, runs: int = 0) -> None:
        self.runs = runs  # that told something, of which the means are
        self.waiting = 0.0  # of those that told how long they waited
        self._told_waits = 0  # how many these are
        self.computing = 0.0
        self.slow = 0.0  # the share of these runs that held up others, or would have
        self.elapsed = 0.0  # from beginning to end, of all runs
        self.seen = 0  # runs that `elapsed` is of
        self.relieved: set[Request] = set()  # which go on in threads that were relieved of leading
        self.quick = True  # whether its requests belong in place
        # Seconds that a run may take in place before the watcher relieves the leader: it is known to compute so long.
        # On trial it may be slowed by runs in the pool that have not ended yet.
        self.patience = 0.0
        self.trial_at = 0.0  # of perf_counter: when it is tried in place again, after it has left
        self._trial_every = _FIRST_TRIAL
        self._tried = 0  # runs on trial

    def kind(self, now: float, patience: int) -> Kind:
        """What the next request is taken for. `patience`: runs that may wait in place at once before others leave."""
        if len(self.relieved) < (patience if self.quick and self.runs else 1):  # else what goes on just now tells more
            if self.quick:
                return QUICK
            if now >= self.trial_at:
                return Kind.TRIAL if self.elapsed < BRIEF else Kind.LONG_TRIAL
        if self.computing >= max(COMPUTING, 4 * self.waiting):  # one at a time keeps the interpreter busy
            return Kind.COMPUTING
        return Kind.BRIEF if self.runs and self.elapsed < BRIEF else Kind.LONG

    def learn(self, elapsed: float, verdict: Verdict | None, now: float) -> None:
        """Takes one run of so many seconds, and what it tells, into the means."""
        on_trial = not self.quick and now >= self.trial_at  # wherever it ran
        if on_trial and not self._tried:  # these runs decide, whatever was known before
            self.runs = self.seen = self._told_waits = 0
            self.slow = self.waiting = 0.0
        self.note_elapsed(elapsed)
        if verdict is not None:
            self.runs = min(self.runs + 1, SPAN)
            if verdict.waited is not None:
                self._told_waits = min(self._told_waits + 1, SPAN)
                self.waiting += (verdict.waited - self.waiting) / self._told_waits
            self.computing += (verdict.computed - self.computing) / self.runs
            self.slow += ((not verdict.is_quick) - self.slow) / self.runs
        if on_trial:
            self._judge(now)
        elif self.quick and (self.slow > _MOST_SLOW or (not self.runs and elapsed >= COMPUTING)):
            self.quick = False
            self.trial_at = now + self._trial_every
        elif not self.quick and self.runs and self.slow <= _MOST_SLOW:  # its runs in the pool tell so
            self._come_back()
        self.patience = 2 * min(self.computing if self.quick else self.elapsed, COMPUTING)

    def _judge(self, now: float) -> None:
        """After each run on trial."""
        self._tried += 1
        # Short runs that tell nothing do no harm: then other threads keep the interpreter, here and there.
        has_ended = self._tried >= SPAN // 4
        if has_ended and self.slow <= _MOST_SLOW and (self.runs or self.elapsed < COMPUTING):
            self._come_back()
        elif has_ended or (self.slow > _MOST_SLOW and self.runs >= 2):
            self._trial_every = min(2 * self._trial_every, _LONGEST_TRIAL)
            self._tried, self.trial_at = 0, now + self._trial_every

    def _come_back(self) -> None:
        self.quick, self._tried, self._trial_every = True, 0, _FIRST_TRIAL

    def note_elapsed(self, elapsed: float) -> None:
        """Takes the seconds of one run into that mean."""
        self.seen = min(self.seen + 1, SPAN)
        self.elapsed += (elapsed - self.elapsed) / self.seen


class Costs:
    """The records of one server.

    A route (all of the target) has a record of its own when it has turned out to be of another kind than its group.
    Its group (the same but for an id or the query) has one when a run has taken long. What has none is quick.
    """

    def __init__(self, threads: int, *, trials: bool = True) -> None:
        """`threads`: of the pool. `trials`: what has left is tried in place again."""
        self._trials = trials
        self._patience = max(threads - 1, 1)
        self.routes: dict[str, Cost] = {}
        self.groups: dict[str, Cost] = {}

    def find(self, request: Request) -> Cost | None:
        """The record that decides about `request`; None: nothing is known."""
        if not self.groups:
            return None
        cost = self.routes.get(request.route) if self.routes else None
        return cost or self.groups.get(request.route_group[:_LIMIT])

    def record(self, request: Request) -> Cost:
        """The same; a new record of its group where nothing is known."""
        return self.find(request) or self._add(self.groups, request.route_group[:_LIMIT], Cost())

    def kind(self, request: Request, cost: Cost | None, now: float) -> Kind:
        """What `request` is taken for by `cost`, its record, at `now` of perf_counter."""
        if request.computes:
            return Kind.COMPUTING
        kind = QUICK if cost is None else cost.kind(now if self._trials else -inf, self._patience)
        # A content that is still on its way is waited for.
        return Kind.BRIEF if request.content_arriving and (kind is QUICK or kind.is_trial) else kind

    def learn(self, request: Request, cost: Cost | None, run: Run, now: float) -> None:
        """After a run that was measured. One that contradicts its group makes a record of the route's own."""
        verdict = run.verdict()
        cost = cost or self.record(request)
        contradicts = bool(cost.runs) and verdict is not None and verdict.is_quick != cost.quick
        if contradicts and request.route not in self.routes and len(request.route) <= _LIMIT:
            # Two slow runs tell that it is of another kind than a quick group, not one.
            own = self._add(self.routes, request.route, Cost(runs=SPAN // 8 if cost.quick else 0))
            own.learn(run.elapsed, verdict, now)
        cost.learn(run.elapsed, verdict, now)

    def note_elapsed(self, request: Request, cost: Cost | None, elapsed: float) -> None:
        """After a run in place whose processor time was not measured, since nothing had taken long so far."""
        cost = cost or self.record(request)
        cost.note_elapsed(elapsed)
        if not cost.quick or cost.elapsed >= HAND_OVER or cost.seen < SPAN or cost.relieved:
            return
        # It tells no more than none would, and is dropped. Groups stay while any route has a record of its own.
        name = request.route_group[:_LIMIT]
        group = self.groups.get(name)
        if cost is group and not self.routes:
            self.groups.pop(name, None)
        elif cost is not group and (group is None or group.quick):
            self.routes.pop(request.route, None)

    def _add(self, records: dict[str, Cost], name: str, cost: Cost) -> Cost:
        cost = records.setdefault(name, cost)
        while len(records) > _LIMIT:
            records.pop(next(iter(records.copy())), None)
        return cost

    def records(self, now: float) -> list[tuple[str, Cost, Kind]]:
        """Each record, its name, and what it takes the next request for. Any thread."""
        records = [*self.groups.copy().items(), *self.routes.copy().items()]
        now = now if self._trials else -inf
        return [(name, cost, cost.kind(now, self._patience)) for name, cost in records]
