"""A content that is read while it arrives: `wsgi.input` for `--stream-body`."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


class ArrivingContent(io.BufferedIOBase):
    """A binary file that receives on demand and cannot seek. Only the thread that runs the request uses it.

    `feed` takes bytes of the body, writes their content here, and returns whether the body is complete; it may raise
    `RequestRefused`. `fetch` waits for the next bytes and returns them; it is set before the first read, and raises
    `RequestRefused`, or OSError where no more bytes will come.
    """

    def __init__(self, feed: Callable[[bytes], bool]) -> None:
        self._feed = feed
        self._buffer = bytearray()
        self._searched = 0  # bytes at the beginning of the buffer that contain no line end
        self._closed = False
        self.complete = False  # all of the content has arrived
        self.started = False  # some of the content has arrived
        self.fetch: Callable[[], bytes] = _no_request

    def write(self, data: Any, /) -> int:
        """Appends decoded bytes. Only `feed` calls it. Raises OSError when closed."""
        self.started = True
        if self._closed:
            raise OSError("the request has been answered without its content")
        before = len(self._buffer)
        self._buffer += data
        return len(self._buffer) - before

    def close(self) -> None:
        """Drops the bytes that were not read."""
        self._closed = True
        self._buffer.clear()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """`size` bytes, fewer only at the end; all that remain where `size` is negative or None. Waits for them.

        All methods that read raise ValueError when the content was closed: by the application, or because its request
        has been answered.
        """
        self._check()
        everything = size is None or size < 0
        while not self.complete and (everything or len(self._buffer) < (size or 0)):
            self._more()
        return self._take(len(self._buffer) if size is None or size < 0 else size)

    def read1(self, size: int = -1, /) -> bytes:
        """The bytes that have arrived, `size` at most; waits only where there are none."""
        self._check()
        while size and not self._buffer and not self.complete:
            self._more()
        return self._take(len(self._buffer) if size < 0 else size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """The bytes up to the next line end, `size` at most. Waits for them."""
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


def _no_request() -> bytes:
    raise OSError("the content cannot be read outside its request")
