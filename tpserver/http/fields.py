"""Parses and checks field lines (RFC 9112 section 5), with a cache of the lines that clients repeat.

A field has the name of its CGI meta-variable (RFC 3875 section 4.1.18), which a WSGI application reads:
`Accept-Language: en` is ("HTTP_ACCEPT_LANGUAGE", "en").
"""

from __future__ import annotations

from typing import Final, TypeAlias

from tpserver.errors import RequestRefused
from tpserver.http.grammar import CONTENT_LENGTH, FIELD_LINE, OWS
from tpserver.http.hosts import check_host
from tpserver.http.repeated import Repeated

# Lines with secrets are never cached.
SECRET_NAMES: Final = frozenset({"HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"})

# Fields that must not be repeated: a second one could change the meaning of the message.
SINGLE_NAMES: Final = frozenset({"HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_AUTHORIZATION"})

DROPPED: Final = ("", "")

# Not prefixed with HTTP_ in the CGI environment (RFC 3875 section 4.1). Dropped: CGI programs and HTTP clients read the
# variable HTTP_PROXY as a setting (httpoxy).
_SPECIAL_NAMES: Final = {
    "HTTP_CONTENT_TYPE": "CONTENT_TYPE",
    "HTTP_CONTENT_LENGTH": "CONTENT_LENGTH",
    "HTTP_PROXY": "",
}

# Names of fields whose values differ from request to request, so that their lines are rarely in the cache.
_COMMON_NAMES: Final = {b"Cookie": "HTTP_COOKIE", b"Referer": "HTTP_REFERER", b"Content-Length": "CONTENT_LENGTH"}

# Most field lines in the cache, and the longest one, in bytes.
MEMORY_LINES: Final = 1024
MEMORY_LINE_LENGTH: Final = 512

FieldMemory: TypeAlias = Repeated[bytes, tuple[str, str]]

BARE_LF_DETAIL: Final = "A line ends with LF alone."


def field_memory() -> FieldMemory:
    """A new, empty cache of field lines."""
    return Repeated(MEMORY_LINES)


def parse_field_line(line: bytes, memory: FieldMemory | None = None) -> tuple[str, str]:
    """One field line without its CRLF -> (CGI name, value); `DROPPED` for one that is not passed on.

    A valid line without secrets is added to the cache `memory`, in which the caller looks first. Raises
    `RequestRefused` (400). Any thread may call: two threads write equal entries.
    """
    match = FIELD_LINE.fullmatch(line)
    if match is None:
        raise RequestRefused(400, _fault(line), close=True)
    name, text = match.groups()
    key = _COMMON_NAMES.get(name) or _cgi_name(name)
    if not key:
        return DROPPED
    value = text.strip(OWS).decode("latin-1")
    if key == "HTTP_HOST":
        check_host(value)
    elif key == "CONTENT_LENGTH" and CONTENT_LENGTH.fullmatch(value) is None:
        raise RequestRefused(400, "Content-Length must be one number.", close=True)
    if memory is not None and key not in SECRET_NAMES and len(line) <= MEMORY_LINE_LENGTH:
        memory.add(line, (key, value))
    return key, value


def _cgi_name(name: bytes) -> str:
    if b"_" in name:
        return ""  # X_Forwarded_For and X-Forwarded-For have the same CGI name
    key = "HTTP_" + name.decode("ascii").upper().replace("-", "_")
    return _SPECIAL_NAMES.get(key, key)


def join(key: str, first: str, second: str) -> str:
    """The combined value of two lines of the same name (RFC 9110 section 5.3). Raises `RequestRefused` (400)."""
    if key in SINGLE_NAMES:
        name = key.removeprefix("HTTP_").replace("_", "-").title()
        raise RequestRefused(400, f"The field {name} must not be repeated.", close=True)
    return first + ("; " if key == "HTTP_COOKIE" else ", ") + second


def _fault(line: bytes) -> str:
    if b"\n" in line:
        return BARE_LF_DETAIL
    if line[:1] in (b" ", b"\t"):
        return "A field line begins with white space (obsolete line folding)."
    name, colon, _ = line.partition(b":")
    if not colon:
        return "A field line has no colon."
    if name.endswith((b" ", b"\t")):
        return "A field line has white space before the colon."
    return "A field line contains a byte that is not allowed there."
