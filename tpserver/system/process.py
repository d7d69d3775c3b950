"""What a server asks of the system for its whole process. Only for whoever owns that: `serve` and the command."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Final

from tpserver.system.interpreter import has_lock

# Heaps among which glibc divides the threads, where it would make one each. The interpreter's lock keeps most threads
# from wanting memory at once; and every heap keeps its own spare pieces, which 100 000 connections had filled by
# 300 to 800 KiB each.
_HEAPS: Final = 2
_M_ARENA_MAX: Final = -8  # malloc.h


def raise_file_limit() -> None:
    """Raises the process's soft limit on open files to the hard one (POSIX)."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):  # macOS refuses "unlimited"
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def share_heaps() -> bool:
    """Makes threads that are still to come share a few heaps (mallopt(3)); whether it could.

    Only glibc has that, and without the interpreter's lock they would wait for each other. What the environment says
    of it (MALLOC_ARENA_MAX, GLIBC_TUNABLES) stands.
    """
    if not has_lock():
        return False
    if "MALLOC_ARENA_MAX" in os.environ or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        import ctypes

        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS))
    except (ImportError, OSError, TypeError, AttributeError):  # no ctypes, Windows, another C library
        return False
