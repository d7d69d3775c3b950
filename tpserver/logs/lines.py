"""The lines that a log has for a request, whatever its client has put into it: bounded, of printable ASCII."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from tpserver.http.dates import format_date
from tpserver.http.head import Head
from tpserver.http.refused import RefusedHead
from tpserver.system.terminal import CYAN, FAINT, GREEN, RED, YELLOW, coloured

# Characters of a value that a line has at the most: they are cut off before they are escaped, which takes 40 ns each.
LONGEST: Final = 2048
# Seconds from which on a line has at its end how many the request took.
SLOW: Final = 1.0
# Control characters, which could end a line or move a terminal's cursor, and bytes of an unknown coding are escaped.
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0x100))} | {
    ord('"'): '\\"',
    ord("\\"): "\\\\",
}
# Bytes that need no escape.
_PLAIN: Final = bytes(code for code in range(0x80) if code not in _ESCAPES)
# The status in a line: behind the request, in which a quote is escaped.
_STATUS: Final = r'(?<!\\)" (\d{3}) (?=[\d-])'
_COLOURS: Final = dict(zip("12345", (FAINT, GREEN, CYAN, YELLOW, RED), strict=True))
# A space in what must be one word.
_SPACE: Final = "\\x20"
_NO_FIELDS: Final[Mapping[str, str]] = {}


def combined(
    when: float,
    client_address: object,
    head: Head | RefusedHead | None,
    status: int,
    length: int,
    elapsed: float = 0.0,
    user: str = "-",
) -> str:
    """A line in the Combined Log Format of Apache httpd; that of a slow request has its seconds at the end.

    `when` is in seconds since the epoch, `length` in bytes of content, `elapsed` in seconds. `client_address` as the
    socket has it. `head` is None where nothing has come of it.
    """
    host = client_address[0] if type(client_address) is tuple and client_address else "-"
    if type(head) is Head:
        section = head.section
        request = f"{head.method} {head.target} {section.protocol}"
        fields: Mapping[str, str] = section.fields
    else:
        request, fields = _what_came(head)
    referer = fields.get("HTTP_REFERER", "-")
    agent = fields.get("HTTP_USER_AGENT", "-")
    # Nearly all are plain. To see that of the three at once takes a fifteenth of the time that escaping them takes.
    values = f"{request}{referer}{agent}"
    if len(values) > LONGEST or values.encode().translate(None, _PLAIN):  # something is left: it is not plain
        request, referer, agent = escaped(request), escaped(referer), escaped(agent)
    if user != "-":
        user = escaped(user).replace(" ", _SPACE)
    line = f'{host} - {user} [{_when(int(when))}] "{request}" {status} {length or "-"} "{referer}" "{agent}"\n'
    return line if elapsed < SLOW else f"{line[:-1]} {elapsed:.3f}\n"


def host_prefix(head: Head | RefusedHead | None, port: int) -> str:
    """What stands before a line of a server with virtual hosts: the host that was asked for, and the server's port."""
    name = "" if head is None else head.fields.get("HTTP_HOST", "")
    before, _, after = name.rpartition(":")
    if after.isdigit():
        name = before
    return f"{escaped(name.lower()).replace(' ', _SPACE) or '-'}:{port} "


def refusal(client_address: object, head: Head | RefusedHead | None, status: int, reason: str) -> str:
    """What the server's log has of a request that was refused."""
    host = client_address[0] if isinstance(client_address, tuple) and client_address else "-"
    request, fields = _what_came(head)
    agent = escaped(fields.get("HTTP_USER_AGENT", "-"))
    return f'{host} "{escaped(request)}" refused with {status}: {reason} (agent "{agent}")'


def with_colours(text: str) -> str:
    """Lines of the access log for a terminal: the status is in the colour of its class."""
    return re.sub(_STATUS, lambda match: f'" {coloured(match[1], _COLOURS[match[1][0]])} ', text)


def escaped(text: str) -> str:
    """At most `LONGEST` characters of a value, with an ellipsis where there are more."""
    if len(text) > LONGEST:
        text = text[:LONGEST] + "..."
    return text.translate(_ESCAPES)


def _what_came(head: Head | RefusedHead | None) -> tuple[str, Mapping[str, str]]:
    """The request line, and the fields."""
    if head is None:
        return "-", _NO_FIELDS
    return head.line if isinstance(head, RefusedHead) else f"{head.route} {head.protocol}", head.fields


@lru_cache(maxsize=1)
def _when(seconds: int) -> str:
    _, day, month, year, time, _ = format_date(seconds).split()
    return f"{day}/{month}/{year}:{time} +0000"
