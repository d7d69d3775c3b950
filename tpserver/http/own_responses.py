"""Complete responses of the server's own to a request."""

from __future__ import annotations

import functools

from tpserver.http import pages
from tpserver.http.head import Head
from tpserver.http.negotiation import accepts_html


@functools.lru_cache(maxsize=8)
def busy_response(
    stamp: bytes, retry_after: int, html: bool | None, head_only: bool, protocol: str, keep_alive: bool
) -> tuple[bytes, int]:
    """The response to a request that finds the queue full, and the length of its content: most are refused alike."""
    data = pages.response(
        503,
        "The server is busy. Try again in a moment.",
        stamp=stamp,
        html=html,
        head_only=head_only,
        protocol=protocol,
        keep_alive=keep_alive,
        fields=(("Retry-After", str(retry_after)),),
    )
    return data, pages.content_length(data)


def own_response(
    head: Head, status: int, detail: str, stamp: bytes, keep_alive: bool, fields: tuple[tuple[str, str], ...]
) -> bytes:
    """The server's own complete response to the request `head`; the other arguments are those of `pages.response`."""
    return pages.response(
        status,
        detail,
        stamp=stamp,
        html=accepts_html(head.fields.get("HTTP_ACCEPT")),
        head_only=head.method == "HEAD",
        protocol=head.protocol,
        keep_alive=keep_alive,
        fields=fields,
    )
