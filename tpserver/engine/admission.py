"""How many requests of the application run and wait: `threads` at once, `queue` more in line, none beyond."""

from __future__ import annotations

import threading
from collections import deque

from tpserver.engine.protocol import Request


class Admission:
    """Counts the requests that occupy a thread, and keeps those that wait for one. Any thread may call."""

    def __init__(self, threads: int, queue: int) -> None:
        self.threads = threads
        self.queue = queue
        self.running = 0
        self.waiting: deque[Request] = deque()
        # Guards `running` and `waiting` together: a request is either counted or in line.
        self._lock = threading.Lock()

    def occupy(self) -> None:
        """Counts a thread that runs a request already: a leader that was relieved in the middle of it."""
        with self._lock:
            self.running += 1

    def enter(self, request: Request) -> bool | None:
        """True: counted, run it in the pool. False: it waits in line. None: the line is full.

        Unless it is None, the request and its connection are not the caller's any more.
        """
        with self._lock:
            room = self.running < self.threads
            if not room and len(self.waiting) >= self.queue:
                return None
            request.handed_over = True
            request.connection.away = True
            if room:
                self.running += 1
            else:
                self.waiting.append(request)
            return room

    def leave(self) -> Request | None:
        """The caller has finished a request: the next one for this thread; None: it is not counted any more."""
        with self._lock:
            if self.waiting and self.running <= self.threads:
                return self.waiting.popleft()
            self.running -= 1
            return None

    def clear(self) -> None:
        """Empties the line, for a server that stops."""
        with self._lock:
            self.waiting.clear()
