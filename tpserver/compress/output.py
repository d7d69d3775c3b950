"""What the command compress tells a person: a bar on a terminal, lines elsewhere, sizes and names that can be read."""

from __future__ import annotations

import io
import os
import shutil
import sys
import unicodedata
from typing import Final, TextIO

_BAR: Final = 30  # columns, where there is room
_PERCENT: Final = 8  # columns of what stands around the bar and behind it
_USUAL: Final = (80, 24)  # a terminal that does not tell its size


class Output:
    """A bar on a terminal, plain lines elsewhere."""

    def __init__(self, stream: TextIO | None, folder: str) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._folder = folder
        self._all = 1  # bytes there are, and were
        self._done = 0
        self._bar = stream is not None and stream.isatty()
        self._shown = 0  # columns to be cleared
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
        # As it will be written: what the terminal's encoding has not takes several columns.
        name = name.encode(self._encoding, "backslashreplace").decode(self._encoding)
        # A line that fills the last column is followed by another one on some terminals.
        width = shutil.get_terminal_size(_USUAL).columns - 1
        length = max(0, min(_BAR, width // 2 - _PERCENT))
        filled = length * self._done // self._all
        bar = f"[{'#' * filled}{'.' * (length - filled)}] " if length else ""
        bar = f"{bar}{100 * self._done // self._all:3}% "[: max(0, width)]
        before, self._shown = self._blank(), width
        self._write(before + bar + end_of(name, width - len(bar)))

    def clear(self) -> None:
        """Takes the bar away."""
        if self._shown:
            self._write(self._blank())
            self._shown = 0

    def _blank(self) -> str:
        return "\r" + " " * self._shown + "\r"

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


def columns(char: str) -> int:
    """How many columns of a terminal a character takes, or a few more: some are drawn into the one before."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def end_of(text: str, width: int) -> str:
    """As much of a text's end as goes into `width` columns."""
    start = len(text)
    while start and (width := width - columns(text[start - 1])) >= 0:
        start -= 1
    # What is drawn into the character before it goes with that.
    while start < len(text) and not columns(text[start]):
        start += 1
    return text[start:]


def printable(text: str) -> str:
    """A file's name without what would move a terminal's cursor, or cannot be written at all."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
