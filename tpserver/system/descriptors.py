"""Tells whether a descriptor is still the same file: an application may close it, and its number is soon reused."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable


def identity(descriptor: int) -> tuple[int, ...] | None:
    """A value that identifies the open file behind `descriptor`; None where it is closed. Any thread."""
    if descriptor < 0:
        return None
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino, getattr(found, "st_rdev", 0), stat.S_IFMT(found.st_mode)


class Known:
    """Remembers what some descriptors lead to. One thread. On Windows sockets have none, and nothing is noticed."""

    def __init__(self, descriptors: Iterable[int]) -> None:
        self._known = {} if sys.platform == "win32" else {number: identity(number) for number in descriptors}

    def lost(self) -> list[int]:
        """Those that lead to something else by now. Each is told once."""
        lost = [number for number, known in self._known.items() if identity(number) != known]
        for number in lost:
            del self._known[number]
        return lost
