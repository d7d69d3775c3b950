"""Response heads of the application, checked, and of the server (RFC 9112 section 4).

Everything that an application returns is checked before it is sent: a CR or LF in it could start a second response
(response splitting).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, TypeAlias

from tpserver.errors import ApplicationError, UsageError
from tpserver.http.grammar import CONTENT_LENGTH, CRLF, FIELD_VALUE_TEXT, STATUS_TEXT, TOKEN_TEXT
from tpserver.http.lists import members
from tpserver.http.repeated import Repeated

_RENAMED: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
# Status codes and their reason phrases (RFC 9110 section 15).
REASONS: Final = {status.value: status.phrase for status in HTTPStatus} | _RENAMED

# Hop-by-hop fields (RFC 9110 section 7.6.1): only the server may send them.
HOP_BY_HOP: Final = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip

CLOSE_LINE: Final = b"Connection: close\r\n"
KEEP_ALIVE_LINE: Final = b"Connection: keep-alive\r\n"  # HTTP/1.0 clients need to be told
CHUNKED_LINE: Final = b"Transfer-Encoding: chunked\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

# Most response heads in the cache, and the longest one, in bytes.
MEMORY_HEADS: Final = 256
MEMORY_HEAD_LENGTH: Final = 2048


def bodiless(status: int) -> bool:
    """Whether responses of this status have no content (RFC 9110 sections 6.4.1 and 15.3.6)."""
    return status in (204, 205, 304) or status < 200


class ResponseHead:
    """A checked head. `lines` is the status line and the field lines, without those that the server adds.

    `content_length` is the value of that field, or None. `has_date` and `has_server` tell whether the application sent
    these fields; the server adds only the missing ones. `closes`: it asks for the end of the connection. `plain`: it
    has a content and keeps the connection.
    """

    __slots__ = (
        "_complete", "_stamp", "bodiless", "closes", "content_length", "has_date", "has_server", "lines", "plain",
        "status",
    )  # fmt: skip

    def __init__(
        self, status: int, lines: bytes, names: set[str], content_length: int | None, *, closes: bool = False
    ) -> None:
        self.status = status
        self.lines = lines
        self.content_length = content_length
        self.bodiless = bodiless(status)
        self.closes = closes
        self.plain = not (self.bodiless or closes)
        self.has_date = "date" in names
        self.has_server = "server" in names
        self._stamp = self._complete = b""

    def complete(self, stamp: bytes) -> bytes:
        """The complete head of a response that keeps the connection; cached for one `stamp`, that is for a second."""
        if self._stamp is not stamp:
            missing = missing_stamp(self, stamp) if self.has_date or self.has_server else stamp
            # Two threads may do this at once: return the local value, not the attribute.
            complete = b"%b%b\r\n" % (self.lines, missing)
            self._complete, self._stamp = complete, stamp
            return complete
        return self._complete

    def complete_last(self, stamp: bytes) -> bytes:
        """The same, of the last response on its connection (RFC 9112 section 9.6)."""
        return self.complete(stamp)[: -len(CRLF)] + CLOSE_LINE + CRLF


# Checked heads by (status, *fields).
ResponseMemory: TypeAlias = Repeated[tuple[object, ...], ResponseHead]


def response_memory() -> ResponseMemory:
    """A new, empty cache of heads."""
    return Repeated(MEMORY_HEADS)


def application_head(status: str, fields: list[tuple[str, str]], memory: ResponseMemory) -> ResponseHead:
    """The arguments of `start_response` (PEP 3333) -> a checked head.

    `memory` caches heads; one that sets a cookie is never cached. Raises `ApplicationError` with a text that says what
    to change. Any thread may call.
    """
    try:
        key = (status, *fields)
        known = memory.get(key)
    except TypeError:  # a part cannot be hashed or iterated
        return _check_head(status, fields)  # which reports it
    if known is not None and type(fields) is list:
        return known
    head = _check_head(status, fields)
    if len(head.lines) <= MEMORY_HEAD_LENGTH and b"\r\nset-cookie:" not in head.lines.lower():
        memory.add(key, head)
    return head


def early_hints_head(fields: list[tuple[str, str]]) -> bytes:
    """A complete 103 response (RFC 8297) with the application's fields. Raises `ApplicationError`."""
    checked = list(map(_check_field, fields))
    if any(name.lower() == "content-length" for name, _ in checked):
        raise ApplicationError("wsgi.early_hints() was given a Content-Length; an interim response has no content.")
    lines = [f"{name}: {value}\r\n".encode("latin-1") for name, value in checked if name.lower() != "connection"]
    return b"HTTP/1.1 103 Early Hints\r\n" + b"".join(lines) + b"\r\n"


def _check_head(status: str, fields: list[tuple[str, str]]) -> ResponseHead:
    code, line = _check_status(status)
    if type(fields) is not list:
        raise ApplicationError(
            f"start_response() was given {_kind(fields)} of fields; it takes a list of (name, value) tuples."
        )
    names: set[str] = set()
    lines = [line]
    content_length: int | None = None
    closes = False
    for field in fields:
        name, value = _check_field(field)
        lowered = name.lower()
        if lowered == "connection":  # the server sends its own
            closes = closes or "close" in (members(value) or ())
            continue
        if lowered == "content-length":
            content_length = _check_content_length(value, content_length)
            if bodiless(code):
                continue  # RFC 9110 section 8.6 forbids it with 204; a 304's would have to be exact
        names.add(lowered)
        lines.append(f"{name}: {value}\r\n".encode("latin-1"))
    if code == 205:  # unlike 204 and 304, its status alone does not say that there is no content (RFC 9112 section 6.3)
        lines.append(b"Content-Length: 0\r\n")
    return ResponseHead(code, b"".join(lines), names, content_length, closes=closes)


