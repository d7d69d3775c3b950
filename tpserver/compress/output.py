"""The output of the command `compress`: a progress bar on a terminal, lines elsewhere; readable sizes and names."""

from __future__ import annotations

import io
import os
import shutil
import sys
import unicodedata
from typing import Final, TextIO

_BAR: Final = 30  # columns of the bar on a terminal of usual width
_PERCENT: Final = 8  # columns of brackets, percentage and spaces
_USUAL: Final = (80, 24)  # for a terminal that does not report its size


class Output:
    """A progress bar on a terminal, plain lines elsewhere. `stream` None: no output. One thread."""

    def __init__(self, stream: TextIO | None, folder: str) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._folder = folder
        self._total = 1  # bytes
        self._done = 0  # bytes
        self._bar = stream is not None and stream.isatty()
        self._shown = 0  # columns that are to be cleared
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def expect(self, size: int) -> None:
        """Sets the number of bytes that make 100 %."""
        self._total = max(1, size)

    def line(self, text: str) -> None:
        """Writes a line in place of the bar."""
        self.clear()
        self._write(text + "\n")

    def done(self, size: int, name: str, result: str | None) -> None:
        """Advances the bar by the `size` bytes of the file `name`; without a bar, writes `result` unless it is None."""
        self._done += size
        name = printable(os.path.relpath(name, self._folder))
        if not self._bar:
            if result is not None:
                self.line(f"{name}: {result}")
            return
        # As it is written: a character that the terminal's encoding lacks becomes an escape of several columns.
        name = name.encode(self._encoding, "backslashreplace").decode(self._encoding)
        # On some terminals a line that fills the last column is followed by an empty one.
        width = shutil.get_terminal_size(_USUAL).columns - 1
        length = max(0, min(_BAR, width // 2 - _PERCENT))
        filled = length * self._done // self._total
        bar = f"[{'#' * filled}{'.' * (length - filled)}] " if length else ""
        bar = f"{bar}{100 * self._done // self._total:3}% "[: max(0, width)]
        before, self._shown = self._blank(), width
        self._write(before + bar + end_of(name, width - len(bar)))

    def clear(self) -> None:
        """Clears the bar."""
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
            except OSError:  # closed by its reader; without stdout the interpreter does not flush it at exit
                if self._stream is sys.stdout:
                    sys.stdout = None
                self._stream = None


def readable(size: int) -> str:
    """A number of bytes as text: 999 B, 1.2 KiB, 45.0 MiB."""
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} GiB"


def percent(before: int, after: int) -> str:
    """The saving from `before` to `after` bytes as text: 68 %; "-" where `before` is 0."""
    return f"{100 * (before - after) / before:.0f} %" if before else "-"


def columns(char: str) -> int:
    """The columns of a terminal that a character occupies, or more: some emoji sequences are drawn as one."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def end_of(text: str, width: int) -> str:
    """The longest end of `text` that fits into `width` columns."""
    start = len(text)
    while start and (width := width - columns(text[start - 1])) >= 0:
        start -= 1
    # A combining character is dropped with the character that it belongs to.
    while start < len(text) and not columns(text[start]):
        start += 1
    return text[start:]


def printable(text: str) -> str:
    """`text` with escapes for control characters, which could move a terminal's cursor, and for surrogates."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
