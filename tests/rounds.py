"""How often a test does the same again."""

from __future__ import annotations

import sys


def rounds(count: int) -> int:
    """`count`, and a fifth of it on Windows: wine takes several times as long, and chance found the same elsewhere."""
    return count if sys.platform != "win32" else count // 5
