"""The head of a request: request line and field section (RFC 9112 sections 3, 5, 6 and 9.3)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tpserver.errors import RequestRefused
from tpserver.http.fields import BARE_LF_DETAIL, SECRET_NAMES, FieldMemory, join, parse_field_line
from tpserver.http.grammar import (
    BARE_LF,
    CRLF,
    HEAD_END,
    OTHER_CODINGS,
    OWS_TEXT,
    REQUEST_LINE,
    REQUEST_LINE_BEGIN,
    number,
)
from tpserver.http.target import parse_target

# Fields that make more of a GET than "send me that" (RFC 9110 sections 13.1 and 14.2).
_CONDITIONAL_NAMES: Final = frozenset({
    "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE",
    "HTTP_RANGE",
})  # fmt: skip
# Fields that say something of the content.
_CONTENT_NAMES: Final = frozenset({"HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH", "HTTP_EXPECT"})


class Limits(NamedTuple):
    """What a message may take: `max_head` and `max_body` in bytes, `max_fields` in field lines."""

    max_head: int = 64 * 1024
    max_fields: int = 100
    max_body: int = 256 * 1024 * 1024


class Head:
    """One request head. Shared between requests that repeat it, so it does not change once it is made.

    `fields` maps CGI names to values; `target` is as it came; `content_length` is None where no such field came;
    `route` is method and target; `secret`: it carries cookies or credentials; `conditional`: it has preconditions, or
    asks for ranges; `simple`: a GET of HTTP/1.1 for all of something, without content, that keeps the connection.

    `prepared` is the one field that others set: the responder that has answered this head last, and what it has
    prepared for the next request that repeats it. None: nothing yet.
    """

    __slots__ = (
        "chunked", "conditional", "content_length", "expects_continue", "fields", "has_content", "keep_alive", "method",
        "path", "prepared", "protocol", "query", "route", "secret", "simple", "target",
    )  # fmt: skip

    def __init__(
        self, method: str, target: str, protocol: str, fields: dict[str, str], max_body: int = Limits().max_body
    ) -> None:
        """`protocol` is "HTTP/1.1" or "HTTP/1.0", `max_body` is in bytes. Raises `RequestRefused`."""
        self.method = method
        self.target = target
        self.protocol = protocol
        self.fields = fields
        self.route = method + " " + target
        self.path, self.query, authority = parse_target(method, target)
        if authority is not None:
            fields["HTTP_HOST"] = authority
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
            options = [option.strip(OWS_TEXT) for option in connection.lower().split(",")]
            self.keep_alive = "close" not in options and (protocol == "HTTP/1.1" or "keep-alive" in options)
        self.secret = not names.isdisjoint(SECRET_NAMES)
        self.conditional = not names.isdisjoint(_CONDITIONAL_NAMES)
        self.simple = (
            method == "GET"
            and protocol == "HTTP/1.1"
            and self.keep_alive
            and not (self.conditional or self.has_content)
        )

    def _read_content(self, max_body: int) -> None:
        """Framing (RFC 9112 section 6.3), without leniency where requests can be smuggled, and Expect."""
        coding = self.fields.get("HTTP_TRANSFER_ENCODING")
        length = self.fields.get("CONTENT_LENGTH")
        if coding is not None:
            if length is not None:
                raise RequestRefused(400, "Content-Length and Transfer-Encoding came together.", close=True)
            if self.protocol == "HTTP/1.0":
                raise RequestRefused(400, "HTTP/1.0 knows no Transfer-Encoding.", close=True)
            if OTHER_CODINGS.fullmatch(coding):
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
            if expectation.lower() != "100-continue":
                raise RequestRefused(417, "The only expectation that this server can meet is 100-continue.", close=True)
            self.expects_continue = self.has_content


def head_end(buffer: bytes, scanned: int, max_head: int) -> int:
    """Where the head at the start of `buffer` ends: the index after its empty line, or -1 when more is needed.

    The first `scanned` bytes have been looked at before. Raises `RequestRefused`: 400 for a bare LF, 414 or 431 beyond
    `max_head` bytes; as `parse_request_line` before the rest has come, for some clients send no more.
    """
    end = buffer.find(HEAD_END, max(0, scanned - 3))
    if end >= 0 and end + 4 <= max_head:
        return end + 4
    line_end = buffer.find(CRLF, max(0, scanned - 1), max_head)
    if line_end >= 0 and buffer.find(b"\n", 0, line_end) < 0:  # that of the first line, and it has just come
        parse_request_line(buffer[:line_end])
    if BARE_LF.search(buffer, scanned, max_head):
        raise RequestRefused(400, BARE_LF_DETAIL, close=True)
    if end < 0 and len(buffer) <= max_head:
        if buffer and not scanned and REQUEST_LINE_BEGIN.match(buffer) is None:
            # TLS, for example: its client waits for an answer, and would do so until the time is up.
            raise RequestRefused(400, "The request line is malformed.", close=True)
        return -1
    if buffer.find(CRLF, 0, max_head) < 0:
        raise RequestRefused(414, f"The request line is longer than {max_head} bytes.", close=True)
    raise RequestRefused(431, f"The head is larger than {max_head} bytes.", close=True)


def parse_request_line(line: bytes) -> re.Match[bytes]:
    """The match of `REQUEST_LINE`. Raises `RequestRefused`: 400, or 505 for another major version."""
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        detail = BARE_LF_DETAIL if b"\n" in line else "The request line is malformed."
        raise RequestRefused(400, detail, close=True)
    if match[3] != b"1":
        raise RequestRefused(505, "This server speaks HTTP/1.1.", close=True)
    return match


def parse_head(raw: bytes, limits: Limits, memory: FieldMemory) -> Head:
    """A whole head, its empty line included -> `Head`. Raises `RequestRefused`.

    `memory` maps field lines that were checked before to what they say. Any thread may call.
    """
    lines = raw[:-4].split(CRLF)
    match = parse_request_line(lines[0])
    fields: dict[str, str] = {}
    try:
        if len(lines) > limits.max_fields + 1:
            raise RequestRefused(431, f"The head has more than {limits.max_fields} fields.", close=True)
        del lines[0]
        for line in lines:
            key, value = memory.get(line) or parse_field_line(line, memory)
            fields[key] = join(key, fields[key], value) if key in fields else value
        fields.pop("", None)  # those that are dropped
        protocol = "HTTP/1.0" if match[4] == b"0" else "HTTP/1.1"
        if protocol == "HTTP/1.1" and "HTTP_HOST" not in fields:
            raise RequestRefused(400, "An HTTP/1.1 request needs a Host field.", close=True)
        return Head(match[1].decode("ascii"), match[2].decode("ascii"), protocol, fields, limits.max_body)
    except RequestRefused as refusal:
        refusal.accept = fields.get("HTTP_ACCEPT")
        raise
