"""The memory of this process."""

from __future__ import annotations

import sys


def resident_memory() -> int:
    """Bytes of memory that this process has now; on macOS and other Unix the most that it has had. Any thread."""
    if sys.platform == "linux":
        with open("/proc/self/statm", "rb") as file:
            pages = int(file.read().split()[1])
        import resource

        return pages * resource.getpagesize()
    elif sys.platform == "win32":
        import ctypes

        # PROCESS_MEMORY_COUNTERS (psapi.h): cb, PageFaultCount, PeakWorkingSetSize, WorkingSetSize, six more sizes.
        class Counters(ctypes.Structure):
            _fields_ = [("numbers", ctypes.c_uint32 * 2), ("sizes", ctypes.c_size_t * 8)]

        counters = Counters()
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        kernel.K32GetProcessMemoryInfo.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)
        kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), ctypes.sizeof(counters))
        return int(counters.sizes[1])
    else:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
