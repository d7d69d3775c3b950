"""Preconditions (RFC 9110 section 13), as pure functions on what the client sent and what there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tpserver.http.dates import parse_date
from tpserver.http.grammar import ENTITY_TAG, OWS_TEXT


class Validators(NamedTuple):
    """`etag` with its quotes (strong, or beginning with W/); `last_modified` in seconds since the epoch."""

    etag: str
    last_modified: int


def evaluate(method: str, fields: Mapping[str, str], current: Validators) -> int:
    """The status that the preconditions lead to: 200 (go on), 304 or 412, in the order of RFC 9110 section 13.2.2."""
    if_match = fields.get("HTTP_IF_MATCH")
    if if_match is not None:
        if not matches(if_match, current.etag, weak=False):
            return 412
    else:
        since = fields.get("HTTP_IF_UNMODIFIED_SINCE")
        date = None if since is None else parse_date(since)
        if date is not None and current.last_modified > date:
            return 412
    if_none_match = fields.get("HTTP_IF_NONE_MATCH")
    if if_none_match is not None:
        if matches(if_none_match, current.etag, weak=True):
            return 304 if method in ("GET", "HEAD") else 412
    elif method in ("GET", "HEAD"):
        since = fields.get("HTTP_IF_MODIFIED_SINCE")
        date = None if since is None else parse_date(since)
        if date is not None and current.last_modified <= date:
            return 304
    return 200


def matches(value: str, etag: str, *, weak: bool) -> bool:
    """Whether a list of entity tags, or "*", holds `etag`, by weak or strong comparison (RFC 9110 section 8.8.3.2)."""
    if value.strip(OWS_TEXT) == "*":
        return True
    wanted = ENTITY_TAG.fullmatch(etag)
    if wanted is None or (wanted[1] and not weak):
        return False
    at = 0
    while at < len(value):
        if value[at] in " \t,":
            at += 1
            continue
        found = ENTITY_TAG.match(value, at)
        if found is None:
            return False  # what is no entity tag ends the list: nothing behind it can be trusted
        if found[2] == wanted[2] and (weak or not found[1]):
            return True
        at = found.end()
    return False
