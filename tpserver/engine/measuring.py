"""What one run of a request has cost, and what that tells: how long it waited, and how long it computed."""

from __future__ import annotations

from collections.abc import Sized
from typing import Final, NamedTuple

from tpserver.system.clock import clock
from tpserver.system.thread_usage import thread_usage

# Seconds of waiting that a hand-over to the pool is worth. Measured: a request costs 60 us more in the pool.
HAND_OVER: Final = 60e-6
# Seconds of computing from which a request goes to the pool, where one computes at a time. Measured: pages of up to
# 3 ms are fastest in place, and a client does not notice 5 ms more.
COMPUTING: Final = 5e-3


class Verdict(NamedTuple):
    """What a run tells, in seconds."""

    waited: float | None  # None: it does not tell
    computed: float

    @property
    def is_quick(self) -> bool:
        """Whether such requests belong in place."""
        return self.computed < COMPUTING and (self.waited or 0.0) <= HAND_OVER + self.computed / 8


class Run(NamedTuple):
    """One run of a request, in seconds."""

    elapsed: float
    computed: float  # on the processor, by the thread that ran it
    computed_by_all: float  # on the processor, by the whole process meanwhile
    at_once: int = 1  # requests that ran at the same time, this one included
    waited: bool = True  # False: its thread never gave the processor away by itself, as the system tells

    def verdict(self) -> Verdict | None:
        """What it tells; None where other threads blur what happened."""
        others = self.computed_by_all - self.computed
        if others <= self.elapsed / 8:
            return Verdict(max(self.elapsed - self.computed, 0.0) if self.waited else 0.0, self.computed)
        if self.elapsed <= 5 * HAND_OVER:  # too short to have waited for more than the interpreter
            return Verdict(0.0, self.computed)
        if self.at_once > 1 and self.elapsed >= COMPUTING and self.computed_by_all >= 4 * self.computed * self.at_once:
            # It got less than a quarter of its share, so it cannot have wanted more. How much of the rest it has waited
            # for the interpreter is not known.
            return Verdict(self.elapsed, self.computed)
        return Verdict(None, self.computed) if self.computed >= COMPUTING else None


class Meter:
    """Measures a run, in the thread that makes it. To look at the clocks of the processor takes 20 000 instructions."""

    __slots__ = ("_at_once", "_begun", "_by_all", "_running", "_used")

    def __init__(self, running: Sized) -> None:
        """`running`: the requests that run in other threads, and perhaps in this one."""
        self._running = running
        self._at_once = len(running)
        # In this order: on Linux the clock of the process brings the usage of this thread up to date, which may else be
        # that of the last tick (4 ms).
        self._by_all, self._used, self._begun = clock.process_time(), thread_usage(), clock.perf_counter()

    def end(self, *, is_counted: bool) -> Run:
        """The run that has just ended; `is_counted` among those that ran."""
        elapsed = clock.perf_counter() - self._begun
        by_all = clock.process_time() - self._by_all
        used, before = thread_usage(), self._used
        at_once = max(self._at_once, len(self._running)) + (not is_counted)
        waited = used.waits < 0 or used.waits > before.waits  # below 0: the system does not tell
        return Run(elapsed, used.seconds - before.seconds, by_all, at_once, waited)
