"""The head of a request: request line and field section (RFC 9112 sections 3, 5, 6 and 9.3)."""

from __future__ import annotations

import re
from typing import Final

from tpserver.errors import RequestRefused
from tpserver.http.fields import BARE_LF_DETAIL, parse_field_line
from tpserver.http.grammar import BARE_LF, CRLF, FIELD_VALUE, HEAD_END, OWS, REQUEST_LINE, REQUEST_LINE_BEGIN
from tpserver.http.section import FieldSection, Limits, SectionMemory, parse_section, too_many_fields
from tpserver.http.target import parse_target

_COOKIE: Final = b"\r\nCookie: "


class Head:
    """One request head. Shared between requests that repeat it, so it does not change once it is made.

    `target` is as it came; `route` is method and target; `fields` is that of `section`, and what follows it there as
    well; `cookie` is the value of a Cookie line that is not in `section`; `secret`: it carries cookies or credentials;
    `simple`: a GET of HTTP/1.1 for all of something, without content, that keeps the connection.
    """

    __slots__ = (
        "conditional", "cookie", "fields", "has_content", "keep_alive", "method", "path", "protocol", "query", "route",
        "secret", "section", "simple", "target",
    )  # fmt: skip

    def __init__(self, method: str, target: str, section: FieldSection, cookie: str | None = None) -> None:
        """Raises `RequestRefused`."""
        self.method = method
        self.target = target
        self.route = method + " " + target
        self.path, self.query, authority = parse_target(method, target)
        if authority is not None:
            section = section.of_host(authority)
        self.section = section
        self.cookie = cookie
        self.fields = section.fields
        self.protocol = section.protocol
        self.has_content = section.has_content
        self.keep_alive = section.keep_alive
        self.conditional = section.conditional
        self.secret = section.secret or cookie is not None
        self.simple = (
            method == "GET"
            and section.keep_alive
            and not (section.conditional or section.has_content)
            and section.protocol == "HTTP/1.1"
        )


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
        parse_request_line(buffer, line_end)
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


def parse_request_line(data: bytes, end: int) -> re.Match[bytes]:
    """The match of `REQUEST_LINE` from 0 to `end`. Raises `RequestRefused`: 400, or 505 for another major version."""
    match = REQUEST_LINE.fullmatch(data, 0, end)
    if match is None:
        detail = BARE_LF_DETAIL if b"\n" in data[:end] else "The request line is malformed."
        raise RequestRefused(400, detail, close=True)
    if match[3] != b"1":
        raise RequestRefused(505, "This server speaks HTTP/1.1.", close=True)
    return match


def take_head(buffer: bytes, scanned: int, limits: Limits, memory: SectionMemory) -> tuple[Head, int] | None:
    """The head at the start of `buffer`, and the index after its empty line. None: more is needed.

    `scanned` as `head_end`. Raises `RequestRefused`. Any thread may call.
    """
    parts, end = None, len(buffer)
    if end <= limits.max_head and buffer.endswith(HEAD_END):
        # If a section is remembered, all of this is one head: there is no empty line in its parts. So the usual head
        # is not searched for its end, which takes as long as a third of the rest.
        parts = _divide(buffer, memory)
    if parts is None or parts[3] is None:
        end = head_end(buffer, scanned, limits.max_head)
        if end < 0:
            return None
        if parts is None or end < len(buffer):
            parts = _divide(buffer[:end], memory)
    line, block, cookie, section = parts
    if section is None:
        protocol = "HTTP/1.0" if line[4] == b"0" else "HTTP/1.1"
        section = parse_section(block, protocol, limits, memory)
        if cookie is not None and "HTTP_COOKIE" in section.fields:  # of several lines one value is made
            section, cookie = parse_section(buffer[line.end() : end - 4], protocol, limits, memory), None
    try:
        value = None if cookie is None else _cookie_value(cookie, section, limits)
        return Head(line[1].decode("ascii"), line[2].decode("ascii"), section, value), end
    except RequestRefused as refusal:
        refusal.accept = section.fields.get("HTTP_ACCEPT")
        raise


def _divide(raw: bytes, memory: SectionMemory) -> tuple[re.Match[bytes], bytes, bytes | None, FieldSection | None]:
    """A head -> its request line, its field lines but for the cookie, what follows `Cookie: `, what is remembered.

    Raises `RequestRefused`.
    """
    start = raw.find(CRLF)
    line = parse_request_line(raw, start)
    at = raw.find(_COOKIE, start)
    if at < 0:
        block, cookie = raw[start:-4], None
    else:
        end = raw.find(CRLF, at + len(CRLF))
        block, cookie = raw[start:at] + raw[end:-4], raw[at + len(_COOKIE) : end]
    return line, block, cookie, None if line[4] == b"0" else memory.sections.get(block)


def _cookie_value(text: bytes, section: FieldSection, limits: Limits) -> str:
    """What follows `Cookie: ` in a line beside `section` -> the field's value. Raises `RequestRefused`."""
    if section.count >= limits.max_fields:
        raise too_many_fields(limits)
    if FIELD_VALUE.fullmatch(text) is None:
        parse_field_line(b"Cookie:" + text)  # which says what is wrong
    return text.strip(OWS).decode("latin-1")
