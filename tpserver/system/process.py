"""Settings of the whole process. Only the owner of the process may call them: `serve` and the command line."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final

from tpserver.system.interpreter import has_lock

if TYPE_CHECKING:
    from ctypes import CDLL

# Heaps (arenas) that glibc divides among the threads; by default it makes one for each. The interpreter lock keeps
# threads from allocating at once, and every heap has free pieces of its own (measured: 300 to 800 KiB each after
# 100 000 connections).
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
    """Makes threads that start later share a few heaps (mallopt(3)); returns whether it did.

    It needs glibc and an interpreter lock, without which the threads would wait for each other. Settings in the
    environment (MALLOC_ARENA_MAX, GLIBC_TUNABLES) take precedence.
    """
    if not has_lock():
        return False
    if "MALLOC_ARENA_MAX" in os.environ or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        return bool(_library().mallopt(_M_ARENA_MAX, _HEAPS))
    except (ImportError, OSError, TypeError, AttributeError):  # no ctypes, Windows, another C library
        return False


def trim_heaps() -> bool:
    """Returns free pages of the heaps to the system (malloc_trim(3), glibc only); tells whether there were any.

    Any thread; others run meanwhile. The C library keeps free pages between pieces in use (measured: 4 MiB after 1500
    uploads, as many again after the next 1500).
    """
    try:
        return bool(_library().malloc_trim(0))
    except (ImportError, OSError, TypeError, AttributeError):
        return False


def _library() -> CDLL:
    import ctypes

    return ctypes.CDLL(None)
