"""The head of a request: request line and field section (RFC 9112 sections 3, 5, 6 and 9.3)."""

from __future__ import annotations

import re
from typing import Final

from tpserver.errors import RequestRefused
from tpserver.http.fields import BARE_LF_DETAIL
from tpserver.http.grammar import (
    BARE_LF,
    CRLF,
    FIELD_VALUE,
    HEAD_END,
    OWS,
    REQUEST_LINE,
    REQUEST_LINE_BEGIN,
    USUAL_LINE,
)
from tpserver.http.section import FieldSection, Limits, SectionMemory, parse_section
from tpserver.http.target import parse_target

_COOKIE: Final = b"\r\nCookie: "
# Bound once: they are called for every head.
_match_value: Final = FIELD_VALUE.fullmatch
_match_usual_line: Final = USUAL_LINE.fullmatch


class Head:
    """One request head. Shared between requests that repeat it, so it does not change once it is made.

    `target` is as it came; `path` and `query` as `parse_target`; `cookie` is the value of a Cookie line that is not in
    `section`. What the section says by itself is asked of that: most requests need little of it.
    """

    __slots__ = ("cookie", "method", "path", "query", "section", "target")

    def __init__(
        self,
        method: str,
        target: str,
        section: FieldSection,
        cookie: str | None = None,
        path: str | None = None,
        query: str = "",
    ) -> None:
        """`path` and `query`, where they are known already. Raises `RequestRefused`."""
        if path is None:
            path, query, authority = parse_target(method, target)
            if authority is not None:
                section = section.of_host(authority)
        self.method = method
        self.target = target
        self.path = path
        self.query = query
        self.section = section
        self.cookie = cookie

    @property
    def route(self) -> str:
        """Method and target."""
        return f"{self.method} {self.target}"

    @property
    def fields(self) -> dict[str, str]:
        """As in the section."""
        return self.section.fields

    @property
    def protocol(self) -> str:
        """As in the section."""
        return self.section.protocol

    @property
    def secret(self) -> bool:
        """Whether it carries cookies or credentials."""
        return self.cookie is not None or self.section.secret

    def with_fields(self, fields: dict[str, str]) -> Head:
        """As this one, with other fields: see `FieldSection.with_fields`."""
        section = self.section.with_fields(fields)
        return Head(self.method, self.target, section, self.cookie, self.path, self.query)


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


def take_head(
    buffer: bytes, scanned: int, limits: Limits, memory: SectionMemory, last: FieldSection | None = None
) -> tuple[Head, int] | None:
    """The head at the start of `buffer`, and the index after its empty line. None: more is needed.

    `scanned` as `head_end`; `last` is the section of the head before on this connection. Raises `RequestRefused`. Any
    thread may call.
    """
    if last is not None:
        # Most heads are the one before but for the request line and the cookie. Then there is no need to search for
        # the end of the head, for its cookie, or for its section: each takes as long as all that is done here.
        before, after = last.around
        start = buffer.find(CRLF)
        if buffer.startswith(before, start):
            at = start + len(before)
            end = buffer.find(after, at)
            if 0 <= end <= limits.max_head - len(after) and _match_value(buffer, at, end):
                usual = _match_usual_line(buffer[:start].decode("latin-1"))
                if usual is not None:
                    method, target, path, query = usual.groups()
                    cookie = buffer[at:end].strip(OWS).decode("latin-1") if after else None
                    return Head(method, target, last, cookie, path, query or ""), end + len(after)
                line = parse_request_line(buffer, start)
                if line[4] != b"0":
                    return _make_head(line, last, buffer[at:end] if after else None), end + len(after)
    end = head_end(buffer, scanned, limits.max_head)
    return None if end < 0 else (_parse_head(buffer[:end], limits, memory), end)


def _parse_head(raw: bytes, limits: Limits, memory: SectionMemory) -> Head:
    start = raw.find(CRLF)
    line = parse_request_line(raw, start)
    if line[4] == b"0":
        return _make_head(line, parse_section(raw[start:-4], "HTTP/1.0", limits, memory), None)
    at = raw.find(_COOKIE, start)
    if at < 0:
        section = _find_section(raw[start:-4], limits, memory)
        section.around = raw[start:], b""
        return _make_head(line, section, None)
    end = raw.find(CRLF, at + len(CRLF))
    section = _find_section(raw[start:at] + raw[end:-4], limits, memory)
    if "HTTP_COOKIE" in section.fields:  # of several lines one value is made
        return _make_head(line, parse_section(raw[start:-4], "HTTP/1.1", limits, memory), None)
    section.check_cookie(raw[at + len(CRLF) : end], limits)
    at += len(_COOKIE)
    section.around = raw[start:at], raw[end:]
    return _make_head(line, section, raw[at:end])


def _find_section(block: bytes, limits: Limits, memory: SectionMemory) -> FieldSection:
    return memory.sections.get(block) or parse_section(block, "HTTP/1.1", limits, memory)


def _make_head(line: re.Match[bytes], section: FieldSection, cookie: bytes | None) -> Head:
    value = None if cookie is None else cookie.strip(OWS).decode("latin-1")
    try:
        return Head(line[1].decode("ascii"), line[2].decode("ascii"), section, value)
    except RequestRefused as refusal:
        refusal.accept = section.fields.get("HTTP_ACCEPT")
        raise
