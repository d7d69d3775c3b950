"""Settings of the whole process. Only the owner of the process may call them: `serve` and the command line."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Final

from tpserver.system.interpreter import has_lock

# Heaps (arenas) that glibc divides among the threads; by default it makes one for each. The interpreter lock keeps
# threads from allocating at once, and every heap has free pieces of its own (measured: 300 to 800 KiB each after
# 100 000 connections).
_HEAPS: Final = 2
# Open files that macOS allows a process whose hard limit is "unlimited", which it refuses as the soft one.
_OPEN_MAX: Final = 10240
_M_ARENA_MAX: Final = -8  # malloc.h


def raise_file_limit() -> None:
    """Raises the process's soft limit on open files to the hard one (POSIX)."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for wanted in (hard, _OPEN_MAX):
            with contextlib.suppress(OSError, ValueError):
                if wanted == hard or soft < wanted:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                    return


def share_heaps() -> bool:
    """Makes threads that start later share a few heaps (mallopt(3)); returns whether it did.

    It needs glibc and an interpreter lock, without which the threads would wait for each other. Settings in the
    environment (MALLOC_ARENA_MAX, GLIBC_TUNABLES) take precedence.
    """
    chosen = "MALLOC_ARENA_MAX" in os.environ or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if chosen or not has_lock():
        return False
    try:
        import ctypes

        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS))
    except (ImportError, OSError, TypeError, AttributeError):  # no ctypes, Windows, another C library
        return False


def escape_stdout() -> None:
    """Has stdout show as escapes what its encoding has not, instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
