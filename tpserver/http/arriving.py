"""A content that is read while it arrives: for `--stream-body`."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from tpserver.errors import RequestRefused


class ArrivingContent(io.RawIOBase):
    """A raw binary file that receives on demand and cannot seek; `io.BufferedReader` makes `wsgi.input` of it.

    `feed` takes bytes of the body, writes their content here, and returns whether the body is complete; it may raise
    `RequestRefused`. `fetch` waits for the next bytes and returns them; it is set before the first read, and raises
    `RequestRefused`, or OSError where no more bytes will come. What was refused once is refused at each further read.
    Only the thread that runs the request uses it.
    """

    fetch: Callable[[], bytes]

    def __init__(self, feed: Callable[[bytes], bool]) -> None:
        self._feed = feed
        self._arrived = bytearray()  # content that has not been read
        self.complete = False  # all of the content has arrived
        self.started = False  # some of the content has arrived
        self.refusal: RequestRefused | None = None  # why the content is not read on

    def write(self, data: Any, /) -> int:
        """Appends decoded bytes. Only `feed` calls it."""
        self.started = True
        self._arrived += data
        return len(data)

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, target: Any, /) -> int:
        """Reads what has arrived into `target`, as far as it fits. Waits only where there is nothing; 0 at the end."""
        if self.refusal is not None:
            raise self.refusal
        try:
            while not self._arrived and not self.complete:
                self.complete = self._feed(self.fetch())
        except RequestRefused as refusal:
            self.refusal = refusal
            raise
        part = self._arrived[: len(target)]
        target[: len(part)] = part
        del self._arrived[: len(part)]
        return len(part)
