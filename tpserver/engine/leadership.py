"""Who leads, what the leader is at, and how it is relieved."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tpserver.transport.connection import Connection
from tpserver.transport.protocol import Request


class Leadership:
    """Who leads, by term. Each promotion begins a new term; a thread whose term is over has been relieved."""

    def __init__(self) -> None:
        # Guards `term` and `current` together: only a leader that is at something can be relieved, and one that has
        # ended it as the leader is still the leader.
        self.lock = threading.Lock()
        self.term = 0
        self.thread = 0  # identity of the thread that leads; 0: none does yet
        self.current: Connection | None = None  # what the leader is at; set by it alone, without the lock
        self.request: Request | None = None  # of the application, which it runs in place
        self.begun = 0.0  # of perf_counter: when it began to
        self.patient_until = 0.0  # of perf_counter: until then a request that is known to compute is let be
        self.attention_id = 0  # grows with each connection attended to: how the watcher tells two of them apart

    def appoint(self) -> int:
        """The watcher, when serving begins: the term of the first leader."""
        with self.lock:
            return self._begin_term()

    def replace(self, is_at_work: Callable[[int, int], bool]) -> int | None:
        """The watcher: the term of a leader in place of one that is lost, or never came; None where none is needed.

        `is_at_work(thread, term)`: whether that one leads. Asked under the lock: a thread may be about to take its
        term, and two that lead at once would break each other's connections.
        """
        with self.lock:
            return None if is_at_work(self.thread, self.term) else self._begin_term()

    def _begin_term(self) -> int:
        """Under the lock. The term first: see `relieve`."""
        self.term += 1
        self.thread = 0
        self.current = self.request = None
        return self.term

    def take(self, term: int, thread: int) -> bool:
        """A leader thread: whether it leads by `term`: no other thread does, or was appointed since."""
        with self.lock:
            if term != self.term or self.thread:
                return False
            self.thread = thread
            return True

    def relieve(self, attention_id: int, hand_on: Callable[[Connection, Request | None, int], None]) -> int | None:
        """The watcher: ends the term of a leader that is still at what `attention_id` stands for.

        `hand_on` is told the connection, its request if one runs in place, and the thread, before any other thread can
        know of it. Returns the new term; None where that leader has gone on meanwhile.
        """
        with self.lock:
            connection = self.current
            if connection is None or self.attention_id != attention_id:
                return None
            # In this order, for the watcher may be interrupted: up to the new term that leader can be relieved again.
            hand_on(connection, self.request, self.thread)
            connection.detached = True  # it belongs to the old leader until that one gives it back
            return self._begin_term()

    def begin(self, connection: Connection, request: Request, now: float, patience: float) -> bool:
        """The leader: it runs `request` in place from now on. False: it has been relieved of `connection` meanwhile.

        `now` of perf_counter; it is not relieved for `patience` seconds.
        """
        with self.lock:
            if self.current is not connection:
                return False
            self.request, self.begun, self.patient_until = request, now, now + patience
            return True

    def finish(self, term: int) -> bool:
        """The leader of `term`, when it has ended what it was at: whether it has been relieved meanwhile."""
        with self.lock:
            if self.term != term:
                return True
            self.current = self.request = None
            return False

    def close(self) -> int:
        """The watcher, when it stops: identity of the thread that leads; 0: none does, nor will by this term."""
        with self.lock:
            if not self.thread:
                self.term += 1
            return self.thread
