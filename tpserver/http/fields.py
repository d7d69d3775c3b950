"""Field lines (RFC 9112 section 5) and the memory of those that come again and again.

A field is kept under its CGI meta-variable name (RFC 3875 section 4.1.18), because that is what a
WSGI application reads: `Accept-Language: en` is ("HTTP_ACCEPT_LANGUAGE", "en").
"""

from __future__ import annotations

import ipaddress
from typing import Final

from tpserver.errors import RequestRefused
from tpserver.http.grammar import (
    CONTENT_LENGTH,
    CONTENT_LENGTH_DIGITS,
    FIELD_LINE,
    HOST,
    HOST_LIST,
    OWS,
)

# Lines that carry secrets are never kept beyond the request that brought them.
SECRET_NAMES: Final = frozenset({"HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"})

# Fields of which a second one changes what the message means: refused, never joined.
SINGLE_NAMES: Final = frozenset(
    {"HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_AUTHORIZATION"}
)

# Dropped: CGI programs and HTTP clients take an environment's HTTP_PROXY for a setting (httpoxy).
_DROPPED_NAMES: Final = frozenset({b"PROXY"})

# Not prefixed with HTTP_ in the CGI environment (RFC 3875 section 4.1).
_PLAIN_NAMES: Final = {b"CONTENT-TYPE": "CONTENT_TYPE", b"CONTENT-LENGTH": "CONTENT_LENGTH"}

DROPPED: Final = ("", "")

# Names of lines that differ from request to request, and are read each time.
_COMMON_NAMES: Final = {
    b"Cookie": "HTTP_COOKIE",
    b"Authorization": "HTTP_AUTHORIZATION",
    b"Referer": "HTTP_REFERER",
    b"Content-Length": "CONTENT_LENGTH",
}

# How many field lines are remembered at once, and how long a remembered line may be, in bytes.
MEMORY_LINES: Final = 1024
MEMORY_LINE_LENGTH: Final = 512

FieldMemory = dict[bytes, tuple[str, str]]


def parse_field_line(line: bytes, memory: FieldMemory) -> tuple[str, str]:
    """One field line without its CRLF -> (CGI name, value); `DROPPED` for one that nobody shall see.

    A checked line without secrets goes into `memory`, where the caller looks first. Raises
    `RequestRefused` (400). Any thread may call: what two threads write at once is equal.
    """
    match = FIELD_LINE.fullmatch(line)
    if match is None:
        raise _malformed(line)
    name, value = match.groups()
    key = _COMMON_NAMES.get(name) or _key(name.upper())
    value = value.strip(OWS).decode("latin-1")
    if not key:
        return DROPPED
    if key == "HTTP_HOST":
        check_host(value)
    elif key == "CONTENT_LENGTH":
        _check_content_length(value)
    if key not in SECRET_NAMES and len(line) <= MEMORY_LINE_LENGTH:
        if len(memory) >= MEMORY_LINES:
            memory.clear()
        memory[line] = (key, value)
    return key, value


def _key(name: bytes) -> str:
    """A field name in upper case -> its CGI name; "" for a field that nobody shall see."""
    if b"_" in name or name in _DROPPED_NAMES:
        return ""  # X_Forwarded_For would pass for X-Forwarded-For
    return _PLAIN_NAMES.get(name) or "HTTP_" + name.decode("ascii").replace("-", "_")


def join(key: str, first: str, second: str) -> str:
    """A field's value when a second line of the same name follows (RFC 9110 section 5.3)."""
    if key in SINGLE_NAMES:
        raise RequestRefused(400, f"The field {field_name(key)} came twice.", close=True)
    return first + ("; " if key == "HTTP_COOKIE" else ", ") + second


def field_name(key: str) -> str:
    """CONTENT_TYPE, HTTP_HOST -> Content-Type, Host: the name as a person writes it."""
    return key.removeprefix("HTTP_").replace("_", "-").title()


def check_host(value: str) -> None:
    """Host = uri-host [ ":" port ] (RFC 9110 section 7.2), or empty. Raises `RequestRefused` (400)."""
    match = HOST.fullmatch(value)
    if match is None or HOST_LIST in value or not _possible(match[1], match[2]):
        raise RequestRefused(400, "The Host field names no valid host.", close=True)


def _possible(host: str, port: str | None) -> bool:
    if port is not None and (not host or int(port or "0") > 65535):
        return False
    if host.startswith("[") and not host.startswith("[v"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
    return True


def _check_content_length(value: str) -> None:
    if CONTENT_LENGTH.fullmatch(value) is None:
        raise RequestRefused(400, "Content-Length must be one number.", close=True)


def content_length(value: str, limit: int) -> int:
    """A checked Content-Length, in bytes. Raises `RequestRefused` (413) beyond `limit` bytes."""
    digits = value.lstrip("0") or "0"
    if len(digits) > CONTENT_LENGTH_DIGITS or int(digits) > limit:
        raise RequestRefused(413, f"The content is larger than {limit} bytes.", close=True)
    return int(digits)


def _malformed(line: bytes) -> RequestRefused:
    if line[:1] in (b" ", b"\t"):
        detail = "A field line begins with white space (obsolete line folding)."
    elif b":" not in line:
        detail = "A field line has no colon."
    elif line[: line.index(b":")].endswith((b" ", b"\t")):
        detail = "White space stands before the colon of a field line."
    else:
        detail = "A field line holds a byte that is not allowed there."
    return RequestRefused(400, detail, close=True)
