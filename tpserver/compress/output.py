"""The output of the command `compress`: a progress bar on a terminal, lines elsewhere; readable sizes and names."""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import Final, TextIO

_BAR: Final = 30  # columns of the bar, without brackets and percentage
_CLEAR: Final = "\r" + " " * (_BAR + len("[] 100%")) + "\r"


class Output:
    """A progress bar on a terminal that has room for it, lines elsewhere. `stream` None: no output. Not thread-safe."""

    def __init__(self, stream: TextIO | None, folder: str) -> None:
        self._stream = stream
        self._folder = folder
        self._total = 1  # bytes
        self._done = 0  # bytes
        self._bar = stream is not None and stream.isatty() and shutil.get_terminal_size().columns > len(_CLEAR)
        self._clear = ""  # what clears the bar that is shown
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def expect(self, size: int) -> None:
        """Sets the number of bytes that make 100 %."""
        self._total = max(1, size)

    def line(self, text: str) -> None:
        """Writes a line in place of the bar."""
        self._write(f"{self._clear}{text}\n")
        self._clear = ""

    def done(self, size: int, name: str, result: str | None) -> None:
        """Advances the bar by the `size` bytes of the file `name`; without a bar, writes `result` unless it is None."""
        self._done += size
        if self._bar:
            filled = "#" * (_BAR * self._done // self._total)
            self._write(f"\r[{filled:.<{_BAR}}] {100 * self._done // self._total:3}%")
            self._clear = _CLEAR
        elif result is not None:
            self.line(f"{printable(os.path.relpath(name, self._folder))}: {result}")

    def _write(self, text: str) -> None:
        if self._stream is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError:  # closed by its reader; without stdout the interpreter does not flush it at exit
                if self._stream is sys.stdout:
                    sys.stdout = None
                self._stream = None


def readable(size: float) -> str:
    """A number of bytes as text: 999 B, 1.2 KiB, 45.0 MiB."""
    if size < 1024:
        return f"{size} B"
    for unit in ("KiB", "MiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} GiB"


def percent(before: int, after: int) -> str:
    """The saving from `before` to `after` bytes as text: 68 %; "-" where `before` is 0."""
    return f"{100 * (before - after) / before:.0f} %" if before else "-"


def printable(text: str) -> str:
    """`text` with escapes for control characters, which could move a terminal's cursor, and for surrogates."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
