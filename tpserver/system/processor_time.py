"""The clocks of what the process and the calling thread have used of the processor, fine enough to measure a request.

On Windows, those of the standard library count in ticks of 15.6 ms: a page that computes for 1 ms would seem to wait.
There the cycles of the processor are counted, and their number in a second is measured once. (On x64 that number does
not change. On ARM64 it does with the clock of the processor, so times are less exact, but better than ticks.)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

_Clock = Callable[[], float]

# Seconds of one measurement of the cycles in a second, and how many there are: the highest counts, since a thread that
# is stopped meanwhile uses fewer.
_SPIN: Final = 0.3e-3
_SPINS: Final = 5
# Cycles in a second that a processor may have.
_SLOWEST, _FASTEST = 1e8, 1e11


def processor_clocks() -> tuple[_Clock, _Clock]:
    """`process_time` and `thread_time`, in seconds, as those of `time`."""
    cycles = _cycle_counters()
    by_cycles = None if cycles is None else clocks_by_cycles(*cycles)
    return by_cycles or (time.process_time, time.thread_time)


def clocks_by_cycles(of_process: Callable[[], int], of_thread: Callable[[], int]) -> tuple[_Clock, _Clock] | None:
    """The clocks by these counters; None where what they count cannot be cycles."""
    used_by_all = of_process()
    used = of_thread()
    rate = max(_rate(of_thread) for _ in range(_SPINS))
    used = of_thread() - used
    used_by_all = of_process() - used_by_all
    if not _SLOWEST < rate < _FASTEST or used_by_all < used / 2:
        return None
    cycle = 1 / rate
    return lambda: of_process() * cycle, lambda: of_thread() * cycle


def _rate(cycles: Callable[[], int]) -> float:
    """Cycles in a second, of a thread that computes for a moment."""
    begun, before = time.perf_counter(), cycles()
    while time.perf_counter() - begun < _SPIN:
        pass
    counted = cycles() - before
    return counted / (time.perf_counter() - begun)


def _cycle_counters() -> tuple[Callable[[], int], Callable[[], int]] | None:
    """Cycle counters of the process and of the calling thread; None where the system has none (wine)."""
    if sys.platform == "win32":
        import ctypes

        # PyDLL keeps the interpreter's lock, as the clocks of `time` do. On 32 bits functions are called otherwise.
        kernel = ctypes.PyDLL("kernel32") if sys.maxsize > 2**32 else ctypes.WinDLL("kernel32")

        def counter(name: str, handle: int) -> Callable[[], int]:
            query = getattr(kernel, name)
            query.argtypes = (ctypes.c_void_p, ctypes.c_void_p)

            def count() -> int:
                cycles = ctypes.c_ulonglong()
                query(handle, ctypes.byref(cycles))
                return cycles.value

            return count

        # The pseudo-handles of the current process and thread.
        counters = counter("QueryProcessCycleTime", -1), counter("QueryThreadCycleTime", -2)
        if all(count() for count in counters):
            return counters
    return None
