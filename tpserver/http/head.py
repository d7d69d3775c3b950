"""The head of a request: request line and field section (RFC 9112 sections 3, 5, 6 and 9.3)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tpserver.errors import RequestRefused
from tpserver.http import fields as field_rules
from tpserver.http.fields import DROPPED, SECRET_NAMES, FieldMemory, join, parse_field_line
from tpserver.http.grammar import CRLF, HEAD_END, OWS_TEXT, REQUEST_LINE, REQUEST_LINE_BEGIN
from tpserver.http.target import parse_target

# Fields that make more of a GET than "send me that" (RFC 9110 sections 13.1 and 14.2).
CONDITIONAL_NAMES: Final = frozenset(
    {
        "HTTP_IF_MATCH",
        "HTTP_IF_NONE_MATCH",
        "HTTP_IF_MODIFIED_SINCE",
        "HTTP_IF_UNMODIFIED_SINCE",
        "HTTP_IF_RANGE",
        "HTTP_RANGE",
    }
)


_BARE_LF: Final = "A line ends with LF alone."


class Limits(NamedTuple):
    """What a message may take: `max_head` and `max_body` in bytes, `max_fields` in field lines."""

    max_head: int = 64 * 1024
    max_fields: int = 100
    max_body: int = 256 * 1024 * 1024


class Head:
    """One parsed request head. Shared between requests that repeat it, so it does not change once it is made.

    `fields` maps CGI names to values; `target` is as it came; `content_length` is None where no such
    field came; `secret` tells that it carries cookies or credentials. `simple` is what `asks_for_all` has returned,
    None before the first call; it spares a call for each request that repeats the head.
    `route` is method and target.

    `prepared` is the one field that others set: the responder that has answered this head last, and what it has
    prepared for the next request that repeats it. None: nothing yet.
    """

    __slots__ = (
        "_conditional", "chunked", "content_length", "expects_continue", "fields", "keep_alive", "method", "path",
        "prepared", "protocol", "query", "route", "secret", "simple", "target",
    )  # fmt: skip

    def __init__(self, method: str, target: str, protocol: str, fields: dict[str, str]) -> None:
        self.method = method
        self.target = target
        self.protocol = protocol  # "HTTP/1.1" or "HTTP/1.0"
        self.fields = fields
        self.path, self.query, authority = parse_target(method, target)
        if authority is not None:
            fields["HTTP_HOST"] = authority
        self.content_length: int | None = None
        self.chunked = False
        self.expects_continue = False
        self.keep_alive = protocol == "HTTP/1.1"
        self.secret = not fields.keys().isdisjoint(SECRET_NAMES)
        self.simple: bool | None = None
        self._conditional: bool | None = None
        self.prepared: tuple[object, dict[str, object] | None] = (None, None)
        self.route = method + " " + target

    def asks_for_all(self) -> bool:
        """Whether it asks for all of something: a GET of HTTP/1.1 without content, that keeps the connection."""
        self.simple = (
            self.method == "GET"
            and self.protocol == "HTTP/1.1"
            and self.keep_alive
            and not (self.conditional or self.content_length or self.chunked)
        )
        return self.simple

    @property
    def conditional(self) -> bool:
        """Whether it has preconditions, or asks for ranges."""
        if self._conditional is None:
            self._conditional = not self.fields.keys().isdisjoint(CONDITIONAL_NAMES)
        return self._conditional


def head_end(buffer: bytes | bytearray, scanned: int, max_head: int) -> int:
    """Where the head at the start of `buffer` ends: the index after its empty line, or -1 when more is needed.

    The first `scanned` bytes have been looked at before. Raises `RequestRefused`: 400 for a bare LF
    (RFC 9112 section 2.2 allows to take it for a line end; that is how requests are smuggled), 414 or
    431 beyond `max_head` bytes; as `parse_request_line` before the rest has come, for some clients send no more.
    """
    end = buffer.find(HEAD_END, max(0, scanned - 3))
    if end >= 0 and end + 4 <= max_head:
        return end + 4
    line_end = buffer.find(CRLF, max(0, scanned - 1), max_head)
    if line_end >= 0 and buffer.find(b"\n", 0, line_end) < 0:  # that of the first line, and it has just come
        parse_request_line(bytes(buffer[:line_end]))
    if _bare_lf(buffer, scanned, max_head):
        raise RequestRefused(400, _BARE_LF, close=True)
    if end < 0 and len(buffer) <= max_head:
        if buffer and not scanned and REQUEST_LINE_BEGIN.match(buffer) is None:
            # TLS, for example: its client waits for an answer, and would do so until the time is up.
            raise RequestRefused(400, "The request line is malformed.", close=True)
        return -1
    if buffer.find(CRLF, 0, max_head) < 0:
        raise RequestRefused(414, f"The request line is longer than {max_head} bytes.", close=True)
    raise RequestRefused(431, f"The head is larger than {max_head} bytes.", close=True)


def _bare_lf(buffer: bytes | bytearray, start: int, stop: int) -> bool:
    at = buffer.find(b"\n", start, stop)
    while at >= 0:
        if at == 0 or buffer[at - 1] != 0x0D:
            return True
        at = buffer.find(b"\n", at + 1, stop)
    return False


def parse_request_line(line: bytes) -> re.Match[bytes]:
    """The match of `REQUEST_LINE`. Raises `RequestRefused`: 400, or 505 for another major version."""
    match = REQUEST_LINE.fullmatch(line)
    if match is not None and match[3] == b"1":
        return match
    if match is None:
        refusal = RequestRefused(400, "The request line is malformed.", close=True)
    else:
        refusal = RequestRefused(505, "This server speaks HTTP/1.1.", close=True)
    refusal.head_only = line[:5] == b"HEAD "
    raise refusal


def parse_head(raw: bytes, limits: Limits, memory: FieldMemory) -> Head:
    """A whole head, its empty line included -> `Head`. Raises `RequestRefused`.

    `memory` maps field lines that were checked before to what they say. Any thread may call.
    """
    lines = raw[:-4].split(CRLF)
    match = parse_request_line(lines[0])
    del lines[0]
    fields: dict[str, str] = {}
    try:
        return _parse(match, lines, fields, limits, memory)
    except RequestRefused as refusal:
        if _bare_lf(raw, 0, len(raw)):  # said first, so that a head in pieces is refused for the same reason
            raise RequestRefused(400, _BARE_LF, close=True) from None
        refusal.head_only = match[1] == b"HEAD"
        refusal.accept = fields.get("HTTP_ACCEPT")
        raise


def _parse(
    match: re.Match[bytes], lines: list[bytes], fields: dict[str, str], limits: Limits, memory: FieldMemory
) -> Head:
    if len(lines) > limits.max_fields:
        raise RequestRefused(431, f"The head has more than {limits.max_fields} fields.", close=True)
    remembered = memory.get
    pairs = [remembered(line) or parse_field_line(line, memory) for line in lines]
    fields |= {key: value for key, value in pairs}  # noqa: C416 - twice as fast as fields.update(pairs)
    if len(fields) != len(pairs) or "" in fields:
        _join_fields(fields, pairs)
    protocol = "HTTP/1.0" if match[4] == b"0" else "HTTP/1.1"
    if protocol == "HTTP/1.1" and "HTTP_HOST" not in fields:
        raise RequestRefused(400, "An HTTP/1.1 request needs a Host field.", close=True)
    head = Head(match[1].decode("ascii"), match[2].decode("ascii"), protocol, fields)
    _read_framing(head, limits)
    _read_connection(head)
    _read_expect(head)
    return head


def _join_fields(fields: dict[str, str], pairs: list[tuple[str, str]]) -> None:
    """The unusual case: some names came more than once, or are dropped."""
    fields.clear()
    for pair in pairs:
        if pair is not DROPPED:
            key, value = pair
            fields[key] = join(key, fields[key], value) if key in fields else value


# Transfer codings that are not implemented: 501 (RFC 9112 section 6.1) where chunked is the final one. Otherwise the
# end of the message is unknown: 400 (section 6.3).
_CODINGS_NOT_BUILT: Final = frozenset({"gzip", "x-gzip", "deflate", "compress", "x-compress"})


def _read_framing(head: Head, limits: Limits) -> None:
    """Message framing (RFC 9112 section 6.3), without leniency where requests can be smuggled."""
    coding = head.fields.get("HTTP_TRANSFER_ENCODING")
    length = head.fields.get("CONTENT_LENGTH")
    if coding is not None:
        if length is not None:
            raise RequestRefused(400, "Content-Length and Transfer-Encoding came together.", close=True)
        if head.protocol == "HTTP/1.0":
            raise RequestRefused(400, "HTTP/1.0 knows no Transfer-Encoding.", close=True)
        # Bytes below 0x80 only: other characters that fold to ASCII letters are no "chunked".
        if not coding.isascii() or coding.lower() != "chunked":
            raise _coding_refused(coding)
        head.chunked = True
    elif length is not None:
        head.content_length = field_rules.content_length(length, limits.max_body)


def _coding_refused(value: str) -> RequestRefused:
    codings = [part.strip(OWS_TEXT).lower() for part in value.split(",")]
    final_is_chunked = codings[-1] == "chunked"
    others = codings[:-1]
    if final_is_chunked and all(coding in _CODINGS_NOT_BUILT for coding in others):
        return RequestRefused(501, "The only transfer coding that this server knows is chunked.", close=True)
    return RequestRefused(400, "The Transfer-Encoding field cannot be relied upon.", close=True)


def _read_connection(head: Head) -> None:
    """Persistence (RFC 9112 section 9.3)."""
    value = head.fields.get("HTTP_CONNECTION")
    if value is None:
        return
    if value == "keep-alive":  # what most clients say
        head.keep_alive = True
        return
    options = [option.strip(OWS_TEXT) for option in value.lower().split(",")]
    if "close" in options:
        head.keep_alive = False
    elif "keep-alive" in options:
        head.keep_alive = True


def _read_expect(head: Head) -> None:
    """Expect (RFC 9110 section 10.1.1); an HTTP/1.0 client cannot have meant it."""
    value = head.fields.get("HTTP_EXPECT")
    if value is None or head.protocol == "HTTP/1.0":
        return
    if value.lower() != "100-continue":
        raise RequestRefused(417, "The only expectation that this server can meet is 100-continue.", close=True)
    head.expects_continue = head.chunked or bool(head.content_length)
