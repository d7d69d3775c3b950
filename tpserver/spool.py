"""Where the contents of requests are kept until they are complete: in memory, and beyond a threshold on disk.

What all of them together take on disk is bounded, and what is refused for want of room is refused
before the disk is full.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import threading
from typing import Any, BinaryIO, Final, NoReturn

from tpserver.errors import RequestRefused
from tpserver.logs.log import Log

_log = Log("tpserver")

# Contents up to so many bytes are collected in memory, larger ones in a temporary file.
SPOOL: Final = 64 * 1024


class Spool:
    """The room for temporary files of one server: `limit` bytes. Any thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        with contextlib.suppress(OSError):
            tempfile.gettempdir()  # looks for a folder once: not only when there may be no descriptor left
        self.taken = 0
        self._complained = False
        # Guards `taken`.
        self._lock = threading.Lock()

    def new_content(self, length: int | None) -> BinaryIO:
        """A file for a content of `length` bytes (None: not known yet). Raises `RequestRefused` (413, 503)."""
        if length is not None:
            if length <= SPOOL:
                return io.BytesIO()
            self.check(length)
            if self.taken + length > self.limit:
                self._refuse()
        # Nothing is reserved yet: a client that says much and sends nothing shall not take the room of others.
        content: Any = SpooledContent(self)  # a binary file by its methods
        return content  # type: ignore[no-any-return]

    def check(self, length: int) -> None:
        """Raises `RequestRefused` (413) for a content of so many bytes for which there never is room."""
        if length > self.limit:
            raise RequestRefused(413, f"The server takes {self.limit} bytes at most.", close=True)

    def take(self, length: int) -> None:
        """Reserves `length` bytes on disk. Raises `RequestRefused` where there is no room for them."""
        with self._lock:
            enough = self.taken + length <= self.limit
            if enough:
                self.taken += length
                self._complained = False
        if not enough:
            self._refuse()

    def give(self, length: int) -> None:
        """Gives `length` reserved bytes back."""
        with self._lock:
            self.taken -= length

    def _refuse(self) -> NoReturn:
        complained, self._complained = self._complained, True
        if not complained:  # once until there is room again
            _log.error(
                "the contents of requests take %d bytes on disk, and may take %d: larger ones are refused with 503; "
                "--max-spool allows more",
                self.taken,
                self.limit,
            )
        raise RequestRefused(
            503, "The server has no room for this content now.", close=True, fields=(("Retry-After", "5"),)
        )


class SpooledContent(io.BufferedIOBase):
    """One content: in memory up to SPOOL bytes, then in an anonymous temporary file. Its owner's thread only.

    As `wsgi.input` it is a binary file to read and to seek in; `write` is for the server alone.
    """

    def __init__(self, spool: Spool) -> None:
        self._file: Any = io.BytesIO()
        self._spool = spool
        self._reserved = 0
        self._written = 0
        self.on_disk = False

    def write(self, data: Any, /) -> int:
        """Bytes. Raises OSError, and `RequestRefused` (413, 503)."""
        self._written += len(data)
        if self._written > SPOOL:
            self._spool.check(self._written)
            more = self._written - self._reserved
            self._spool.take(more)
            self._reserved += more
            if not self.on_disk:
                self._move()
        written: int = self._file.write(data)
        return written

    def _move(self) -> None:
        """From memory to disk. Raises OSError."""
        file = tempfile.TemporaryFile(prefix="tpserver-")  # noqa: SIM115 - closed by `close`
        file.write(self._file.getvalue())
        self._file = file
        self.on_disk = True

    def close(self) -> None:
        """Removes the file, and gives its room back."""
        reserved, self._reserved = self._reserved, 0
        if reserved:
            self._spool.give(reserved)
        with contextlib.suppress(OSError):  # what was not written yet finds no room
            self._file.close()

    def __del__(self) -> None:
        """Nothing, unlike that of other files: it may come while this thread holds the lock of the spool."""

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)

    def read(self, size: int | None = -1, /) -> bytes:
        data: bytes = self._file.read(-1 if size is None else size)
        return data

    def read1(self, size: int = -1, /) -> bytes:
        data: bytes = self._file.read1(size)
        return data

    def readline(self, size: int | None = -1, /) -> bytes:
        line: bytes = self._file.readline(-1 if size is None else size)
        return line

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        lines: list[bytes] = self._file.readlines(hint)
        return lines

    def readinto(self, buffer: Any, /) -> int:
        count: int = self._file.readinto(buffer)
        return count

    def seek(self, offset: int, whence: int = 0, /) -> int:
        at: int = self._file.seek(offset, whence)
        return at

    def tell(self) -> int:
        at: int = self._file.tell()
        return at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