def _check_status(status: object) -> tuple[int, bytes]:
    if not isinstance(status, str):
        hint = f"; write {status.decode('latin-1')!r}" if isinstance(status, bytes) else ""
        raise ApplicationError(f"start_response() was given {_kind(status)} as status; it takes a str{hint}.")
    match = STATUS_TEXT.fullmatch(status)
    if match is None:
        raise ApplicationError(
            f"start_response() was given the status {status!r}; "
            "it takes three digits, a space and a reason, such as '200 OK'."
        )
    code = int(match[1] or match[3])
    if code < 200:
        hint = " This server has no WebSocket, and no other protocol to switch to." if code == 101 else ""
        raise ApplicationError(f"start_response() was given {status!r}; a final status is 200 or above.{hint}")
    reason = REASONS.get(code, "") if match[2] is None else match[2]
    return code, f"HTTP/1.1 {code} {reason}\r\n".encode("latin-1")


def _check_field(field: object) -> tuple[str, str]:
    if not isinstance(field, tuple) or len(field) != 2:
        raise ApplicationError(f"start_response() was given {field!r} as a field; it takes a tuple (name, value).")
    name, value = field
    for part in (name, value):
        if not isinstance(part, str):
            raise ApplicationError(
                f"The field {field!r} has {_kind(part)} in it; names and values are str (decode bytes as latin-1)."
            )
    if TOKEN_TEXT.fullmatch(name) is None:
        raise ApplicationError(f"The field name {name!r} has a character that is not allowed in field names.")
    if name.lower() == "trailer":
        raise ApplicationError(
            f"The field {name!r} is hop-by-hop and announces trailers, which tpserver does not send. Leave it out."
        )
    if name.lower() in HOP_BY_HOP and not _says_whether_to_close(name, value):
        raise ApplicationError(
            f"The field {name!r} is hop-by-hop: only the server may send it (PEP 3333). Leave it out."
        )
    if FIELD_VALUE_TEXT.fullmatch(value) is None:
        raise ApplicationError(
            f"The value of the field {name!r}, {value!r}, has a control character (such as CR or LF) or a character "
            "outside latin-1. Quote or remove it."
        )
    return name, value


def _says_whether_to_close(name: str, value: str) -> bool:
    """Whether it is a Connection field that names no other field: these come from libraries, and harm nothing."""
    return name.lower() == "connection" and {"close", "keep-alive"}.issuperset(members(value) or [""])


def _check_content_length(value: str, earlier: int | None) -> int:
    if CONTENT_LENGTH.fullmatch(value) is None or len(value) > 18:
        raise ApplicationError(f"The Content-Length {value!r} is not a number of bytes.")
    if earlier is not None:
        raise ApplicationError("Content-Length was given twice.")
    return int(value)


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def server_timing(queue: float, application: float) -> bytes:
    """The Server-Timing field line (W3C Server Timing). `queue` and `application` are in seconds."""
    total = queue + application
    return (
        f"Server-Timing: queue;dur={queue * 1e3:.2f}, app;dur={application * 1e3:.2f}, total;dur={total * 1e3:.2f}\r\n"
    ).encode("latin-1")


def own_head(status: int, fields: Iterable[tuple[str, str]]) -> bytes:
    """Status line and field lines of a response of the server. The fields are not checked."""
    lines = [f"HTTP/1.1 {status} {REASONS[status]}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in fields]
    return "".join(lines).encode("latin-1")


def server_value(text: str | None) -> str | None:
    """The value of `--server-header` -> that of the Server field, "" for none. Raises `UsageError`."""
    if text is None:
        return None
    if re.fullmatch(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?", text) is None:
        raise UsageError(f"--server-header {text!r}: it takes up to 256 visible ASCII characters, or none")
    return "" if text == "none" else text


# Fields of the server's own that a rule of `--header` replaces. Others are lists, or more than one holds at once.
_REPLACED: Final = frozenset({"cache-control", "content-disposition", "x-content-type-options"})


def with_rules(fields: Iterable[tuple[str, str]], rules: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The server's own `fields` of a response, and behind them those that `rules` give."""
    if not rules:
        return tuple(fields)
    replaced = _REPLACED.intersection([name.lower() for name, _ in rules])
    return (*[field for field in fields if field[0].lower() not in replaced], *rules)


def stamp(date: str, software: str) -> bytes:
    """The Date and Server lines, which every response has (RFC 9110 sections 6.6.1 and 10.2.4).

    Without `software` the Date line only.
    """
    server = f"Server: {software}\r\n" if software else ""
    return f"Date: {date}\r\n{server}".encode("latin-1")


def missing_stamp(head: ResponseHead, both: bytes) -> bytes:
    """The stamp `both` without the lines that the application has sent itself."""
    date, end, rest = both.partition(b"\r\n")
    if head.has_server and rest.startswith(b"Server: "):
        rest = rest.partition(b"\r\n")[2]
    return rest if head.has_date else date + end + rest


def persistence_line(protocol: str, keep_alive: bool) -> bytes:
    """The Connection field line; b"" where none is needed (RFC 9112 section 9.3)."""
    if not keep_alive:
        return CLOSE_LINE
    return KEEP_ALIVE_LINE if protocol == "HTTP/1.0" else b""


def chunk(data: bytes) -> bytes:
    """One chunk (RFC 9112 section 7.1). `data` must not be empty: an empty chunk ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
