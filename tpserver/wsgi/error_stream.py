"""`wsgi.errors` (PEP 3333): the `sys.stderr` of the moment at which the application writes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable


class ErrorStream:
    """A text stream on `sys.stderr`, which tests and tools replace and close. What cannot be written is dropped."""

    def write(self, text: str) -> int:
        """Writes `text`; returns its length. Raises TypeError for what is no text."""
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__}")
        stream = sys.stderr
        if stream is not None:  # pythonw on Windows has none
            with contextlib.suppress(Exception):  # its reader has gone, it is closed, or a program's own is faulty
                try:
                    stream.write(text)
                except UnicodeEncodeError:
                    stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flushes `sys.stderr` where that can be flushed."""
        with contextlib.suppress(Exception):
            sys.stderr.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        with contextlib.suppress(Exception):  # closed, or none
            return sys.stderr.isatty()
        return False

    def close(self) -> None:
        """Leaves `sys.stderr` open: it is the process's."""

    def __getattr__(self, name: str) -> object:
        """What else the stream has, such as `encoding` and `fileno`."""
        return getattr(sys.stderr, name)
