"""What the command compress tells a person: a bar on a terminal, lines elsewhere, sizes and names that can be read."""

from __future__ import annotations

import io
import os
import sys
from typing import Final, TextIO

_BAR: Final = 30
_WIDTH: Final = 78  # of a line, on the narrowest terminal


class Output:
    """A bar on a terminal, plain lines elsewhere."""

    def __init__(self, stream: TextIO | None, folder: str) -> None:
        self._stream = stream
        self._folder = folder
        self._all = 1  # bytes there are, and were
        self._done = 0
        self._bar = stream is not None and stream.isatty()
        self._shown = False
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def expect(self, size: int) -> None:
        self._all = max(1, size)

    def line(self, text: str) -> None:
        self.clear()
        self._write(text + "\n")

    def done(self, size: int, name: str, what: str | None) -> None:
        """`size` bytes, those of the file `name`, are done; `what` has come of it, None: nothing to speak of."""
        self._done += size
        name = printable(os.path.relpath(name, self._folder))
        if not self._bar:
            if what is not None:
                self.line(f"{name}: {what}")
            return
        self._shown = True
        filled = _BAR * self._done // self._all
        bar = f"[{'#' * filled}{'.' * (_BAR - filled)}] {100 * self._done // self._all:3}% "
        self._write("\r" + (bar + name[-(_WIDTH - len(bar)) :]).ljust(_WIDTH))

    def clear(self) -> None:
        """Takes the bar away."""
        if self._shown:
            self._shown = False
            self._write("\r" + " " * _WIDTH + "\r")

    def _write(self, text: str) -> None:
        if self._stream is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError:  # nobody reads it any more; nor shall the interpreter try again when it ends
                if self._stream is sys.stdout:
                    sys.stdout = None
                self._stream = None


def readable(size: int) -> str:
    """A number of bytes, as a person reads it: 999 B, 1.2 KiB, 45.0 MiB."""
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} GiB"


def percent(before: int, after: int) -> str:
    """What was saved of `before` bytes."""
    return f"{100 * (before - after) / before:.0f} %" if before else "-"


def printable(text: str) -> str:
    """A file's name without what would move a terminal's cursor, or cannot be written at all."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
