"""Where logs go, as long as it is there: a descriptor that the application has closed is soon somebody else's.

Its number goes to whatever is opened next, which is mostly a client's connection: it would get the log.
"""

from __future__ import annotations

import errno
import os
from typing import IO, Any, Final, Protocol

from tpserver.logs.log import Log
from tpserver.system.descriptors import identity

_log = Log("tpserver")

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)  # Windows: no second line ends


class Lines(Protocol):
    """What a log is written on. Raises OSError, or ValueError when it is closed."""

    def write(self, text: str, /) -> Any: ...

    def flush(self) -> Any: ...


class LogStream:
    """A stream of the process, such as stdout. Raises OSError when its descriptor is no more what it was."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        try:
            self._fd = stream.fileno()
        except (OSError, ValueError, AttributeError):  # it has none
            self._fd = -1
        self._identity = identity(self._fd)

    def renew(self) -> None:
        """What the descriptor is by now is as it should be: whoever owns the process may have redirected it."""
        self._identity = identity(self._fd)

    def write(self, text: str) -> None:
        if identity(self._fd) != self._identity:
            raise OSError(errno.EBADF, "its descriptor has been closed, and is somebody else's")
        self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


class LogFile:
    """A file that lines are added to, in UTF-8. Opened again by its name when its descriptor has been closed.

    It has no buffer, for that would be written some time, wherever the descriptor leads by then. Raises OSError.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._identity: tuple[int, ...] | None = None
        self._open()

    def write(self, text: str) -> None:
        if not self._ours():
            self._identity = None  # the number is not ours to close
            self._open()
            _log.warning("the log %s has been opened again: somebody had closed its descriptor", self._path)
        data = text.replace("\n", os.linesep).encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._fd, data) :]

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Once."""
        if self._ours():
            os.close(self._fd)
        self._identity = None

    def _open(self) -> None:
        self._fd = os.open(self._path, _FLAGS, 0o666)
        self._identity = identity(self._fd)

    def _ours(self) -> bool:
        return self._identity is not None and identity(self._fd) == self._identity
