"""Decoders of message bodies: by length and in chunks (RFC 9112 sections 6.2 and 7.1).

A decoder is fed the bytes as they arrive, divided at any places, and writes the content to `content`. It returns how
many bytes it took and whether the body is complete. The work is linear in the bytes, also for one-byte chunks.
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
    """The binary file that the decoded content is written to."""

    def write(self, data: bytes, /) -> int:
        """Appends `data`."""
        ...


class LengthBody:
    """A body of `length` bytes. `remaining`: the bytes that have not been fed yet."""

    __slots__ = ("_content", "remaining")

    def __init__(self, content: Content, length: int) -> None:
        self._content = content
        self.remaining = length

    def feed(self, data: bytes | bytearray) -> int | None:
        """Writes the content in `data`. Returns None where more is needed; a number: complete after so many bytes."""
        if len(data) < self.remaining:
            self._content.write(bytes(data))
            self.remaining -= len(data)
            return None
        taken, self.remaining = self.remaining, 0
        self._content.write(bytes(data[:taken]) if taken < len(data) else bytes(data))
        return taken


class ChunkedBody:
    """A body in chunks. `length` is the length of the content so far, in bytes. Trailers are checked and dropped."""

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
                return None  # a line that arrives byte by byte is not searched again each time
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
        """The longest allowed line of the current step, in bytes; 0 where it expects no line."""
        if self._step == self._trailer_line:
            return self._limits.max_head - self._trailer_size
        return MAX_CHUNK_LINE if self._step == self._chunk_line else 0

    # Each step gets the bytes and a position in them. It returns the position after what it took, -1 where it needs
    # more bytes (it has taken none then), or None where the body is complete.

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
                # RFC 9112 section 7.1.1: they are ignored, so a client could otherwise send them without end.
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
            raise RequestRefused(400, "A chunk is longer than its size says.", close=True)
        self._step = self._chunk_line
        return at + len(CRLF)

    def _trailer_line(self, data: bytes, at: int) -> int | None:
        room = self._limits.max_head - self._trailer_size
        end = data.find(CRLF, at, at + room + 2)
        if end == at:
            return None
        if data[at : at + 2] in (b"", b"\r"):
            return -1  # it may be the final empty line
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
            raise RequestRefused(400, "A trailer must not change the framing or routing of the message.", close=True)
        return end + len(CRLF)
