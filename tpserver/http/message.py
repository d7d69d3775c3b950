"""Request messages out of one connection's bytes, whole ones only (RFC 9112 section 2).

The reader is fed what has arrived, in any cuts, and answers with the next complete message, with
bytes to send in between (100 Continue), or with None when more is needed. What follows a
complete message (pipelining) stays here until the next call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final, Generic, Literal, Protocol, TypeVar

from tpserver.http.arriving import ArrivingContent
from tpserver.http.body import ChunkedBody, LengthBody
from tpserver.http.fields import FieldMemory
from tpserver.http.grammar import CRLF, HEAD_END
from tpserver.http.head import Head, Limits, head_end, parse_head

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

# How many heads are remembered at once, and how long a remembered head may be, in bytes.
MEMORY_HEADS: Final = 128
MEMORY_HEAD_LENGTH: Final = 2048


# What a connection is in the middle of.
Part = Literal["nothing", "head", "body"]


class Interim:
    """Bytes to send at once (RFC 9110 section 15.2); the reader is then called again."""

    __slots__ = ("data",)
    kind: Literal["interim"] = "interim"

    def __init__(self, data: bytes) -> None:
        self.data = data


class Message(Protocol):
    """One request message; `content` is None where it has none, else a binary file at its start.

    It is complete, unless `content` is an `ArrivingContent`.
    """

    head: Head
    content: BinaryIO | None


MessageType = TypeVar("MessageType", bound=Message)


class Memory:
    """The heads and field lines that one server has parsed, by their bytes. They stay until there are too many.

    Bounded in number and size; nothing that carries a cookie or credentials is in it. Threads may
    share it without a lock: each write is one dictionary operation, and what two write is equal.
    """

    __slots__ = ("heads", "lines")

    def __init__(self) -> None:
        self.heads: dict[bytes, Head] = {}
        self.lines: FieldMemory = {}

    def keep(self, raw: bytes, head: Head) -> None:
        """Remembers `head`, which was parsed from `raw`."""
        if len(self.heads) >= MEMORY_HEADS:
            self.heads.clear()
        self.heads[raw] = head


class MessageReader(Generic[MessageType]):
    """One connection's reader. Only the thread that owns the connection calls.

    `new_content` makes the binary file that a body's content goes to, given its length in bytes
    where that is known. Making and writing the file may raise OSError, which the caller sees.
    Messages for whose head `arrives` is true are not collected: they are handed out with an
    `ArrivingContent`, which is fed through `feed_content`.
    """

    __slots__ = (
        "_arrives", "_arriving", "_asked", "_blank_seen", "_body", "_content", "_head", "_last_head", "_last_raw",
        "_limits", "_memory", "_new_content", "_scanned", "pending",
    )  # fmt: skip

    def __init__(
        self,
        limits: Limits,
        memory: Memory,
        new_content: Callable[[int | None], BinaryIO],
        arrives: Callable[[Head], bool] | None = None,
    ) -> None:
        self._arrives = arrives
        self._limits = limits
        self._memory = memory
        self._new_content = new_content
        self.pending: bytes | bytearray = b""  # beyond the last message; a bytearray while a head comes in pieces
        self._scanned = 0
        self._blank_seen = False
        self._head: Head | None = None  # set while its body is awaited
        self._body: LengthBody | ChunkedBody | None = None
        self._content: BinaryIO | None = None
        self._arriving: ArrivingContent | None = None  # from its head on, until it is handed out
        self._asked = False  # whether 100 Continue may still be sent
        self._last_raw = b""  # a head with secrets is remembered by its own connection only
        self._last_head: Head | None = None

    def new_message(self, head: Head, content: BinaryIO | None) -> MessageType:
        """Makes the message. A class of its own says of which kind."""
        raise NotImplementedError

    @property
    def part(self) -> Part:
        """What the reader is in the middle of, once it has answered None."""
        if self._head is not None:
            return "body"
        return "head" if self.pending else "nothing"

    def read_message(self, data: bytes) -> MessageType | Interim | None:
        """The next complete message, or None. Raises `RequestRefused`; nothing may be read after that.

        With b"" it looks at what is here already.
        """
        if not self.pending and self._head is None:
            head = self._memory.heads.get(data)
            if head is None and data == self._last_raw:
                head = self._last_head
            if head is not None:
                self._blank_seen = False
                return self.new_message(head, None)
            if data[-4:] == HEAD_END and data.find(HEAD_END) == len(data) - 4 <= self._limits.max_head - 4:
                return self._read_whole_head(data)
        return self._read(data)

    def close(self) -> None:
        """Drops what was collected of a message that will never be complete."""
        if self._content is not None:
            self._content.close()
            self._content = None

    def _read_whole_head(self, data: bytes) -> MessageType | Interim | None:
        """The usual case: `data` is a head and nothing else. Does what `_read` does, with fewer steps."""
        if data[:1] == b"\r":
            return self._read(data)
        head = parse_head(data, self._limits, self._memory.lines)
        self._blank_seen = False
        self._begin_body(data, head)
        if self._body is not None:
            return self._take_body(b"")
        self._head = None
        return self.new_message(head, None)

    def _read(self, data: bytes) -> MessageType | Interim | None:
        if self._head is None:
            if not self._take_head(data):
                return None
            data = b""
        return self._take_body(data)

    def _take_head(self, data: bytes) -> bool:
        buffer = self.pending
        if buffer:
            if not isinstance(buffer, bytearray):
                buffer = bytearray(buffer)
            buffer += data
        else:
            buffer = data
        if not self._blank_seen and buffer[:2] == CRLF:
            # RFC 9112 section 2.2: an empty line before the request line is ignored; one, not any number.
            buffer = buffer[2:]
            self._blank_seen = True
        self.pending = buffer
        if not buffer or (buffer == b"\r" and not self._blank_seen):
            return False
        end = head_end(buffer, self._scanned, self._limits.max_head)
        if end < 0:
            self._scanned = len(buffer)
            return False
        raw = bytes(buffer[:end])
        head = parse_head(raw, self._limits, self._memory.lines)
        self.pending = bytes(buffer[end:])
        self._scanned = 0
        self._blank_seen = False
        self._begin_body(raw, head)
        return True

    def _begin_body(self, raw: bytes, head: Head) -> None:
        self._head = head
        self._asked = head.expects_continue
        if (head.chunked or head.content_length) and self._arrives is not None and self._arrives(head):
            self._arriving = arriving = ArrivingContent(self.feed_content)
            self._body = (
                ChunkedBody(arriving, self._limits) if head.chunked else LengthBody(arriving, head.content_length or 0)
            )
        elif head.chunked:
            self._content = self._new_content(None)
            self._body = ChunkedBody(self._content, self._limits)
        elif head.content_length:
            self._content = self._new_content(head.content_length)
            self._body = LengthBody(self._content, head.content_length)
        elif len(raw) <= MEMORY_HEAD_LENGTH:
            if head.secret:
                self._last_raw, self._last_head = raw, head
            else:
                self._memory.keep(raw, head)

    def _take_body(self, data: bytes) -> MessageType | Interim | None:
        head = self._head
        assert head is not None
        if self._arriving is not None:
            return self._hand_out(head, self._arriving)
        if self._body is not None:
            if self.pending:
                data = bytes(self.pending) + data
                self.pending = b""
            if data:
                self._asked = False  # the client has not waited: no need to tell it to go on
                taken = self._body.feed(data)
                if taken is None:
                    return None
                self.pending = data[taken:]
            elif self._asked:
                self._asked = False
                return Interim(CONTINUE)
            else:
                return None
        return self._complete(head)

    def _hand_out(self, head: Head, content: ArrivingContent) -> MessageType:
        """A message whose content is still on its way, with what has come of it."""
        data, self.pending = bytes(self.pending), b""
        if data:
            self._asked = False
            content.complete = self.feed_content(data)
        self._arriving = None
        return self.new_message(head, content)  # type: ignore[arg-type]  # a binary file by its methods

    def feed_content(self, data: bytes) -> bool:
        """For an `ArrivingContent`: takes what has come; whether that was the last of it. Raises `RequestRefused`."""
        assert self._body is not None
        taken = self._body.feed(data)
        if taken is None:
            return False
        self.pending = data[taken:]
        self._head = self._body = self._content = None
        return True

    def _complete(self, head: Head) -> MessageType:
        content, body = self._content, self._body
        if content is not None:
            content.seek(0)  # may fail, as a write: then it is still ours to close
        self._head = self._body = self._content = None
        if isinstance(body, ChunkedBody):
            # The application gets the content, so it is told the content's length (RFC 9112 section 7.1.3).
            del head.fields["HTTP_TRANSFER_ENCODING"]
            head.fields["CONTENT_LENGTH"] = str(body.length)
        return self.new_message(head, content)
