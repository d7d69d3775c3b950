"""What requests of one kind have cost, and what that says about the next one: a route, and a family of routes.

In place, a request costs all others the time that it *waits* (wall time less computing time, for
computing holds the interpreter wherever it happens), up to the tick after which the watcher relieves the
leader. In the pool it costs a hand-over between threads. What computes for long goes to the pool too,
where `Admission` lets few of its kind run at once.
"""

from __future__ import annotations

from typing import Final

from tpserver.engine.admission import COMPUTING as COMPUTING_ONE
from tpserver.engine.admission import QUICK as QUICK_ONE
from tpserver.engine.admission import WAITING as WAITING_ONE

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
# A family of routes is asked when so many of its members have taught it; and it holds back those that nothing is known
# of when so many of them were slow.
SEVERAL: Final = 3
# A member that takes longer (seconds) is a slow one without doubt.
LONG: Final = 0.05


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
        return self.slow >= SEVERAL and not self.quick

    @property
    def kind(self) -> int:
        """As of a route; but while a server warms up, leaders are relieved of quick requests too.

        These would stand behind all slow ones, and could not show that they are quick.
        """
        if self._held >= SEVERAL:
            return WAITING_ONE
        if self.long < SEVERAL or self.elapsed < LONG:
            return QUICK_ONE
        return COMPUTING_ONE if self.computes else WAITING_ONE

    def count_member(self, slow: bool) -> None:
        """One that nothing was known of has run, or runs."""
        self.taught += 1
        self.slow += slow

    def learn_long(self, elapsed: float, computing: float) -> None:
        """As of a route."""
        self.long += elapsed >= LONG
        super().learn_long(elapsed, computing)
