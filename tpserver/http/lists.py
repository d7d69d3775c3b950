"""The bounds of lists in field values (RFC 9110 section 5.6.1): a head of 64 KiB holds 64 000 empty members."""

from __future__ import annotations

from typing import Final

from tpserver.http.grammar import OWS_TEXT

# Most members of a list, empty ones too, and its longest text in characters. Clients send less than a tenth of it.
MAX_MEMBERS: Final = 100
MAX_LENGTH: Final = 4096


def bounded(value: str | None) -> str | None:
    """`value`, or None where there is none or it is longer than a list may be: then the field counts as absent."""
    if value is None or len(value) > MAX_LENGTH or value.count(",") >= MAX_MEMBERS:
        return None
    return value


def members(value: str) -> list[str] | None:
    """The members of a list of tokens, in lower case, without the empty ones; None where it is too long."""
    if bounded(value) is None:
        return None
    return [member for padded in value.lower().split(",") if (member := padded.strip(OWS_TEXT))]
