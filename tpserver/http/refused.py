"""What is known of a request that was refused before its head could be parsed: for the log, as it came."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# More of a request line than any log shows.
_LONGEST_LINE: Final = 4096
# Fields that logs show, as CGI names them. They are looked for in what has come, whatever else is wrong with it.
_SHOWN: Final = {
    name: rb"(?i)\n%b:[ \t]*([^\r\n]{0,%d})" % (field, _LONGEST_LINE)
    for name, field in (("HTTP_REFERER", b"Referer"), ("HTTP_USER_AGENT", b"User-Agent"), ("HTTP_HOST", b"Host"))
}


class RefusedHead:
    """`line` is the request line as far as it has come, of any bytes; `fields` are those that logs show."""

    __slots__ = ("fields", "line")

    def __init__(self, line: str, fields: Mapping[str, str]) -> None:
        self.line = line
        self.fields = fields


def refused_head(data: bytes) -> RefusedHead | None:
    """What can be told of the bytes that were to become a head; None where there are none."""
    if not data:
        return None
    line = data[:_LONGEST_LINE].partition(b"\n")[0].removesuffix(b"\r")
    found = ((name, re.search(expression, data)) for name, expression in _SHOWN.items())
    fields = {name: match[1].rstrip().decode("latin-1") for name, match in found if match}
    return RefusedHead(line.decode("latin-1"), fields)
