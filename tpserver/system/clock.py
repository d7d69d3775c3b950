"""The clocks that the server reads, in one object.

Test libraries that stop time (freezegun) replace `time.monotonic` and its kin in every module that has imported them.
The server keeps the functions of the system in the slots of an object, where these libraries do not look; so a clock
that is stopped for an application does not stop the deadlines of the server. Tests move time by setting a slot.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from tpserver.system.processor_time import processor_clocks


class Clock:
    """Functions that return seconds, as those of `time`. Any thread may call them."""

    __slots__ = ("monotonic", "perf_counter", "process_time", "thread_time", "time")

    def __init__(self) -> None:
        self.monotonic: Callable[[], float] = time.monotonic
        self.perf_counter: Callable[[], float] = time.perf_counter
        self.process_time, self.thread_time = processor_clocks()
        self.time: Callable[[], float] = time.time


clock: Final = Clock()
