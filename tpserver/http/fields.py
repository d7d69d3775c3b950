"""Parses and checks field lines (RFC 9112 section 5), with a cache of the lines that clients repeat.

A field has the name of its CGI meta-variable (RFC 3875 section 4.1.18), which a WSGI application reads:
`Accept-Language: en` is ("HTTP_ACCEPT_LANGUAGE", "en").
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

# Lines with secrets are never cached.
SECRET_NAMES: Final = frozenset({"HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"})

# Fields that must not be repeated: a second one could change the meaning of the message.
SINGLE_NAMES: Final = frozenset(
    {"HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_AUTHORIZATION"}
)

# Dropped: CGI programs and HTTP clients read the variable HTTP_PROXY as a setting (httpoxy).
_DROPPED_NAMES: Final = frozenset({b"PROXY"})

# Not prefixed with HTTP_ in the CGI environment (RFC 3875 section 4.1).
_PLAIN_NAMES: Final = {b"CONTENT-TYPE": "CONTENT_TYPE", b"CONTENT-LENGTH": "CONTENT_LENGTH"}

DROPPED: Final = ("", "")

# Names of fields whose values differ from request to request, so that their lines are rarely in the cache.
_COMMON_NAMES: Final = {
    b"Cookie": "HTTP_COOKIE",
    b"Authorization": "HTTP_AUTHORIZATION",
    b"Referer": "HTTP_REFERER",
    b"Content-Length": "CONTENT_LENGTH",
}

# Most field lines in the cache, and the longest one, in bytes.
MEMORY_LINES: Final = 1024
MEMORY_LINE_LENGTH: Final = 512

FieldMemory = dict[bytes, tuple[str, str]]


def parse_field_line(line: bytes, memory: FieldMemory) -> tuple[str, str]:
    """One field line without its CRLF -> (CGI name, value); `DROPPED` for one that is not passed on.

    A valid line without secrets is added to the cache `memory`, in which the caller looks first. Raises
    `RequestRefused` (400). Any thread may call: two threads write equal entries.
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
    """A field name in upper case -> its CGI name; "" for a field that is dropped."""
    if b"_" in name or name in _DROPPED_NAMES:
        return ""  # X_Forwarded_For and X-Forwarded-For have the same CGI name
    return _PLAIN_NAMES.get(name) or "HTTP_" + name.decode("ascii").replace("-", "_")


def join(key: str, first: str, second: str) -> str:
    """The combined value of two lines of the same name (RFC 9110 section 5.3). Raises `RequestRefused` (400)."""
    if key in SINGLE_NAMES:
        raise RequestRefused(400, f"The field {field_name(key)} must not be repeated.", close=True)
    return first + ("; " if key == "HTTP_COOKIE" else ", ") + second


def field_name(key: str) -> str:
    """A CGI name -> the field name: CONTENT_TYPE -> Content-Type, HTTP_HOST -> Host."""
    return key.removeprefix("HTTP_").replace("_", "-").title()


def check_host(value: str) -> None:
    """Checks a Host field: uri-host [ ":" port ] (RFC 9110 section 7.2), or empty. Raises `RequestRefused` (400)."""
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
    """The number in a valid Content-Length field, in bytes. Raises `RequestRefused` (413) beyond `limit` bytes."""
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
        detail = "A field line has white space before the colon."
    else:
        detail = "A field line contains a byte that is not allowed there."
    return RequestRefused(400, detail, close=True)
