"""What the calling thread has used of the processor, and whether it gave the processor away by itself."""

from __future__ import annotations

import sys
from typing import NamedTuple

from tpserver.system.clock import clock


class ThreadUsage(NamedTuple):
    """Sums since the thread began."""

    seconds: float  # on the processor
    waits: int  # times that it waited for something, the interpreter's lock included; -1 where the system does not tell


if sys.platform == "linux":
    from resource import RUSAGE_THREAD, getrusage

    def thread_usage() -> ThreadUsage:
        """One system call. A thread that the system has stopped to let others run has not waited (getrusage(2)).

        The seconds may be those of the last tick, unless the clock of the process was read just before.
        """
        usage = getrusage(RUSAGE_THREAD)
        return ThreadUsage(usage.ru_utime + usage.ru_stime, usage.ru_nvcsw)

else:

    def thread_usage() -> ThreadUsage:
        """One system call."""
        return ThreadUsage(clock.thread_time(), -1)
