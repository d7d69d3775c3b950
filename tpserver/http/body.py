"""Message bodies: by length and in chunks (RFC 9112 sections 6.2 and 7.1).

A decoder is fed what has arrived, in any cuts, and writes the content to `content`; it says how
much of the bytes it took and whether the body is complete. The work is linear in the bytes, also
for a body of one-byte chunks.
"""

from __future__ import annotations

from typing import Final, Protocol

from tpserver.errors import RequestRefused
from tpserver.http.fields import FieldMemory, parse_field_line
from tpserver.http.grammar import CHUNK_LINE, CRLF
from tpserver.http.head import Limits

MAX_CHUNK_LINE: Final = 4096

# RFC 9110 section 6.5.1: a trailer must not say anything about framing or routing.
_FORBIDDEN_TRAILERS: Final = frozenset({"CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_HOST"})


class Content(Protocol):
    """Where the decoded content goes: a binary file."""

    def write(self, data: bytes, /) -> int: ...


class LengthBody:
    """A body of a known number of bytes."""

    __slots__ = ("_content", "remaining")

    def __init__(self, content: Content, length: int) -> None:
        self._content = content
        self.remaining = length

    def feed(self, data: bytes | bytearray) -> int | None:
        """None: all of `data` was taken and more is needed. A number: complete, that many bytes were taken."""
        if len(data) < self.remaining:
            self._content.write(bytes(data))
            self.remaining -= len(data)
            return None
        taken, self.remaining = self.remaining, 0
        self._content.write(bytes(data[:taken]) if taken < len(data) else bytes(data))
        return taken


class ChunkedBody:
    """A body in chunks. `length` is the content's length so far, in bytes. Trailers are checked and dropped."""

    __slots__ = (
        "_buffer", "_content", "_extension_size", "_limits", "_remaining", "_step", "_trailer_count", "_trailer_size",
        "length",
    )  # fmt: skip

    def __init__(self, content: Content, limits: Limits) -> None:
        self._content = content
        self._limits = limits
        self._buffer = bytearray()  # a line that has not ended yet
        self._step = self._chunk_line
        self._remaining = 0  # of the current chunk's data
        self._extension_size = 0
        self._trailer_count = 0
        self._trailer_size = 0
        self.length = 0

    def feed(self, data: bytes | bytearray) -> int | None:
        """As `LengthBody.feed`. Raises `RequestRefused`."""
        before = len(self._buffer)
        if before:
            self._buffer += data
            if b"\n" not in data and len(self._buffer) <= self._line_room():
                return None  # a line that comes byte by byte is not searched again each time
            chunk = bytes(self._buffer)
        else:
            chunk = bytes(data)
        at = 0
        while True:
            after = self._step(chunk, at)
            if after is None:  # the empty line that ends the trailer section
                return at + len(CRLF) - before
            if after < 0:
                self._buffer = bytearray(chunk[at:])
                return None
            at = after

    def _line_room(self) -> int:
        """How long the line that is awaited may be, in bytes; 0 where none is."""
        if self._step == self._trailer_line:
            return self._limits.max_head - self._trailer_size
        return MAX_CHUNK_LINE if self._step == self._chunk_line else 0

    # Each step takes the bytes and where to begin; it returns where it ended, -1 when it needs
    # more (nothing is taken then), or None when the body is complete.

    def _chunk_line(self, data: bytes, at: int) -> int | None:
        end = data.find(CRLF, at, at + MAX_CHUNK_LINE + 2)
        line = data[at:end] if end >= 0 else data[at : at + MAX_CHUNK_LINE + 2]
        if end < 0:
            if b"\n" in line or len(line) - line.endswith(b"\r") > MAX_CHUNK_LINE:
                raise RequestRefused(400, "A chunk's first line is malformed.", close=True)
            return -1
        match = CHUNK_LINE.fullmatch(line)
        if match is None:
            raise RequestRefused(400, "A chunk's first line is malformed.", close=True)
        if len(line) > match.end(1):
            self._extension_size += len(line) - match.end(1)
            if self._extension_size > self._limits.max_head:
                # RFC 9112 section 7.1.1: nobody reads them, and they need not be content to keep a server busy.
                raise RequestRefused(400, "The chunk extensions are larger than a head may be.", close=True)
        size = int(match[1], 16)
        if size > self._limits.max_body - self.length:
            raise RequestRefused(413, f"The content is larger than {self._limits.max_body} bytes.", close=True)
        self._remaining = size
        self._step = self._chunk_data if size else self._trailer_line
        return end + len(CRLF)

    def _chunk_data(self, data: bytes, at: int) -> int | None:
        piece = data[at : at + self._remaining]
        if not piece:
            return -1
        self._content.write(piece)
        self.length += len(piece)
        self._remaining -= len(piece)
        if not self._remaining:
            self._step = self._chunk_end
        return at + len(piece)

    def _chunk_end(self, data: bytes, at: int) -> int | None:
        end = data[at : at + 2]
        if end != CRLF:
            if end in (b"", b"\r"):
                return -1
            raise RequestRefused(400, "A chunk is longer than it said.", close=True)
        self._step = self._chunk_line
        return at + len(CRLF)

    def _trailer_line(self, data: bytes, at: int) -> int | None:
        room = self._limits.max_head - self._trailer_size
        end = data.find(CRLF, at, at + room + 2)
        if end == at:
            return None
        if data[at : at + 2] in (b"", b"\r"):
            return -1  # perhaps the end: nothing can be said against it yet
        if self._trailer_count >= self._limits.max_fields:
            raise RequestRefused(431, f"There are more than {self._limits.max_fields} trailers.", close=True)
        if end < 0:
            if data.find(b"\n", at, at + room + 2) >= 0:
                raise RequestRefused(400, "A line ends with LF alone.", close=True)
            if len(data) - at - data.endswith(b"\r") > room:
                raise RequestRefused(
                    431, f"The trailer section is larger than {self._limits.max_head} bytes.", close=True
                )
            return -1
        self._trailer_count += 1
        self._trailer_size += end - at
        no_memory: FieldMemory = {}
        key, _ = parse_field_line(data[at:end], no_memory)
        if key in _FORBIDDEN_TRAILERS:
            raise RequestRefused(400, "A trailer must not change what the message is.", close=True)
        return end + len(CRLF)
