"""What wakes a thread that rests."""

from __future__ import annotations

import contextlib
import threading


class Bell:
    """One thread waits; any thread and any signal handler rings. However often it was rung, one wait hears it.

    A lock that is released by who rings, and nothing else: a signal handler may ring in the middle of anything, so an
    Event, which has a lock of its own, would hang; and before Python 3.13 `queue.SimpleQueue.get` with a timeout
    waits for ever where the thread loses the processor for that time in the middle of the call.
    """

    def __init__(self) -> None:
        # Guards nothing. It is locked while nothing has rung: `ring` unlocks it, `wait` locks it again.
        self._silence = threading.Lock()
        self._silence.acquire()

    def ring(self) -> None:
        """Ends a wait, this one or the next."""
        with contextlib.suppress(RuntimeError):  # it was rung, and not yet heard
            self._silence.release()

    def wait(self, timeout: float) -> bool:
        """Waits for a ring, for up to `timeout` seconds; returns whether it was rung."""
        return self._silence.acquire(timeout=timeout)
