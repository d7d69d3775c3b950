"""Properties of the running interpreter."""

from __future__ import annotations

import sys


def has_lock() -> bool:
    """Whether only one thread at a time runs Python (PEP 703). Any thread."""
    enabled = getattr(sys, "_is_gil_enabled", None)  # since 3.13
    return enabled is None or bool(enabled())
