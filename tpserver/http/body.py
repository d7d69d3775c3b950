"""Decoders of message bodies: by length and in chunks (RFC 9112 sections 6.2 and 7.1).

A decoder is fed the bytes as they arrive, divided at any places, and writes the content to `content`. It returns how
many bytes it took and whether the body is complete. The work is linear in the bytes, also for one-byte chunks.
"""

from __future__ import annotations

from typing import Final, Protocol

from tpserver.errors import RequestRefused
from tpserver.http.fields import BARE_LF_DETAIL, parse_field_line
from tpserver.http.grammar import CHUNK_LINE, CRLF, SHORT_CHUNK_LINE
from tpserver.http.section import Limits

MAX_CHUNK_LINE: Final = 4096

# RFC 9110 section 6.5.1: a trailer must not say anything about framing or routing.
_FORBIDDEN_TRAILERS: Final = frozenset({"CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_HOST"})


class Content(Protocol):
    """The binary file that the decoded content is written to."""

    def write(self, data: bytes, /) -> int | None:
        """Appends `data`."""
        ...


class LengthBody:
    """A body of `length` bytes. `remaining`: the bytes that have not been fed yet."""

    __slots__ = ("_content", "remaining")

    def __init__(self, content: Content, length: int) -> None:
        self._content = content
        self.remaining = length

    def feed(self, data: bytes) -> int | None:
        """Writes the content in `data`. Returns None where more is needed; a number: complete after so many bytes."""
        piece = data[: self.remaining]
        self._content.write(piece)
        self.remaining -= len(piece)
        return None if self.remaining else len(piece)


class ChunkedBody:
    """A body in chunks. `length` is the length of the content so far, in bytes. Trailers are checked and dropped."""

    __slots__ = (
        "_buffer", "_content", "_excess", "_limits", "_remaining", "_room", "_step", "_trailer_count", "length",
    )  # fmt: skip

    def __init__(self, content: Content, limits: Limits) -> None:
        self._content = content
        self._limits = limits
        self._buffer = bytearray()  # a line that has not ended yet
        self._step = self._chunk_line
        self._room = MAX_CHUNK_LINE  # the longest line that the step takes, in bytes
        self._remaining = 0  # of the current chunk's data
        self._excess = 0  # bytes of chunk lines beyond those of content
        self._trailer_count = 0
        self.length = 0

    def feed(self, data: bytes) -> int | None:
        """As `LengthBody.feed`. Raises `RequestRefused`."""
        before = len(self._buffer)
        if before:
            self._buffer += data
            if len(self._buffer) <= self._room and b"\n" not in data:
                return None  # a line that arrives byte by byte is not searched again each time
            data = bytes(self._buffer)
        at = 0
        while True:
            after = self._step(data, at)
            if after is None:  # the empty line that ends the trailer section
                return at + len(CRLF) - before
            if after < 0:
                self._buffer = bytearray(data[at:])
                return None
            at = after

    # Each step gets the bytes and a position in them. It returns the position after what it took, -1 where it needs
    # more bytes (it has taken none then), or None where the body is complete.

    def _chunk_line(self, data: bytes, at: int) -> int | None:
        whole = self._whole_chunks(data, at)
        if whole > at:
            return whole
        end = self._line_end(data, at, 400, "A chunk's first line is malformed.")
        if end < 0:
            return -1
        match = CHUNK_LINE.fullmatch(data, at, end)
        if match is None:
            raise RequestRefused(400, "A chunk's first line is malformed.", close=True)
        self._remaining = int(match[1], 16)
        self._excess = max(0, self._excess + end - at - self._remaining)
        if self._excess > self._limits.max_head:
            # RFC 9112 section 7.1.1: extensions are ignored, so a client could otherwise send them without end.
            raise RequestRefused(400, "The lines of the chunks are larger than their content.", close=True)
        if self._remaining > self._limits.max_body - self.length:
            raise RequestRefused(413, f"The content is larger than {self._limits.max_body} bytes.", close=True)
        if self._remaining:
            self._step = self._chunk_data
        else:
            self._step, self._room = self._trailer_line, self._limits.max_head
        return end + len(CRLF)

    def _whole_chunks(self, data: bytes, at: int) -> int:
        """Takes the chunks at `at` that have come whole, in one loop; the position after them.

        A chunk may have one byte: then its three steps would take longer than to receive it.
        """
        pieces = []
        room = self._limits.max_body - self.length
        while match := SHORT_CHUNK_LINE.match(data, at):
            start = match.end()
            end = start + int(match[1], 16)
            if data[end : end + 2] != CRLF or end - start > room:
                break
            pieces.append(data[start:end])
            room -= end - start
            at = end + len(CRLF)
        if pieces:
            self._content.write(b"".join(pieces))
            self.length = self._limits.max_body - room
        return at

    def _chunk_data(self, data: bytes, at: int) -> int | None:
        piece = data[at : at + self._remaining]
        if not piece:
            return -1
        self._content.write(piece)
        self.length += len(piece)
        self._remaining -= len(piece)
        if not self._remaining:
            self._step, self._room = self._chunk_end, 0
        return at + len(piece)

    def _chunk_end(self, data: bytes, at: int) -> int | None:
        end = self._line_end(data, at, 400, "A chunk is longer than its size says.")
        if end < 0:
            return -1
        self._step, self._room = self._chunk_line, MAX_CHUNK_LINE
        return end + len(CRLF)

    def _trailer_line(self, data: bytes, at: int) -> int | None:
        end = self._line_end(data, at, 431, f"The trailer section is larger than {self._limits.max_head} bytes.")
        if end < 0:
            return -1
        if end == at:
            return None
        self._trailer_count += 1
        if self._trailer_count > self._limits.max_fields:
            raise RequestRefused(431, f"There are more than {self._limits.max_fields} trailers.", close=True)
        self._room -= end - at
        if parse_field_line(data[at:end])[0] in _FORBIDDEN_TRAILERS:
            raise RequestRefused(400, "A trailer must not change the framing or routing of the message.", close=True)
        return end + len(CRLF)

    def _line_end(self, data: bytes, at: int, status: int, detail: str) -> int:
        """Where the line at `at` ends, -1 where its end has not come. `status` and `detail` refuse a longer one."""
        stop = at + self._room + len(CRLF)
        end = data.find(CRLF, at, stop)
        if end < 0:
            if data.find(b"\n", at, stop) >= 0:
                raise RequestRefused(400, BARE_LF_DETAIL, close=True)
            if len(data) - at - data.endswith(b"\r") > self._room:
                raise RequestRefused(status, detail, close=True)
        return end
