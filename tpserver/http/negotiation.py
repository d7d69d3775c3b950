"""Proactive negotiation (RFC 9110 section 12), as far as the server's own pages need it."""

from __future__ import annotations

from tpserver.http.grammar import OWS_TEXT, QVALUE


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
