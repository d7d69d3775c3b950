"""Proactive negotiation (RFC 9110 section 12) of media types and content codings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from tpserver.http.grammar import ACCEPTED_CODING, OWS_TEXT, QVALUE
from tpserver.http.lists import bounded

# The codings in which a file may be sent. "identity" means none.
CODINGS: Final = ("br", "zstd", "gzip")
IDENTITY: Final = "identity"
# RFC 9110 section 8.4.1.3: equivalent to gzip.
_ALIASES: Final = {"x-gzip": "gzip"}

# Acceptable codings in tiers of equal quality, the best first. IDENTITY is in none of them where it was refused.
Tiers = tuple[tuple[str, ...], ...]


def quality(value: str, media_type: str) -> float:
    """The quality of `media_type` ("text/html") in an Accept field, 0.0 to 1.0; 0.0: not acceptable.

    The most specific media range that matches decides (RFC 9110 section 12.5.1). A list that is too long is as none.
    """
    ranks = {"*/*": 1, media_type.partition("/")[0] + "/*": 2, media_type: 3}
    best_rank, best = 0, 0.0
    if bounded(value) is None:
        return 1.0
    for item in value.split(","):
        name, *parameters = (part.strip(OWS_TEXT) for part in item.split(";"))
        rank = ranks.get(name.lower(), 0)
        if rank > best_rank:
            best_rank, best = rank, _weight(parameters)
    return best


def _weight(parameters: Sequence[str]) -> float:
    """The first weight among the parameters of one member."""
    matches = (re.fullmatch(QVALUE, parameter) for parameter in parameters)
    return next((float(match[1]) for match in matches if match), 1.0)


def accepts_html(accept: str | None) -> bool:
    """Whether an Accept field (None: there is none) accepts text/html."""
    return accept is None or quality(accept, "text/html") > 0


def prefers_html(accept: str) -> bool:
    """Whether an Accept field names text/html, and gives no other media range a higher quality."""
    if bounded(accept) is None:
        return False
    html = others = 0.0
    for item in accept.split(","):
        name, *parameters = (part.strip(OWS_TEXT) for part in item.split(";"))
        weight = _weight(parameters)
        if name.lower() == "text/html":
            html = max(html, weight)
        else:
            others = max(others, weight)
    return html > 0 and html >= others


def accepted_codings(value: str | None) -> Tiers:
    """The codings of CODINGS and IDENTITY that an Accept-Encoding field accepts (RFC 9110 section 12.5.3).

    `value` None: there is no field; a list that is too long is as none. Then the RFC allows any coding; but such a
    client may not know them, so only IDENTITY counts. A malformed member of the list is ignored; if a coding is named
    twice, the first one counts.
    """
    qualities: dict[str, float] = {}
    value = bounded(value)
    for item in () if value is None else value.split(","):
        match = re.fullmatch(ACCEPTED_CODING, item.strip(OWS_TEXT))
        if match is not None:
            name = match[1].lower()
            qualities.setdefault(_ALIASES.get(name, name), float(match[2] or 1))
    others = qualities.get("*")
    tiers: dict[float, list[str]] = {}
    for name in CODINGS:
        tiers.setdefault(qualities.get(name, others or 0), []).append(name)
    # Acceptable unless refused; if the field does not name it, behind all codings that it names.
    identity = qualities.get(IDENTITY, others)
    tiers.setdefault(-1 if identity is None else identity, []).append(IDENTITY)
    return tuple(tuple(tiers[quality]) for quality in sorted(tiers, reverse=True) if quality)


def choose_coding(accepted: Tiers, sizes: Mapping[str, int]) -> str:
    """The coding to send, of those in `sizes` (bytes of the coded content): the smallest of the best available tier.

    IDENTITY where none is acceptable, even if it was refused: that is more useful to a client than 406, and RFC 9110
    section 12.4.1 allows it.
    """
    for tier in accepted:
        available = [coding for coding in tier if coding in sizes]
        if available:
            return min(available, key=sizes.__getitem__)
    return IDENTITY


def wanted_coding(accepted: Tiers, ready: Mapping[str, object], makeable: Sequence[str]) -> str | None:
    """The first coding of `makeable` that the client prefers to every coding of `ready`; None where there is none."""
    for tier in accepted:
        if any(coding in ready for coding in tier if coding != IDENTITY):
            return None
        for coding in makeable:
            if coding in tier:
                return coding
        if IDENTITY in tier:
            return None
    return None
