"""Stores the contents of requests until they are complete: in memory, or in a temporary file.

The total in memory is bounded: what exceeds it goes to the disk. So is the total there: a content that exceeds the
limit is refused before the disk is full.
"""

from __future__ import annotations

import contextlib
import io
import threading
from typing import Any, BinaryIO, Final, NoReturn, cast

from tpserver.errors import RequestRefused
from tpserver.logs.log import Log

_log = Log("tpserver")

# Contents up to this many bytes are collected in memory.
SPOOL: Final = 64 * 1024
# Larger ones are collected there up to this many bytes, while those of the whole server take no more than so much
# memory; else in a temporary file.
LARGE: Final = 4 * 1024**2
MEMORY: Final = 64 * 1024**2
# Shorter pieces of a content are joined as they come.
_PIECE: Final = 16 * 1024


class Spool:
    """The disk space for temporary files of one server: at most `limit` bytes, by default 1 GiB. Any thread."""

    def __init__(self, limit: int = 1024**3) -> None:
        self.limit = limit
        self.taken = 0
        self.in_memory = 0  # bytes of contents that are larger than SPOOL
        self._logged = False  # that the space is used up; once until there is space again
        # Guards `taken`, `in_memory` and `_logged`.
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
            no_memory = length > LARGE or self.in_memory + length > MEMORY
            if no_memory and self.taken + length > self.limit:
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

    def take_memory(self, length: int) -> bool:
        """Reserves `length` bytes of memory; False where that exceeds MEMORY."""
        with self._lock:
            if self.in_memory + length > MEMORY:
                return False
            self.in_memory += length
            return True

    def give_memory(self, length: int) -> None:
        """Releases `length` reserved bytes of memory."""
        with self._lock:
            self.in_memory -= length

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
            503,
            "The server has no space for this content now.",
            close=True,
            fields=(("Retry-After", "5"),),
            cause="no room for content",
        )


class SpooledContent(io.BufferedIOBase):
    """One content: in memory, or in an anonymous temporary file, as the constants say. Only the owner's thread calls.

    The application reads it as `wsgi.input`, a seekable binary file; only the server calls `write`.
    """

    def __init__(self, spool: Spool) -> None:
        self._pieces: list[bytes] = []  # what has come so far, if it is in memory
        self._file: io.BytesIO | io.BufferedRandom | None = None
        self._spool = spool
        self._reserved = 0  # bytes on disk
        self._in_memory = 0  # bytes reserved there
        self._written = 0

    def write(self, data: Any, /) -> int:
        """Appends bytes. Raises OSError, and `RequestRefused` (413, 503) where the spool is full."""
        self._written += len(data)
        if self._written > SPOOL:
            self._spool.check(self._written)
        if self._file is None and self._has_memory():
            if self._pieces and len(self._pieces[-1]) < _PIECE:
                self._pieces[-1] += data  # an object for each byte would take more than the content
            else:
                self._pieces.append(bytes(data))
            return len(data)
        self._spool.take(self._written - self._reserved)
        self._reserved = self._written
        if self._file is None:
            import tempfile  # not without an application

            file: Any = tempfile.TemporaryFile(prefix="tpserver-")  # noqa: SIM115 - `close` does; a wrapper on Windows
            self._file = file
            file.writelines(self._pieces)
            self._release_memory()
        return self._file.write(data)

    def _has_memory(self) -> bool:
        """Whether all that was written has its place in memory; reserves it."""
        if self._written <= SPOOL or self._written <= self._in_memory:
            return True
        # As much as a content doubles by: the lock is taken a few times, not for each piece.
        wanted = min(2 * self._written, LARGE)
        if self._written > LARGE or not self._spool.take_memory(wanted - self._in_memory):
            return False
        self._in_memory = wanted
        return True

    def _release_memory(self) -> None:
        self._pieces.clear()
        reserved, self._in_memory = self._in_memory, 0
        if reserved:
            self._spool.give_memory(reserved)

    def _readable(self) -> io.BytesIO | io.BufferedRandom:
        """The content as a file. What is in memory is joined once; to read all of it takes no copy then."""
        if self.closed:
            raise ValueError("the content is closed: its request is over")
        if self._file is None:
            self._file = io.BytesIO(b"".join(self._pieces))
            self._pieces.clear()
        return self._file

    def close(self) -> None:
        """Removes the temporary file and releases its space. May be called again."""
        reserved, self._reserved = self._reserved, 0
        if reserved:
            self._spool.give(reserved)
        self._release_memory()
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk: the rest of the buffer cannot be written
                self._file.close()
        super().close()

    def __del__(self) -> None:
        """Does nothing, unlike the base class: it may run while this thread holds the spool's lock."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes; all that remain where it is negative or None."""
        return self._readable().read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        """As `read`, but at most one read of the disk."""
        return self._readable().read1(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """One line with its line end, or `size` bytes of it."""
        return self._readable().readline(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Moves to another position, as `io.IOBase.seek`; returns it."""
        return self._readable().seek(offset, whence)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True
