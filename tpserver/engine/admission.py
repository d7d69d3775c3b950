"""How many requests of the application run and wait: `threads` at once, `queue` more in line, none beyond.

Three kinds stand in three lines. *Quick* ones (and brief ones) go first, until a slow one has waited for a
while: then they take turns. While quick ones come, one of the threads is kept for them (the leader's, as a
rule): what waits for something else never occupies all, so it cannot make a quick page wait. *Computing* ones
run one at a time as long as that keeps the interpreter busy: more of them at once would only take turns with
it. *Waiting* ones are the rest.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from math import ceil
from typing import Any, Final

from tpserver.engine.pool import Turn
from tpserver.engine.protocol import Request
from tpserver.system.interpreter import has_lock

# Kinds of requests, and the numbers of their lines.
QUICK: Final = 0
WAITING: Final = 1
COMPUTING: Final = 2

# Seconds for which a thread stays reserved after a quick request. They may be rare, and shall find it; where all are
# slow, all threads are for these.
KEPT_FOR: Final = 60.0
# The same after one that is only taken for quick, and after the very first slow one, when nobody knows yet what comes
# with it.
RESERVED_FOR: Final = 1.0
# A request that takes longer (seconds) in the pool is no quick one, whatever it was taken for.
_QUICK_ENOUGH: Final = 0.025
# Seconds after which a computing request does not keep the others of its kind waiting any more: a long report must not
# hold up short ones.
SHARE: Final = 0.5
# Seconds over which it is measured how busy the interpreter is.
_WINDOW: Final = 0.02
# Busy: so many seconds of computing in a second. Less: who runs waits for something. More: it computes without the
# interpreter's lock. In both cases one more can run beside it.
_BUSY: Final = (0.8, 1.5)
# Seconds in line after which a slow one takes turns with quick ones.
_PATIENCE: Final = 0.1
# A mean is that of all requests, until there are so many; then one replaces one in so many of it.
_SPAN: Final = 32
# The longest Retry-After, in seconds.
_LONGEST_RETRY: Final = 60


class Admission:
    """Counts the requests that occupy a thread, and keeps those that wait for one. Any thread may call.

    `one_computes`: whether threads share one interpreter lock.
    """

    def __init__(self, threads: int, queue: int, *, one_computes: bool | None = None) -> None:
        self.threads = threads
        self.queue = queue
        self.running = 0
        self.quick_until = 0.0  # of the perf_counter: until then a thread is reserved; set by leaders
        self.mean = 0.0  # seconds that a request occupies a thread; a running mean
        self._ended = 0  # how many requests it is of
        self._means = [0.0, 0.0, 0.0]  # the same by kind
        self._ended_of = [0, 0, 0]
        self._one_computes = has_lock() if one_computes is None else one_computes
        self._warm = False  # a slow one has come
        self._quick_running = 0  # how many of those that run came from the quick line
        self._passed = False  # the last place went to a slow one, before a quick one that stood in line too
        self._lines: tuple[deque[Request], ...] = (deque(), deque(), deque())
        self._computing: dict[Request, float] = {}  # those that others of their kind wait for, and since when
        self._open_until = 0.0  # until then more than one may compute
        self._measured = (0.0, 0.0)  # when it was last looked how busy the interpreter is: (clock, computed until then)
        # All that `running` counts, and in which turn of a thread it is; None: on its way to one.
        self.held: dict[Any, Turn | None] = {}
        # Guards all of the above together: a request is either counted or in line.
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many are in line. A moment's answer."""
        return sum(map(len, self._lines))

    @property
    def lengths(self) -> tuple[int, int, int]:
        """How many are in the quick line, in the waiting and in the computing one. A moment's answer."""
        quick, waiting, computing = self._lines
        return len(quick), len(waiting), len(computing)

    @property
    def retry_after(self) -> int:
        """In how many seconds there should be room again."""
        work = [
            length * (mean if ended else self.mean)
            for length, mean, ended in zip(self.lengths, self._means, self._ended_of, strict=True)
        ]
        seconds = sum(work) / self.threads
        if self._one_computes:  # these go one after the other
            seconds = max(seconds, work[COMPUTING])
        return min(max(ceil(seconds), 1), _LONGEST_RETRY)

    def room(self, *, kind: int, now: float) -> bool:
        """Whether one more could run. Without the lock: only a leader adds to what runs, and it is asking."""
        if kind == QUICK:
            return self.running < self.threads
        return not self._must_wait(kind, now) and self.running < self._for_slow(now)

    def occupy(self, now: float, request: Request | None = None, turn: Turn | None = None) -> None:
        """Counts a thread that runs `request` already: a leader that was relieved in the middle of it."""
        with self._lock:
            self._reserve(now)
            self.held[request] = turn
            self.running += 1

    def enter(self, request: Request, *, kind: int, now: float) -> bool | None:
        """True: counted, run it in the pool. False: it waits in line. None: the line is full.

        Unless it is None, the request and its connection are not the caller's any more.
        """
        with self._lock:
            if kind == QUICK:
                self.quick_until = max(self.quick_until, now + RESERVED_FOR)  # it has found none: the next one shall
            else:
                self._reserve(now)
            room = self.room(kind=kind, now=now)
            if not room and self.waiting + self.running >= self.queue + self.threads:
                return None
            if room:
                self._start(request, kind, now)
            else:
                request.waited = True
                self._lines[kind].append(request)
            request.handed_over = True
            request.connection.detached = True  # when it is here: what is away is somebody's, see `Leader.check_soon`
            return room

    def claim(self, request: Request, turn: Turn) -> bool:
        """A pool thread: whether it is the first to come for `request`, which it runs then."""
        with self._lock:
            if self.held.get(request, turn) is not None:
                return False
            self.held[request] = turn
            return True

    def leave(
        self,
        request: Request | None,
        now: float,
        *,
        ran: bool = True,
        relieved: Request | None = None,
        turn: Turn | None = None,
    ) -> Request | None:
        """The caller has finished `request`: the next one for this thread; None: it is not counted any more.

        Without a request: a leader that was relieved has finished its own, `relieved`.
        """
        with self._lock:
            self.held.pop(relieved if request is None else request, None)
            if request is not None:
                self._computing.pop(request, None)
                self._quick_running -= request.line == QUICK
                if ran:
                    elapsed = now - request.begun
                    self._count_end(request.line, elapsed)
                    if request.line == QUICK and elapsed < _QUICK_ENOUGH:
                        self.quick_until = now + KEPT_FOR
            self.running -= 1
            return self._next(now, turn)

    def due(self, now: float, computed: float) -> Request | None:
        """The watcher: one that waits although it could run now; counted, for the pool.

        `computed`: seconds that the process has computed so far.
        """
        if not any(self._lines):
            return None
        with self._lock:
            self._share(now, computed)
            return self._next(now)

    def drop(self, request: Request, turn: Turn) -> bool:
        """The watcher: `turn` has ended without leaving; whether `request` was still in it. It is not counted now."""
        with self._lock:
            if self.held.get(request) is not turn:
                return False
            del self.held[request]
            self._computing.pop(request, None)
            for line in self._lines:
                if request in line:
                    line.remove(request)
            self._count()
            return True

    def recount(self) -> None:
        """The watcher: a thread may have been interrupted between two figures."""
        if self.running != len(self.held):
            with self._lock:
                self._count()

    def _count(self) -> None:
        self.running = len(self.held)
        self._quick_running = sum(getattr(request, "line", None) == QUICK for request in self.held)

    def sort(self, kind_of: Callable[[Request], int]) -> None:
        """Something has been learnt: lets each stand in the line of its kind as it is seen now."""
        with self._lock:
            waiting = sorted((request for line in self._lines for request in line), key=lambda one: one.arrived)
            lines: tuple[deque[Request], ...] = (deque(), deque(), deque())
            for request in waiting:
                lines[kind_of(request)].append(request)
            self._lines = lines  # all at once: who sorts may be interrupted

    def in_line(self) -> list[Request]:
        """Those that wait. A moment's answer."""
        with self._lock:
            return [request for line in self._lines for request in line]

    def take_out(self, request: Request) -> bool:
        """Takes `request` out of its line; False where it is in none any more. True: it is the caller's."""
        with self._lock:
            for line in self._lines:
                if request in line:
                    line.remove(request)
                    return True
            return False

    def expired(self, before: float) -> Request | None:
        """One that has waited since `before` (of the perf_counter) or longer; it is in no line any more."""
        if not any(self._lines):
            return None
        with self._lock:
            for line in self._lines:
                if line and line[0].arrived <= before:
                    return line.popleft()
            return None

    def clear(self) -> list[Request]:
        """Empties the lines, for a server that stops; what stood there."""
        with self._lock:
            left = [request for line in self._lines for request in line]
            for line in self._lines:
                line.clear()
            return left

    def _count_end(self, kind: int, elapsed: float) -> None:
        """A request of that kind has occupied a thread for so long (seconds)."""
        self._ended = min(self._ended + 1, _SPAN)
        self._ended_of[kind] = min(self._ended_of[kind] + 1, _SPAN)
        self.mean += (elapsed - self.mean) / self._ended
        self._means[kind] += (elapsed - self._means[kind]) / self._ended_of[kind]

    def _reserve(self, now: float) -> None:
        """The first slow one of all: a thread is kept for quick ones that may come with it."""
        if not self._warm:
            self._warm = True
            self.quick_until = max(self.quick_until, now + RESERVED_FOR)

    def _start(self, request: Request, kind: int, now: float, turn: Turn | None = None) -> None:
        request.begun = now
        request.line = kind
        self.held[request] = turn
        self.running += 1
        self._quick_running += kind == QUICK
        if kind == COMPUTING and self._one_computes:
            self._computing[request] = now

    def _next(self, now: float, turn: Turn | None = None) -> Request | None:
        """The first that may run, counted. Of those that are not quick the one that came first."""
        kinds = [kind for kind in (WAITING, COMPUTING) if self._lines[kind] and self._slow_room(kind, now)]
        slow = min(kinds, key=lambda kind: self._lines[kind][0].arrived) if kinds else None
        quick = bool(self._lines[QUICK]) and self.running < self.threads
        # A slow one that has waited for a while takes turns with quick ones.
        late = slow is not None and self._late(slow, now) and not self._passed
        if quick and not late:
            kind = QUICK
        elif slow is not None:
            kind = slow
        else:
            return None
        self._passed = quick and kind != QUICK
        request = self._lines[kind][0]
        self._start(request, kind, now, turn)
        self._lines[kind].popleft()  # when it is somebody's
        return request

    def _late(self, kind: int, now: float) -> bool:
        """Whether the first of a line has waited for so long that quick ones do not go before it any more."""
        return now - self._lines[kind][0].arrived >= _PATIENCE

    def _slow_room(self, kind: int, now: float) -> bool:
        """Whether the first of a line of slow ones may run.

        No thread need be free beside it when it is late: brief ones may occupy those, and they never end. It is enough
        that the slow ones leave a thread to them; and half of the threads while brief ones wait too.
        """
        if self.room(kind=kind, now=now):
            return True
        if not self._late(kind, now) or self.running >= self.threads or self._must_wait(kind, now):
            return False
        most = max(self.threads // 2, 1) if self._lines[QUICK] else self._for_slow(now)
        return self.running - self._quick_running < most

    def _must_wait(self, kind: int, now: float) -> bool:
        """Whether one that computes goes on alone."""
        return kind == COMPUTING and bool(self._computing) and now >= self._open_until

    def _share(self, now: float, computed: float) -> None:
        """Lets those that compute no longer keep the others waiting: after a while, or when the interpreter is idle."""
        at, before = self._measured
        for request, since in list(self._computing.items()):
            if now - since >= SHARE:
                del self._computing[request]
        if now - at < _WINDOW:
            return
        self._measured = now, computed
        if now - at < 2 * _WINDOW and self._computing:
            busy = (computed - before) / (now - at)
            if not _BUSY[0] <= busy <= _BUSY[1]:
                self._open_until = now + _WINDOW

    def _for_slow(self, now: float) -> int:
        """How many threads may run requests that are not quick."""
        reserved = self.threads > 1 and (now < self.quick_until or self._lines[QUICK])
        return self.threads - 1 if reserved else self.threads
