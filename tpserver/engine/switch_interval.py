"""How long a thread that computes keeps the interpreter from the others."""

from __future__ import annotations

import sys
from typing import Final

from tpserver.engine.task import Tasks

# The interval grows with the square of what runs, from this many requests on. Threads that wait for the interpreter
# wake up once an interval each, and each switch costs. Measured with 8 threads that compute for 1 ms and wait for 1 ms:
# 490, 640 and 580 requests/s with 0.4, 2 and 8 ms.
_FROM: Final = 2


class SwitchInterval:
    """Sets the interpreter's switch interval by what runs. Only for the owner of the process."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self.seconds = 0.0  # the interval while one or two requests run; 0: the interpreter's is left alone
        self._running = 0  # how many requests it was set for

    def check(self, now: float) -> None:
        """The watcher, in each round."""
        running = len(self._tasks.running)
        if self.seconds and running != self._running:
            self._running = running
            sys.setswitchinterval(self.seconds * max(1.0, (running / _FROM) ** 2))
