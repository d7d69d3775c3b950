"""The four forms of a request target (RFC 9112 section 3.2)."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from tpserver.errors import RequestRefused
from tpserver.http.fields import check_host
from tpserver.http.grammar import ABSOLUTE_FORM, BAD_PERCENT, HOST

# (path, query, authority): the path percent-decoded once, its bytes as latin-1 (PEP 3333); the query raw, without
# "?"; the authority that of an absolute-form, which then stands for the Host field (RFC 9112 section 3.2.2), else None.
# The path of an asterisk-form is "*". A plain tuple, because one is made for every request.
Target = tuple[str, str, str | None]


def parse_target(method: str, target: str) -> Target:
    """`target` is visible ASCII without spaces. Raises `RequestRefused` (400, or 501 for CONNECT)."""
    if "#" in target:
        raise RequestRefused(400, "A request target has no fragment.", close=True)
    if method == "CONNECT":
        return _authority_form(target)
    if target[0] == "/":
        return _origin_form(target, None)
    if target == "*" and method == "OPTIONS":
        return "*", "", None
    match = ABSOLUTE_FORM.fullmatch(target)
    if match is None or not match[1]:
        raise RequestRefused(400, "The request target has none of the forms that HTTP knows.", close=True)
    check_host(match[1])
    rest = match[2] or "/"
    if method == "OPTIONS" and match[2] is None:
        return "*", "", match[1]  # RFC 9112 section 3.2.4
    return _origin_form(rest if rest[0] == "/" else "/" + rest, match[1])


def _origin_form(target: str, authority: str | None) -> Target:
    path, _, query = target.partition("?")
    if "%" in path:
        # In the query it is the application's to judge: people type "?q=100%", and browsers send that.
        if BAD_PERCENT.search(path):
            raise RequestRefused(
                400, "A percent sign in the request target is not followed by two hex digits.", close=True
            )
        path = unquote_to_bytes(path).decode("latin-1")
        if "\0" in path:
            raise RequestRefused(400, "The path holds a NUL.", close=True)
    return path, query, authority


def _authority_form(target: str) -> Target:
    match = HOST.fullmatch(target)
    if match is None or not match[1] or not match[2]:
        raise RequestRefused(400, "CONNECT takes a host and a port.", close=True)
    raise RequestRefused(501, "This server is no proxy: CONNECT is not supported.", close=True)
