"""The streams that logs are written to. Each checks before a write that its descriptor is still the same file.

If the application closes the descriptor, its number goes to the next file that is opened, usually a client's socket,
which would receive the log.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import IO, Final

from tpserver.logs.log import Log
from tpserver.system.descriptors import identity

if sys.platform == "win32":
    from tpserver.system.windows_files import open_to_append

_log = Log("tpserver")

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND


# Bytes that a pipe takes at once, or not at all, so that lines of several processes stay whole (PIPE_BUF of Linux).
_ATOMIC: Final = 4096


class LogStream:
    """A stream of the process, such as stdout. Raises OSError where its descriptor has become another file."""

    shared = False  # other processes write lines to the same stream

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        try:
            self._fd = stream.fileno()
        except (OSError, ValueError, AttributeError):  # no descriptor
            self._fd = -1
        self._identity = identity(self._fd)

    def renew(self) -> None:
        """Accepts the file that the descriptor is now: the owner of the process may have redirected it."""
        self._identity = identity(self._fd)

    def write(self, text: str) -> None:
        """Writes `text` and flushes. Raises OSError (EBADF) where the descriptor has become another file."""
        if identity(self._fd) != self._identity:
            raise OSError(errno.EBADF, "its descriptor was closed and now belongs to another file")
        for piece in pieces(text) if self.shared else (text,):
            self.stream.write(piece)
            self.stream.flush()


def pieces(text: str, most: int = _ATOMIC) -> Iterator[str]:
    """Lines, as many at once as have up to `most` bytes; a longer line comes alone."""
    piece, size = "", 0
    for line in text.splitlines(keepends=True):
        length = len(line.encode("utf-8", "backslashreplace"))
        if piece and size + length > most:
            yield piece
            piece, size = "", 0
        piece += line
        size += length
    if piece:
        yield piece


def say(stdout: LogStream | None, text: str) -> None:
    """A line for who has started the process; None: it has no stdout."""
    if stdout is None:
        return
    try:
        stdout.write(text + "\n")
    except (OSError, ValueError):  # its reader has gone, or it was closed; the interpreter must not try again
        if sys.stdout is stdout.stream:
            sys.stdout = None


class LogFile:
    """A file that lines are appended to, in UTF-8. It is reopened by name when its descriptor was closed.

    It has no buffer: a later flush would write to whatever file the descriptor is by then. Raises OSError. One thread
    at a time.
    """

    def __init__(self, path: str, shown: str = "") -> None:
        """`shown` names it in the log where `path` is not what the user has written."""
        self._path = path
        self._shown = shown or path
        self._open()

    def _open(self) -> None:
        if sys.platform == "win32":
            self._fd = open_to_append(self._path)  # so that it can be renamed meanwhile
        else:
            self._fd = os.open(self._path, _FLAGS, 0o666)
        self._identity = identity(self._fd)

    def write(self, text: str) -> None:
        """Appends `text`, with the line ends of the system."""
        if identity(self._fd) != self._identity:  # the number belongs to another file: it must not be closed here
            self._open()
            _log.warning("the log %s was reopened: the application closed its descriptor", self._shown)
        data = text.replace("\n", os.linesep).encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._fd, data) :]

    def reopen(self) -> None:
        """Opens what has the name now, after the file was renamed. Where that fails the old file stays, and is logged.

        Never raises. Does nothing once it is closed.
        """
        old, old_identity = self._fd, self._identity
        if old < 0:
            return
        try:
            self._open()
        except OSError as error:
            _log.error("cannot re-open the log %s: %s; the file that was open goes on", self._shown, error.strerror)
            return
        if identity(old) == old_identity:
            with contextlib.suppress(OSError):  # what a full network disk could not take
                os.close(old)
        _log.info("the log %s was re-opened", self._shown)

    def close(self) -> None:
        """Closes the descriptor, unless it has become another file. Called once."""
        if identity(self._fd) == self._identity:
            os.close(self._fd)
        self._fd = -1
