"""`wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling")."""

from __future__ import annotations

import io
import os
import stat
import sys
from typing import IO, Any, Final

# The largest memory page of the supported systems, in bytes.
_PAGE: Final = 64 * 1024
# What `open` returns for a binary file.
_OPENED: Final = (io.BufferedReader, io.BufferedRandom, io.FileIO)
# What a range of a file needs.
_POSITION: Final = frozenset({"seek", "tell", "seekable"})


class FileWrapper:
    """An iterable over a file's blocks of `block_size` bytes; a real file is sent by the kernel instead.

    PEP 3333 asks of a file the method `read`, and perhaps `close`. Frameworks that answer a range use `seek`, `tell`
    and `seekable` of the wrapper, if it has them; it has those of its file.
    """

    def __init__(self, filelike: IO[bytes], block_size: int = 8192) -> None:
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __getattr__(self, name: str) -> Any:
        """`seek`, `tell` and `seekable` of the file."""
        if name in _POSITION:
            return getattr(self.filelike, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        if data := self.filelike.read(self.block_size):
            return data
        raise StopIteration

    def real_file(self) -> tuple[int, int, int] | None:
        """(descriptor, offset, length) of the rest of a regular file; None where the descriptor is no substitute.

        A GzipFile has a descriptor too, of other bytes than it reads, and a class derived from a file may do the
        same, so only the classes that `open` returns qualify. Nor does every file tell its size: one in /proc says 0,
        one in /sys a page. So an empty file is read, and so is a small one without blocks.
        """
        file: object = self.filelike
        tempfile = sys.modules.get("tempfile")  # else the file is none of its
        if tempfile is not None and isinstance(file, tempfile._TemporaryFileWrapper):
            file = file.file
        raw = file.raw if isinstance(file, (io.BufferedReader, io.BufferedRandom)) else file
        if type(file) not in _OPENED or type(raw) is not io.FileIO:
            return None
        assert isinstance(file, (io.BufferedReader, io.BufferedRandom, io.FileIO))
        try:
            descriptor = raw.fileno()
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            if isinstance(file, io.BufferedRandom):
                file.flush()
                status = os.fstat(descriptor)
            offset = file.tell()
        except (OSError, ValueError):  # closed, or it cannot tell
            return None
        if status.st_size <= offset or (status.st_size <= _PAGE and not getattr(status, "st_blocks", 1)):
            return None
        return descriptor, offset, status.st_size - offset
