"""Parses request targets in their four forms (RFC 9112 section 3.2)."""

from __future__ import annotations

import functools
import re
from binascii import a2b_qp
from typing import Final

from tpserver.errors import RequestRefused
from tpserver.http.grammar import ABSOLUTE_FORM, BAD_PERCENT, HOST
from tpserver.http.hosts import check_host

# (path, query, authority). The path is percent-decoded once, its bytes decoded as latin-1 (PEP 3333); "*" for the
# asterisk-form. The query is raw, without "?". The authority is that of an absolute-form, which replaces the Host field
# (RFC 9112 section 3.2.2), else None. A plain tuple, because one is made for every request.
Target = tuple[str, str, str | None]
# How much of a path tells its group, in characters.
LONGEST_GROUP: Final = 200
_ID: Final = re.compile(r"/[^/]*[0-9][^/]*")


def percent_encoded(character: re.Match[str]) -> str:
    """For `sub`: one character of latin-1 -> its percent-encoded form."""
    return f"%{ord(character[0]):02X}"


def parse_target(method: str, target: str) -> Target:
    """A target of visible ASCII without spaces -> its parts. Raises `RequestRefused` (400, or 501 for CONNECT)."""
    if "#" in target:
        raise RequestRefused(400, "A request target must not have a fragment.", close=True)
    if method == "CONNECT":
        match = HOST.fullmatch(target)
        if match is None or not match[1] or not match[3]:
            raise RequestRefused(400, "CONNECT needs a host and a port.", close=True)
        raise RequestRefused(501, "CONNECT is not supported: this server is not a proxy.", close=True)
    authority = None
    if target[0] != "/":
        if target == "*" and method == "OPTIONS":
            return "*", "", None
        match = re.fullmatch(ABSOLUTE_FORM, target)
        if match is None:
            raise RequestRefused(400, "The request target has none of the forms of RFC 9112.", close=True)
        authority, rest = match.groups()
        check_host(authority)
        if method == "OPTIONS" and rest is None:
            return "*", "", authority  # RFC 9112 section 3.2.4
        target = rest or "/"
    path, _, query = target.partition("?")
    if "%" in path:
        path = percent_decoded(path)
        if "\0" in path:
            raise RequestRefused(400, "The path contains a NUL.", close=True)
    return path or "/", query, authority


def percent_decoded(path: str) -> str:
    """Visible ASCII -> its percent-encoded octets decoded once, as latin-1. Other percent signs stay (`/100%`).

    Quoted-printable has the same escapes behind another sign, and a decoder in C: `unquote_to_bytes` takes three calls
    for each escape, and a target may have 21 000.
    """
    escaped = BAD_PERCENT.sub("%25", path).replace("=", "%3D").replace("%", "=")
    return a2b_qp(escaped).decode("latin-1")


@functools.lru_cache(maxsize=1024)
def route_group(method: str, path: str) -> str:
    """The method, and the path with a star for each segment that holds a digit, and for the last of several.

    >>> route_group("GET", "/report"), route_group("GET", "/report/march"), route_group("GET", "/user/7/posts/all")
    ('GET /report', 'GET /report/*', 'GET /user/*/posts/*')
    """
    path = _ID.sub("/*", path)
    beginning, _, last = path.rpartition("/")
    return f"{method} {beginning}/*" if beginning and last else f"{method} {path}"
