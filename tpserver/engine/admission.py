"""How many requests of the application run and wait: `threads` at once, `queue` more in line, none beyond.

While quick requests come, one of the threads is kept for them (the leader's, as a rule): those that
wait for something else never occupy all, so they cannot make a quick page wait.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from tpserver.engine.protocol import Request

# Seconds for which a thread stays reserved after a quick request.
RESERVED_FOR: Final = 1.0


class Admission:
    """Counts the requests that occupy a thread, and keeps those that wait for one. Any thread may call."""

    def __init__(self, threads: int, queue: int) -> None:
        self.threads = threads
        self.queue = queue
        self.running = 0
        self.quick_until = 0.0  # of the perf_counter: until then a thread is reserved; set by leaders
        self._quick: deque[Request] = deque()
        self._slow: deque[Request] = deque()
        # Guards `running` and the two lines together: a request is either counted or in line.
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many are in line. A moment's answer."""
        return len(self._quick) + len(self._slow)

    def room(self, *, quick: bool, now: float) -> bool:
        """Whether one more could run. Without the lock: only a leader adds to what runs, and it is asking."""
        return self.running < (self.threads if quick else self._for_slow(now))

    def occupy(self) -> None:
        """Counts a thread that runs a request already: a leader that was relieved in the middle of it."""
        with self._lock:
            self.running += 1

    def enter(self, request: Request, *, quick: bool, now: float) -> bool | None:
        """True: counted, run it in the pool. False: it waits in line. None: the line is full.

        Unless it is None, the request and its connection are not the caller's any more.
        """
        with self._lock:
            room = self.room(quick=quick, now=now)
            if not room and len(self._quick) + len(self._slow) >= self.queue:
                return None
            request.handed_over = True
            request.connection.away = True
            if room:
                self.running += 1
            elif quick:
                self._quick.append(request)
            else:
                self._slow.append(request)
            return room

    def leave(self, now: float) -> Request | None:
        """The caller has finished a request: the next one for this thread; None: it is not counted any more."""
        with self._lock:
            if self.running <= self.threads:
                if self._quick:
                    return self._quick.popleft()
                if self._slow and self.running <= self._for_slow(now):
                    return self._slow.popleft()
            self.running -= 1
            return None

    def overdue(self, now: float) -> Request | None:
        """The watcher: one that waits although a thread that was reserved is so no longer; counted, for the pool."""
        if not self._slow:
            return None
        with self._lock:
            if self._slow and self.running < self._for_slow(now):
                self.running += 1
                return self._slow.popleft()
            return None

    def clear(self) -> list[Request]:
        """Empties the lines, for a server that stops; what stood there."""
        with self._lock:
            left = [*self._quick, *self._slow]
            self._quick.clear()
            self._slow.clear()
            return left

    def _for_slow(self, now: float) -> int:
        """How many threads may run requests that wait."""
        return self.threads - 1 if now < self.quick_until and self.threads > 1 else self.threads
