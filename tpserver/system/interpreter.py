"""Properties of the running interpreter."""

from __future__ import annotations

import sys


def is_free_threaded() -> bool:
    """Whether this Python can run without that lock; an extension module may turn it on all the same."""
    return "free-threading" in sys.version


def has_lock() -> bool:
    """Whether only one thread at a time runs Python (PEP 703). Any thread."""
    enabled = getattr(sys, "_is_gil_enabled", None)  # since 3.13
    return enabled is None or bool(enabled())
