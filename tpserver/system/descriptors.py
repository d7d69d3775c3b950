"""Tells whether a descriptor is still the same file: an application may close it, and its number is soon reused."""

from __future__ import annotations

import os
import stat


def identity(descriptor: int) -> tuple[int, ...] | None:
    """A value that identifies the open file behind `descriptor`; None where it is closed. Any thread."""
    if descriptor < 0:
        return None
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    # Under wine the number of the device is lost when the file is renamed. On Windows no socket has a descriptor.
    device = 0 if os.name == "nt" else found.st_dev
    return device, found.st_ino, getattr(found, "st_rdev", 0), stat.S_IFMT(found.st_mode)
