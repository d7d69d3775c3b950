"""Stores the contents of requests until they are complete: in memory, or in a temporary file.

The total in memory is bounded: what exceeds it goes to the disk. So is the total there: a content that exceeds the
limit is refused before the disk is full.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, BinaryIO, Final, NoReturn, TypedDict, cast

from tpserver.errors import RequestRefused
from tpserver.logs.log import Log
from tpserver.system.temporary_folder import temporary_folder

_log = Log("tpserver")

# Contents up to this many bytes are collected in memory.
SPOOL: Final = 64 * 1024
# Larger ones are collected there up to this many bytes, while those of the whole server take no more than so much
# memory; else in a temporary file.
LARGE: Final = 4 * 1024**2
MEMORY: Final = 64 * 1024**2
# Shorter pieces of a content are joined as they come.
_PIECE: Final = 16 * 1024


class SpoolStats(TypedDict):
    """Bytes of contents on disk, and how many there may be."""

    limit: int
    bytes: int


class Spool:
    """The disk space for temporary files of one server: at most `limit` bytes, by default 1 GiB. Any thread.

    The contents of one client address take at most half of it, and half of MEMORY: stalled uploads of one client do not
    take the space from all others. A content that is the only one on disk may take more, and is given up, unless it is
    complete, where others need the space.
    """

    def __init__(self, limit: int = 1024**3) -> None:
        self.limit = limit
        self.hangs: Callable[[], object] = bool  # whether the disk does not answer
        self.note_answer: Callable[[], object] = bool  # is told that it has
        self.folder: str | None = None  # of contents on disk; None: as `tempfile` finds it
        self.taken = 0
        self.in_memory = 0  # bytes of contents that are larger than SPOOL
        # Guards all that follows, `taken`, `in_memory`, and what contents have reserved.
        self._lock = threading.Lock()
        self._logged = False  # that the space is used up; once until there is space again
        self._taken_by: Counter[str] = Counter()  # bytes on disk, by address; none of 0
        self._in_memory_of: Counter[str] = Counter()
        self._beyond: SpooledContent | None = None  # takes more than its address's share; not complete

    def prepare(self) -> None:
        """Before contents are stored: finds their folder. It stays the same, also where its disk is full later."""
        if self.folder is None:
            with contextlib.suppress(OSError):
                self.folder = temporary_folder()

    def new_content(self, length: int | None, address: str = "") -> BinaryIO:
        """Returns a file for a content of `length` bytes (None: unknown) from `address` ("": it has no share).

        Raises `RequestRefused` (413, 503).
        """
        if length is not None and length <= SPOOL:
            return io.BytesIO()
        content = SpooledContent(self, address)
        if length is not None:
            self.check(length)
            no_memory = length > LARGE or not self._has_memory(address, length)
            if no_memory and not (self._has_space(content, length) or self._takes_others_space(content)):
                self._refuse(address)
        # Nothing is reserved yet: a client that announces much and sends nothing must not block the others.
        return cast(BinaryIO, content)

    def stats(self) -> SpoolStats:
        """Any thread: the statistics of this moment."""
        return SpoolStats(limit=self.limit, bytes=self.taken)

    def check(self, length: int) -> None:
        """Raises `RequestRefused` (413) where a content of `length` bytes exceeds the limit by itself."""
        if length > self.limit:
            raise RequestRefused(413, f"The content is larger than {self.limit} bytes.", close=True)

    def take(self, content: SpooledContent, length: int) -> None:
        """Reserves `length` more bytes on disk. Raises `RequestRefused` (503) where that exceeds the limit."""
        given_up: SpooledContent | None = None
        with self._lock:
            has_space = self._has_space(content, length)
            if not has_space and self._takes_others_space(content):
                given_up = self._beyond
                assert given_up is not None
                given_up.given_up = True
                self._release(given_up)
                has_space = self._has_space(content, length)
            if has_space:
                self.taken += length
                self._taken_by[content.address] += length
                content.reserved += length
                if self._exceeds_share(content, 0):
                    self._beyond = content
                self._logged = False
        if given_up is not None:
            given_up.truncate_file()
        if not has_space:
            self._refuse(content.address)

    def refuse_hung(self) -> NoReturn:
        """Raises `RequestRefused` (503)."""
        raise RequestRefused(
            503,
            "The disk for contents does not answer now.",
            close=True,
            fields=(("Retry-After", "5"),),
            cause="disk hangs",
        )

    def complete(self, content: SpooledContent) -> None:
        """All of the content has come: it is not given up any more. Raises `RequestRefused` (503) where it was."""
        with self._lock:
            if self._beyond is content:
                self._beyond = None
            given_up = content.given_up
        if given_up:
            self._refuse(content.address)

    def take_memory(self, content: SpooledContent, length: int) -> bool:
        """Reserves `length` more bytes of memory; False where there is no room."""
        with self._lock:
            if not self._has_memory(content.address, length):
                return False
            self.in_memory += length
            self._in_memory_of[content.address] += length
            content.in_memory += length
            return True

    def release_memory(self, content: SpooledContent) -> None:
        """Releases the memory that a content has reserved."""
        with self._lock:
            self.in_memory -= content.in_memory
            _subtract(self._in_memory_of, content.address, content.in_memory)
            content.in_memory = 0

    def release(self, content: SpooledContent) -> None:
        """Releases the disk space that a content has reserved."""
        with self._lock:
            self._release(content)

    # -- under the lock, or where a moment's answer will do

    def _release(self, content: SpooledContent) -> None:
        self.taken -= content.reserved
        _subtract(self._taken_by, content.address, content.reserved)
        content.reserved = 0
        if self._beyond is content:
            self._beyond = None

    def _has_memory(self, address: str, length: int) -> bool:
        share = MEMORY // 2 if address else MEMORY
        return self.in_memory + length <= MEMORY and self._in_memory_of[address] + length <= share

    def _has_space(self, content: SpooledContent, length: int) -> bool:
        if content.given_up or self.taken + length > self.limit:
            return False
        is_alone = self.taken == content.reserved
        return is_alone or content is self._beyond or not self._exceeds_share(content, length)

    def _exceeds_share(self, content: SpooledContent, length: int) -> bool:
        return bool(content.address) and self._taken_by[content.address] + length > self.limit // 2

    def _takes_others_space(self, content: SpooledContent) -> bool:
        """Whether a content is to be given up for this one."""
        beyond = self._beyond
        return beyond is not None and beyond.address != content.address and not content.given_up

    def _refuse(self, address: str) -> NoReturn:
        logged, self._logged = self._logged, True
        if not logged:
            _log.error(
                "request contents occupy %d of %d bytes on disk, those of %s %d (one address has at most half): "
                "further ones are refused with 503; --max-spool raises the limit",
                self.taken,
                self.limit,
                address or "all clients",
                self._taken_by[address],
            )
        raise RequestRefused(
            503,
            "The server has no space for this content now.",
            close=True,
            fields=(("Retry-After", "5"),),
            cause="no room for content",
        )


def _subtract(counts: Counter[str], address: str, length: int) -> None:
    """Drops what comes to 0: there may be any number of addresses."""
    counts[address] -= length
    if not counts[address]:
        del counts[address]


def _temporary_file(folder: str | None) -> Any:
    """An open file that vanishes when it is closed. Raises OSError."""
    try:
        import tempfile  # a megabyte of modules that most servers never need
    except ImportError as error:  # no descriptor is left for one of them
        raise OSError(f"tempfile cannot be imported: {error}") from error
    return tempfile.TemporaryFile(prefix="tpserver-", dir=folder)


class SpooledContent(io.BufferedIOBase):
    """One content: in memory, or in an anonymous temporary file, as the constants say. Only the owner's thread calls.

    The application reads it as `wsgi.input`, a seekable binary file; only the server calls `write`.
    """

    def __init__(self, spool: Spool, address: str) -> None:
        self.address = address
        self.reserved = 0  # bytes on disk; this and the next two are the spool's
        self.in_memory = 0  # bytes reserved there
        self.given_up = False  # it has lost its space to others before it was complete
        self._pieces: list[bytes] = []  # what has come so far, if it is in memory
        self._file: io.BytesIO | io.BufferedRandom | None = None
        self._spool = spool
        self._written = 0
        self._complete = False
        self._closing = threading.Lock()  # guards the end of `_file`: its descriptor is not cut when it is another's

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
        self._spool.take(self, self._written - self.reserved)
        if self._spool.hangs():
            self._spool.refuse_hung()
        if self._file is None:
            file = self._file = _temporary_file(self._spool.folder)
            file.writelines(self._pieces)
            self._release_memory()
        length = self._file.write(data)
        self._spool.note_answer()
        return length

    def _has_memory(self) -> bool:
        """Whether all that was written has its place in memory; reserves it."""
        if self._written <= SPOOL or self._written <= self.in_memory:
            return True
        # As much as a content doubles by: the lock is taken a few times, not for each piece.
        wanted = min(2 * self._written, LARGE)
        return self._written <= LARGE and self._spool.take_memory(self, wanted - self.in_memory)

    def _release_memory(self) -> None:
        self._pieces.clear()
        if self.in_memory:
            self._spool.release_memory(self)

    def truncate_file(self) -> None:
        """Any thread: the space on disk is needed for others. What is written later is refused."""
        file = self._file
        if file is not None and not isinstance(file, io.BytesIO):
            with self._closing, contextlib.suppress(OSError, ValueError):  # it has just been closed
                os.ftruncate(file.fileno(), 0)

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
        if self.reserved:
            self._spool.release(self)
        self._release_memory()
        if self._file is not None:
            with self._closing, contextlib.suppress(OSError):  # a full disk: the rest of the buffer cannot be written
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
        """Moves to another position, as `io.IOBase.seek`; returns it. The server does so when all has come."""
        if not self._complete:
            self._spool.complete(self)
            self._complete = True
        return self._readable().seek(offset, whence)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True
