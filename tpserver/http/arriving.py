"""A content that is read while it arrives: the `wsgi.input` of uploads that must not touch the disk."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


class ArrivingContent(io.BufferedIOBase):
    """Reads on demand. The thread that runs the request is the only one that uses it.

    A binary file that cannot be sought in.

    `feed` takes bytes of the body, writes their content here, and says whether that was the last of them; it
    may raise `RequestRefused`. `fetch` gives the next bytes and waits for them; it is set before the first
    read, and raises OSError when none will come, or `RequestRefused`.
    """

    def __init__(self, feed: Callable[[bytes], bool]) -> None:
        self._feed = feed
        self._buffer = bytearray()
        self._searched = 0  # so many bytes of the buffer hold no line end
        self._closed = False
        self.complete = False  # all of it has arrived
        self.started = False  # some of it has come
        self.fetch: Callable[[], bytes] = _nobody

    def write(self, data: Any, /) -> int:
        """For `feed` alone: bytes that have been decoded."""
        self.started = True
        if self._closed:
            raise OSError("the request has been answered without its content")
        self._buffer += data
        return len(data)

    def close(self) -> None:
        """Drops what has not been read."""
        self._closed = True
        self._buffer.clear()

    @property
    def closed(self) -> bool:
        return self._closed

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """`size` bytes, fewer at the end only; all that is left where `size` is negative or None.

        This and the other ways to read raise ValueError when the content has been closed: by the application, or
        because its request has been answered.
        """
        self._check()
        everything = size is None or size < 0
        while not self.complete and (everything or len(self._buffer) < (size or 0)):
            self._more()
        return self._take(len(self._buffer) if size is None or size < 0 else size)

    def read1(self, size: int = -1, /) -> bytes:
        """What has come, up to `size` bytes; waits only where there is nothing."""
        self._check()
        while size and not self._buffer and not self.complete:
            self._more()
        return self._take(len(self._buffer) if size < 0 else size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Up to the next line end, or `size` bytes."""
        self._check()
        limit = None if size is None or size < 0 else size
        while True:
            end = self._buffer.find(b"\n", self._searched, limit)
            if end >= 0:
                return self._take(end + 1)
            if self.complete or (limit is not None and len(self._buffer) >= limit):
                return self._take(len(self._buffer) if limit is None else limit)
            self._searched = len(self._buffer)
            self._more()

    def _check(self) -> None:
        if self._closed:
            raise ValueError("the content has been closed")

    def _more(self) -> None:
        self.complete = self._feed(self.fetch())

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._searched = 0
        return data


def _nobody() -> bytes:
    raise OSError("the content cannot be read outside its request")
