"""Cross-origin requests: which scripts may read the answers (Fetch standard, section 3.3, "CORS protocol")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from tpserver.http.grammar import TOKEN_TEXT
from tpserver.http.lists import members

ANY: Final = "*"
Fields = tuple[tuple[str, str], ...]

METHODS: Final = "GET, HEAD, OPTIONS"
# Seconds for which a browser may remember the answer to a preflight.
MAX_AGE: Final = 3600
# What a script may read besides the few fields that are always readable. `*` does not count where credentials are sent.
EXPOSED: Final = (
    "Accept-Ranges, Allow, Content-Disposition, Content-Encoding, Content-Length, Content-Range, Date, ETag, Location,"
    " Retry-After, Server, Vary"
)
# An origin as browsers write it (RFC 6454 section 6.2); a host with letters of other scripts is in its ASCII form.
_ORIGIN: Final = r"([a-z][a-z0-9+.-]*)://([a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def parse_origin(text: str) -> str:
    """A text such as "https://app.example", "null" or "*" -> the origin as browsers send it. Raises ValueError."""
    if text in (ANY, "null"):
        return text
    match = re.fullmatch(_ORIGIN, text.lower().removesuffix("/"))
    if match is None:
        raise ValueError(f"{text!r} is no origin: it is scheme://host or scheme://host:port, or * for all")
    scheme, host, port = match.groups()
    port = port and (port.lstrip("0") or "0")
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


class CrossOrigin:
    """Whom the answers may be read by: scripts of some origins, or of all. Immutable; any thread may call."""

    def __init__(self, origins: Iterable[str]) -> None:
        """`origins` are as `parse_origin` returns them."""
        self._origins = frozenset(origins)
        self._any = ANY in self._origins

    def fields(self, fields: Mapping[str, str]) -> Fields:
        """The fields of each answer to a request with these `fields`, which are named as in WSGI."""
        if self._any:
            allowed = ANY
        else:
            allowed = fields.get("HTTP_ORIGIN", "")
            if allowed not in self._origins:
                return (("Vary", "Origin"),)
        about = (("Access-Control-Allow-Origin", allowed), ("Access-Control-Expose-Headers", EXPOSED))
        return about if self._any else (("Vary", "Origin"), *about)

    def lines(self, fields: Mapping[str, str]) -> bytes:
        """The same as field lines."""
        return "".join([f"{name}: {value}\r\n" for name, value in self.fields(fields)]).encode("latin-1")

    def preflight(self, fields: Mapping[str, str]) -> Fields:
        """What the answer to a preflight has besides `fields`: methods, names of fields, and how long it may be kept.

        Fields are allowed one and all: a script can do no harm by them that another client could not do. A list that is
        too long, or has what is no name of a field, allows none.
        """
        if not self._any and fields.get("HTTP_ORIGIN") not in self._origins:
            return ()
        more = [("Access-Control-Allow-Methods", METHODS), ("Access-Control-Max-Age", str(MAX_AGE))]
        names = members(fields.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", ""))
        if names and all(map(TOKEN_TEXT.fullmatch, names)):
            more.append(("Access-Control-Allow-Headers", ", ".join(names)))
        return tuple(more)


def is_preflight(method: str, fields: Mapping[str, str]) -> bool:
    """Whether a browser asks, before it sends a request of a script, if it may."""
    return method == "OPTIONS" and "HTTP_ORIGIN" in fields and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in fields
