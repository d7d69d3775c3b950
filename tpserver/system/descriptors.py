"""Which descriptors are still ours: an application may close one, and another file has its number soon."""

from __future__ import annotations

import os
import stat


def identity(descriptor: int) -> tuple[int, ...] | None:
    """What a descriptor leads to, to be compared with what it led to before; None: to nothing. Any thread."""
    if descriptor < 0:
        return None
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino, getattr(found, "st_rdev", 0), stat.S_IFMT(found.st_mode)
