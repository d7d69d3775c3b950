"""Proactive negotiation (RFC 9110 section 12): the form of the server's own pages, and content codings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tpserver.http.grammar import ACCEPTED_CODING, OWS_TEXT, QVALUE

# The codings that a file may be sent in. "identity" stands for none.
CODINGS: Final = ("br", "zstd", "gzip")
IDENTITY: Final = "identity"
# RFC 9110 section 8.4.1.3: to be taken for the same.
_ALIASES: Final = {"x-gzip": "gzip"}

# Codings by falling quality, in tiers of equal quality. Where IDENTITY is in none of them, it was refused.
Tiers = tuple[tuple[str, ...], ...]


def quality(value: str, media_type: str) -> float:
    """The quality value of `media_type` ("text/html") under an Accept field; 0.0 means: not acceptable.

    The most specific range that fits decides (RFC 9110 section 12.5.1).
    """
    main = media_type.partition("/")[0] + "/*"
    ranks = {"*/*": 1, main: 2, media_type: 3}
    best_rank, best = 0, 0.0
    for item in value.split(","):
        name, *parameters = (part.strip(OWS_TEXT) for part in item.split(";"))
        rank = ranks.get(name.lower(), 0)
        if rank > best_rank:
            best_rank, best = rank, _weight(parameters)
    return best


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        match = QVALUE.fullmatch(parameter)
        if match is not None:
            return float(match[1])
    return 1.0


def accepts_html(accept: str | None) -> bool:
    """Whether a person's browser is at the other end: no Accept field means that anything will do."""
    return accept is None or quality(accept, "text/html") > 0


def accepted_codings(value: str | None) -> Tiers:
    """What an Accept-Encoding field (None: there is none) takes of CODINGS and IDENTITY (RFC 9110 section 12.5.3).

    Without a field any coding would do; but who does not ask for one may not know it, so none is
    taken. What is no member of such a list counts for nothing, and of two that name the same coding the first counts.
    """
    qualities: dict[str, int] = {}
    for item in () if value is None else value.split(","):
        match = ACCEPTED_CODING.fullmatch(item.strip(OWS_TEXT))
        if match is not None:
            name = match[1].lower()
            qualities.setdefault(_ALIASES.get(name, name), _thousandths(match[2]))
    others = qualities.get("*")
    tiers: dict[int, list[str]] = {}
    for name in CODINGS:
        tiers.setdefault(qualities.get(name, others or 0), []).append(name)
    # Acceptable unless refused, but not asked for: behind whatever is.
    identity = qualities.get(IDENTITY, others)
    tiers.setdefault(-1 if identity is None else identity, []).append(IDENTITY)
    return tuple(tuple(tiers[quality]) for quality in sorted(tiers, reverse=True) if quality)


def _thousandths(qvalue: str | None) -> int:
    """A qvalue, "0.25" or "1" or none -> 250 or 1000."""
    if qvalue is None or qvalue[0] == "1":
        return 1000
    return int(qvalue[2:].ljust(3, "0"))


def choose_coding(accepted: Tiers, sizes: Mapping[str, int]) -> str:
    """Which of the codings in `sizes` (bytes of the coded content) to send: of the best there are, the smallest.

    IDENTITY where none is acceptable, even if it was refused: a client can do more with that than with
    a 406, and RFC 9110 section 12.4.1 leaves the choice.
    """
    for tier in accepted:
        available = [coding for coding in tier if coding in sizes]
        if available:
            return min(available, key=sizes.__getitem__)
    return IDENTITY


def wanted_coding(accepted: Tiers, ready: Mapping[str, object], makeable: Sequence[str]) -> str | None:
    """The first of `makeable` that would be better than every coding of `ready`; None where there is none."""
    for tier in accepted:
        if any(coding in ready for coding in tier if coding != IDENTITY):
            return None
        for coding in makeable:
            if coding in tier:
                return coding
        if IDENTITY in tier:
            return None
    return None
