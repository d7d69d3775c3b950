"""The field section of a request, but for its cookies: what its lines say together (RFC 9112 sections 5, 6 and 9.3).

Clients send the same section with one request after another; only the request line and the cookies differ.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tpserver.errors import RequestRefused
from tpserver.http.fields import SECRET_NAMES, field_memory, join, parse_field_line
from tpserver.http.grammar import CRLF, OTHER_CODINGS, number
from tpserver.http.lists import bounded, members
from tpserver.http.repeated import Repeated

# Fields that make more of a GET than "send me that" (RFC 9110 sections 13.1 and 14.2).
_CONDITIONAL_NAMES: Final = frozenset({
    "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE",
    "HTTP_RANGE",
})  # fmt: skip
# Fields that say something of the content.
_CONTENT_NAMES: Final = frozenset({"HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH", "HTTP_EXPECT"})


# Most field sections in the memory, and the longest one, in bytes.
MEMORY_SECTIONS: Final = 128
MEMORY_SECTION_LENGTH: Final = 2048


class Limits(NamedTuple):
    """What a message may take: `max_head` and `max_body` in bytes, `max_fields` in field lines."""

    max_head: int = 64 * 1024
    max_fields: int = 100
    max_body: int = 256 * 1024 * 1024


class FieldSection:
    """What field lines say. Shared between heads that repeat it, so it does not change once it is made.

    `fields` maps CGI names to values; `count` is the number of lines; `content_length` is None where no such field
    came; `secret`: it carries cookies or credentials; `conditional`: it has preconditions, or asks for ranges;
    `simple`: a GET with it asks for all of something, names no content, and keeps the connection of HTTP/1.1.

    Two fields are set by others. `around` is what came before and after the value of the cookie, in the last head with
    this section. `prepared` is the responder that has answered this section last, and what it has prepared for the next
    request that repeats it; None: nothing yet.
    """

    __slots__ = (
        "around", "chunked", "conditional", "content_length", "count", "expects_continue", "fields", "has_content",
        "keep_alive", "prepared", "protocol", "secret", "simple",
    )  # fmt: skip

    def __init__(
        self, fields: dict[str, str], protocol: str = "HTTP/1.1", max_body: int = Limits().max_body, count: int = 0
    ) -> None:
        """`protocol` is "HTTP/1.1" or "HTTP/1.0", `max_body` is in bytes. Raises `RequestRefused`."""
        self.fields = fields
        self.protocol = protocol
        self.count = count
        self.around = b"\0\0", b""  # which is in no head
        self.prepared: tuple[object, dict[str, object] | None] = (None, None)
        self.content_length: int | None = None
        self.chunked = self.has_content = self.expects_continue = False
        names = fields.keys()
        if not names.isdisjoint(_CONTENT_NAMES):
            self._read_content(max_body)
        connection = fields.get("HTTP_CONNECTION")
        if connection is None or connection == "keep-alive":  # RFC 9112 section 9.3
            self.keep_alive = protocol == "HTTP/1.1" or connection is not None
        else:
            options = members(connection)
            if options is None:  # an unread `close` must not be taken for its absence
                raise RequestRefused(400, "The Connection field is too long.", close=True)
            self.keep_alive = "close" not in options and (protocol == "HTTP/1.1" or "keep-alive" in options)
        self.secret = not names.isdisjoint(SECRET_NAMES)
        self.conditional = not names.isdisjoint(_CONDITIONAL_NAMES)
        names_content = self.has_content or self.content_length is not None
        self.simple = self.keep_alive and protocol == "HTTP/1.1" and not (self.conditional or names_content)

    def _read_content(self, max_body: int) -> None:
        """Framing (RFC 9112 section 6.3), without leniency where requests can be smuggled, and Expect."""
        coding = self.fields.get("HTTP_TRANSFER_ENCODING")
        length = self.fields.get("CONTENT_LENGTH")
        if coding is not None:
            if length is not None:
                raise RequestRefused(400, "Content-Length and Transfer-Encoding came together.", close=True)
            if self.protocol == "HTTP/1.0":
                raise RequestRefused(400, "HTTP/1.0 knows no Transfer-Encoding.", close=True)
            if bounded(coding) is not None and re.fullmatch(OTHER_CODINGS, coding):
                raise RequestRefused(501, "The only transfer coding that this server knows is chunked.", close=True)
            if coding.lower() != "chunked":  # the end of the message is unknown
                raise RequestRefused(400, "The Transfer-Encoding field cannot be relied upon.", close=True)
            self.chunked = True
        elif length is not None:
            self.content_length = number(length)
            if self.content_length > max_body:
                raise RequestRefused(413, f"The content is larger than {max_body} bytes.", close=True)
        self.has_content = self.chunked or bool(self.content_length)
        expectation = self.fields.get("HTTP_EXPECT")
        # RFC 9110 section 10.1.1; an HTTP/1.0 client cannot have meant it.
        if expectation is not None and self.protocol != "HTTP/1.0":
            expected = members(expectation)  # empty: it expects nothing
            if expected is None or expected.count("100-continue") != len(expected):
                raise RequestRefused(417, "The only expectation that this server can meet is 100-continue.", close=True)
            self.expects_continue = self.has_content and bool(expected)

    def check_cookie(self, line: bytes, limits: Limits) -> None:
        """Raises `RequestRefused` where a Cookie line may not stand beside these lines."""
        try:
            if self.count >= limits.max_fields:
                raise _too_many_fields(limits)
            parse_field_line(line)
        except RequestRefused as refusal:
            refusal.accept = self.fields.get("HTTP_ACCEPT")
            raise

    def with_fields(self, fields: dict[str, str]) -> FieldSection:
        """As this one, with other fields, but for those that say something of content and connection."""
        return FieldSection(fields, self.protocol, self.content_length or 0, self.count)

    def of_host(self, host: str) -> FieldSection:
        """As this one, with another Host: that of a target in absolute-form (RFC 9112 section 3.2.2)."""
        return self.with_fields(self.fields | {"HTTP_HOST": host})

    def of_length(self, length: int) -> FieldSection:
        """As this one, of a message whose chunks have all come: `length` bytes of content (RFC 9112 section 7.1.3)."""
        fields = self.fields | {"CONTENT_LENGTH": str(length)}
        del fields["HTTP_TRANSFER_ENCODING"]
        return FieldSection(fields, self.protocol, length)


class SectionMemory:
    """The field sections of HTTP/1.1 and the field lines that one server has parsed, by their bytes.

    Bounded in number and size; nothing that carries a cookie or credentials is in it.
    """

    __slots__ = ("lines", "sections")

    def __init__(self) -> None:
        self.lines = field_memory()
        self.sections: Repeated[bytes, FieldSection] = Repeated(MEMORY_SECTIONS)


def parse_section(block: bytes, protocol: str, limits: Limits, memory: SectionMemory) -> FieldSection:
    """Field lines, each behind its CRLF -> `FieldSection`, which `memory` gets. Raises `RequestRefused`. Any thread."""
    known = memory.lines
    lines = block.split(CRLF)
    del lines[0]  # what is before the first CRLF
    fields: dict[str, str] = {}
    try:
        if len(lines) > limits.max_fields:
            raise _too_many_fields(limits)
        for line in lines:
            key, value = known.get(line) or parse_field_line(line, known)
            fields[key] = join(key, fields[key], value) if key in fields else value
        fields.pop("", None)  # those that are dropped
        if protocol == "HTTP/1.1" and "HTTP_HOST" not in fields:
            raise RequestRefused(400, "An HTTP/1.1 request needs a Host field.", close=True)
        section = FieldSection(fields, protocol, limits.max_body, len(lines))
    except RequestRefused as refusal:
        refusal.accept = fields.get("HTTP_ACCEPT")
        raise
    if not section.secret and protocol == "HTTP/1.1" and len(block) <= MEMORY_SECTION_LENGTH:
        memory.sections.add(block, section)
    return section


def _too_many_fields(limits: Limits) -> RequestRefused:
    """431 (RFC 6585 section 5)."""
    return RequestRefused(431, f"The head has more than {limits.max_fields} fields.", close=True)
