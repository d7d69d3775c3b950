"""Stores the contents of requests until they are complete: in memory, above a threshold in a temporary file.

The total on disk is bounded: a content that exceeds the limit is refused before the disk is full.
"""

from __future__ import annotations

import contextlib
import io
import threading
from typing import Any, BinaryIO, Final, NoReturn, cast

from tpserver.errors import RequestRefused
from tpserver.logs.log import Log

_log = Log("tpserver")

# Contents up to this many bytes are collected in memory, larger ones in a temporary file.
SPOOL: Final = 64 * 1024


class Spool:
    """The disk space for temporary files of one server: at most `limit` bytes, by default 1 GiB. Any thread."""

    def __init__(self, limit: int = 1024**3) -> None:
        self.limit = limit
        self.taken = 0
        self._logged = False  # that the space is used up; once until there is space again
        # Guards `taken` and `_logged`.
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Before contents are stored: imports `tempfile`, and finds its folder. Later no descriptor may be left."""
        import tempfile  # not without an application

        with contextlib.suppress(OSError):
            tempfile.gettempdir()

    def new_content(self, length: int | None) -> BinaryIO:
        """Returns a file for a content of `length` bytes (None: unknown). Raises `RequestRefused` (413, 503)."""
        if length is not None:
            if length <= SPOOL:
                return io.BytesIO()
            self.check(length)
            if self.taken + length > self.limit:
                self._refuse()
        # Nothing is reserved yet: a client that announces much and sends nothing must not block the others.
        return cast(BinaryIO, SpooledContent(self))

    def check(self, length: int) -> None:
        """Raises `RequestRefused` (413) where a content of `length` bytes exceeds the limit by itself."""
        if length > self.limit:
            raise RequestRefused(413, f"The content is larger than {self.limit} bytes.", close=True)

    def take(self, length: int) -> None:
        """Reserves `length` bytes on disk. Raises `RequestRefused` (503) where that exceeds the limit."""
        with self._lock:
            if self.taken + length <= self.limit:
                self.taken += length
                self._logged = False
                return
        self._refuse()

    def give(self, length: int) -> None:
        """Releases `length` reserved bytes."""
        with self._lock:
            self.taken -= length

    def _refuse(self) -> NoReturn:
        logged, self._logged = self._logged, True
        if not logged:
            _log.error(
                "request contents occupy %d of %d bytes on disk: further ones are refused with 503; "
                "--max-spool raises the limit",
                self.taken,
                self.limit,
            )
        raise RequestRefused(
            503, "The server has no space for this content now.", close=True, fields=(("Retry-After", "5"),)
        )


class SpooledContent(io.BufferedIOBase):
    """One content: in memory up to SPOOL bytes, then in an anonymous temporary file. Only the owner's thread calls.

    The application reads it as `wsgi.input`, a seekable binary file; only the server calls `write`.
    """

    def __init__(self, spool: Spool) -> None:
        self._file: io.BytesIO | io.BufferedRandom = io.BytesIO()
        self._spool = spool
        self._reserved = 0
        self._written = 0

    def write(self, data: Any, /) -> int:
        """Appends bytes. Raises OSError, and `RequestRefused` (413, 503) where the spool is full."""
        self._written += len(data)
        if self._written > SPOOL:
            self._spool.check(self._written)
            self._spool.take(self._written - self._reserved)
            self._reserved = self._written
            if isinstance(self._file, io.BytesIO):
                import tempfile  # not without an application

                file: Any = tempfile.TemporaryFile(prefix="tpserver-")  # noqa: SIM115 - `close` does; a wrapper on Windows
                file.write(self._file.getvalue())
                self._file = file
        return self._file.write(data)

    def close(self) -> None:
        """Removes the temporary file and releases its space. May be called again."""
        reserved, self._reserved = self._reserved, 0
        if reserved:
            self._spool.give(reserved)
        with contextlib.suppress(OSError):  # a full disk: the rest of the buffer cannot be written
            self._file.close()
        super().close()

    def __del__(self) -> None:
        """Does nothing, unlike the base class: it may run while this thread holds the spool's lock."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes; all that remain where it is negative or None."""
        return self._file.read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        """As `read`, but at most one read of the disk."""
        return self._file.read1(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """One line with its line end, or `size` bytes of it."""
        return self._file.readline(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Moves to another position, as `io.IOBase.seek`; returns it."""
        return self._file.seek(offset, whence)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True
