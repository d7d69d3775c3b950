"""Colours of a terminal."""

from __future__ import annotations

import os
import sys
from typing import IO, Final

RED: Final = "31"
GREEN: Final = "32"
YELLOW: Final = "33"
CYAN: Final = "36"
FAINT: Final = "2"


def has_colours(stream: IO[str] | None) -> bool:
    """Whether a stream is a terminal that shows colours, and its user wants them (no-color.org)."""
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    if sys.platform == "win32" and not any(map(os.environ.get, ("WT_SESSION", "ANSICON", "ConEmuANSI", "TERM"))):
        return False  # the old console shows the codes themselves
    try:
        return stream.isatty()
    except (OSError, ValueError, AttributeError):  # it is closed, or no usual stream
        return False


def coloured(text: str, colour: str) -> str:
    """`text` between the codes of ECMA-48 for a colour and for its end."""
    return f"\x1b[{colour}m{text}\x1b[0m"
