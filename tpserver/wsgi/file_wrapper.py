"""`wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling")."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from typing import Any, Final

# The largest page of memory there is, in bytes.
_PAGE: Final = 64 * 1024


class FileWrapper:
    """An iterable over a file's blocks of `block_size` bytes; a real file is sent by the kernel instead."""

    def __init__(self, filelike: Any, block_size: int = 8192) -> None:
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.block_size)
        if data:
            return data
        raise StopIteration

    def real_file(self) -> tuple[int, int, int] | None:
        """(descriptor, offset, length) of what is left of a regular file, or None where reading it is not just that.

        A GzipFile has a descriptor too, of other bytes than it reads, and a class derived from a file may read
        others as well, so only what `open` makes is taken. Nor does every file tell its size: one in /proc says 0,
        one in /sys a page. So what is empty is read, and what is small and has no blocks.
        """
        file = self.filelike
        if isinstance(file, tempfile._TemporaryFileWrapper):
            file = file.file
        raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
        if type(raw) is not io.FileIO:
            return None
        try:
            descriptor = raw.fileno()
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            if isinstance(file, io.BufferedRandom):
                file.flush()
                status = os.fstat(descriptor)
            offset: int = file.tell()
        except (OSError, ValueError):  # closed, or it cannot tell
            return None
        if status.st_size <= offset or (status.st_size <= _PAGE and not getattr(status, "st_blocks", 1)):
            return None
        return descriptor, offset, status.st_size - offset
