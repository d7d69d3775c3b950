"""Preconditions (RFC 9110 section 13), as pure functions of request fields and current validators."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from tpserver.http.dates import parse_date
from tpserver.http.grammar import ENTITY_TAG, OWS_TEXT, TAG_IN_LIST
from tpserver.http.lists import bounded

# Longer than any HTTP-date; a longer text is not parsed, and does not enter the cache.
_LONGEST_DATE: Final = 40
# The mean length of a year in seconds: precise enough for the rule about two-digit years (RFC 9110 section 5.6.7).
_YEAR: Final = 31_556_952


class Validators(NamedTuple):
    """The validators of a representation.

    `etag` has its quotes and may begin with W/. `last_modified` is in seconds since the epoch; None: fields with dates
    are ignored.
    """

    etag: str
    last_modified: int | None


def evaluate(method: str, fields: Mapping[str, str], current: Validators, now: int) -> int:
    """Evaluates the preconditions in the order of RFC 9110 section 13.2.2. Returns 200 (proceed), 304 or 412.

    `now` is in seconds since the epoch, and needed for dates with two-digit years. A list of tags that is too long is
    as none.
    """
    if_match, if_none_match = bounded(fields.get("HTTP_IF_MATCH")), bounded(fields.get("HTTP_IF_NONE_MATCH"))
    if if_match is not None:
        if not matches(if_match, current.etag, weak=False):
            return 412
    elif _modified_since(fields.get("HTTP_IF_UNMODIFIED_SINCE"), current, now) is True:
        return 412
    reads = method in ("GET", "HEAD")
    if if_none_match is not None:
        if matches(if_none_match, current.etag, weak=True):
            return 304 if reads else 412
    elif reads and _modified_since(fields.get("HTTP_IF_MODIFIED_SINCE"), current, now) is False:
        return 304
    return 200


def _modified_since(value: str | None, current: Validators, now: int) -> bool | None:
    """None where the field is missing or is ignored."""
    date = None if value is None else _date(value, now)
    return None if date is None or current.last_modified is None else current.last_modified > date


def range_holds(value: str, current: Validators, now: int) -> bool:
    """Whether the condition of an If-Range field holds, so that the Range field applies (RFC 9110 section 13.1.5).

    An entity tag must be the current one by strong comparison. A date must be exactly the current one and a strong
    validator: earlier than `now`, the second (since the epoch) in the Date field of the response, because a file may
    change twice within a second (section 8.8.2.2).
    """
    tag = ENTITY_TAG.fullmatch(value)
    if tag is not None:
        return not tag[1] and value == current.etag
    return current.last_modified is not None and _date(value, now) == current.last_modified < now


@lru_cache(maxsize=1024)
def _known_date(text: str, this_year: int) -> int | None:
    return parse_date(text, this_year)


def _date(text: str, now: int) -> int | None:
    """`parse_date` with a cache: clients send the same dates again and again."""
    return _known_date(text, 1970 + now // _YEAR) if len(text) <= _LONGEST_DATE else None


def matches(value: str, etag: str, *, weak: bool) -> bool:
    """Whether a list of entity tags, or "*", holds `etag`, by weak or strong comparison (RFC 9110 section 8.8.3.2)."""
    if value == etag and (weak or value[:1] == '"'):
        return True  # the usual case: a cache sends its one tag
    if value.strip(OWS_TEXT) == "*":
        return True
    wanted = ENTITY_TAG.fullmatch(etag)
    if wanted is None or (wanted[1] and not weak):
        return False
    at = 0
    while found := TAG_IN_LIST.match(value, at):  # what follows a malformed one cannot be trusted
        if found[2] == wanted[2] and (weak or not found[1]):
            return True
        at = found.end()
    return False
