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
from tpserver.http.grammar import CRLF, HEAD_END
from tpserver.http.head import Head, take_head
from tpserver.http.repeated import Repeated
from tpserver.http.section import FieldSection, Limits, SectionMemory

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
    """The heads that one server has parsed, by their bytes, and what it remembers of their lines.

    As for `SectionMemory`: bounded, without secrets, and shared by threads without a lock.
    """

    __slots__ = ("heads", "sections")

    def __init__(self) -> None:
        self.heads: Repeated[bytes, Head] = Repeated(MEMORY_HEADS)
        self.sections = SectionMemory()


class MessageReader(Generic[MessageType]):
    """One connection's reader. Only the thread that owns the connection calls.

    `new_content` makes the binary file that a body's content goes to, given its length in bytes
    where that is known. Making and writing the file may raise OSError, which the caller sees.
    Messages for whose head `arrives` is true are not collected: they are handed out with an
    `ArrivingContent`, which is fed through `feed_content`.
    """

    __slots__ = (
        "_arrives", "_arriving", "_asked", "_blank_seen", "_body", "_content", "_head", "_last_head", "_last_raw",
        "_last_section", "_limits", "_memory", "_new_content", "_scanned", "pending",
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
        self.pending = b""  # what has come and is not read yet
        self._scanned = 0  # bytes of it in which no head ends
        self._blank_seen = False
        self._head: Head | None = None  # set while its body is awaited
        self._body: LengthBody | ChunkedBody | None = None
        self._content: BinaryIO | None = None
        self._arriving: ArrivingContent | None = None  # from its head on, until it is handed out
        self._asked = False  # whether 100 Continue may still be sent
        self._last_raw = b""  # a head with secrets, or before a content, is remembered by its own connection only
        self._last_head: Head | None = None
        self._last_section: FieldSection | None = None

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
        if self._head is not None:
            return self._take_body(data)
        head = None
        # Behind a head with secrets or before a content comes another such one, mostly: none is in the memory.
        if self._last_head is None and not self.pending and len(data) <= MEMORY_HEAD_LENGTH:
            head = self._memory.heads.get(data)
        if head is not None:
            self._blank_seen = False
        else:
            head = self._take_head(data)
            if head is None:
                return None
            if head.section.has_content:
                self._begin_body(head)
                return self._take_body(b"")
        return self.new_message(head, None)

    def close(self) -> None:
        """Drops what was collected of a message that will never be complete."""
        if self._content is not None:
            self._content.close()
            self._content = None
            if self._head is not None:
                self.note_left(self._head)

    def note_left(self, head: Head) -> None:
        """A client has left, or was left, before all of the content for this head had come."""

    def _take_head(self, data: bytes) -> Head | None:
        buffer = self.pending + data
        if buffer.startswith(CRLF) and not self._blank_seen:
            # RFC 9112 section 2.2: an empty line before the request line is ignored; one, not any number.
            buffer = buffer[2:]
            self._blank_seen = True
        self.pending = buffer
        if not buffer or buffer == b"\r":
            return None
        last = self._last_head
        if last is not None and buffer.startswith(self._last_raw):
            head, end = last, len(self._last_raw)
        else:
            found = None if data else self._find_pipelined(buffer)
            if found is None:
                found = take_head(buffer, self._scanned, self._limits, self._memory.sections, self._last_section)
                if found is None:
                    self._scanned = len(buffer)
                    return None
                head, end = found
                section = self._last_section = head.section
                if end <= MEMORY_HEAD_LENGTH and not section.chunked:  # a chunked one changes: it gets a length
                    if head.cookie is not None or section.secret or section.has_content:
                        self._last_raw, self._last_head = buffer[:end], head
                    else:
                        self._last_head = None
                        self._memory.heads.add(buffer[:end], head)
            else:
                head, end = found
        self.pending = buffer[end:]
        self._scanned = 0
        self._blank_seen = False
        return head

    def _find_pipelined(self, buffer: bytes) -> tuple[Head, int] | None:
        """As `take_head`, where the next head of a client that pipelines is in the memory."""
        end = buffer.find(HEAD_END, 0, MEMORY_HEAD_LENGTH) + len(HEAD_END)
        head = self._memory.heads.get(buffer[:end])
        return None if head is None else (head, end)

    def _begin_body(self, head: Head) -> None:
        self._head = head
        self._asked = head.section.expects_continue
        content: BinaryIO | ArrivingContent
        if self._arrives is not None and self._arrives(head):
            content = self._arriving = ArrivingContent(self.feed_content)
        else:
            content = self._content = self._new_content(head.section.content_length)
        length = head.section.content_length
        self._body = ChunkedBody(content, self._limits) if length is None else LengthBody(content, length)

    def _take_body(self, data: bytes) -> MessageType | Interim | None:
        head, body, content, arriving = self._head, self._body, self._content, self._arriving
        assert head is not None
        data, self.pending = self.pending + data, b""
        if arriving is not None:  # its message has what has come of it
            self._arriving = None
            arriving.complete = bool(data) and self.feed_content(data)
            return self.new_message(head, arriving)  # type: ignore[arg-type]  # a binary file by its methods
        if not data:
            if not self._asked:
                return None
            self._asked = False
            return Interim(CONTINUE)
        self._asked = False  # the client has not waited: no need to tell it to go on
        if not self.feed_content(data):
            return None
        if isinstance(body, ChunkedBody):
            # The application gets the content, so it is told the content's length.
            head.section = head.section.of_length(body.length)
        return self.new_message(head, content)

    def feed_content(self, data: bytes) -> bool:
        """Takes bytes of the body; returns whether they were the last ones. Raises `RequestRefused` and OSError."""
        assert self._body is not None
        taken = self._body.feed(data)
        if taken is None:
            return False
        self.pending = data[taken:]
        if self._content is not None:
            self._content.seek(0)  # may fail, as a write: then it is still ours to close
        self._head = self._body = self._content = None
        return True
