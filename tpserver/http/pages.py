"""The server's own short pages, as HTML or plain text, and complete responses with them."""

from __future__ import annotations

from typing import Final, Literal

from tpserver.http.grammar import HEAD_END
from tpserver.http.response import REASONS, bodiless, own_head, persistence_line

# The type of the page depends on the Accept field (RFC 9110 section 12.5.5).
VARY: Final = ("Vary", "Accept")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{status} {reason}</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }}
body {{ max-width: 36rem; margin: 20vh auto 0; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; }}
a {{ display: inline-block; min-width: 2rem; padding: .25rem 1.5rem .25rem 0; }}
</style>
</head>
<body>
<main>
<h1>{status} {reason}</h1>
<p>{detail}</p>{link}
{links}</main>
</body>
</html>
"""
# What a `detail` ends with where it does not know how long.
_SOON: Final = " Try again in a moment."

# As `html.escape`, whose module has the names of 2,231 characters as well.
_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


def escape(text: str) -> str:
    """A text as it stands in HTML, also in an attribute."""
    return text.translate(_ESCAPED)


def page(status: int, detail: str, *, html: bool, location: str = "", retry_after: str = "") -> tuple[str, bytes]:
    """The page for `status`: the value of its Content-Type field, and its content. `detail` is escaped.

    `location` is the URI of a redirect, which the page links to (RFC 9110 section 15.4). `retry_after` is the value of
    a Retry-After field in seconds, "" where there is none: the page says when to try again. Pages of errors have a link
    to the root of the server.
    """
    reason = REASONS[status]
    if retry_after:
        detail = f"{detail.removesuffix(_SOON)} Try again in {_duration(int(retry_after))}."
    if html:
        target = escape(location)
        link = f'\n<p><a href="{target}">{target}</a></p>' if location else ""
        links = '<a href="">Try again</a>' if retry_after else ""
        if status >= 400:
            links = f'<p>{links}<a href="/">Home</a></p>\n'
        text = _PAGE.format(status=status, reason=escape(reason), detail=escape(detail), link=link, links=links)
        return "text/html; charset=utf-8", text.encode("utf-8")
    text = f"{status} {reason}\n{detail}\n" + (f"{location}\n" if location else "")
    return "text/plain; charset=utf-8", text.encode()


def _duration(seconds: int) -> str:
    number, unit = (seconds, "second") if seconds < 120 else (-(-seconds // 60), "minute")
    return f"{number} {unit}{'s' * (number != 1)}"


def response(
    status: int,
    detail: str,
    *,
    stamp: bytes,
    html: bool | None = None,
    head_only: bool = False,
    protocol: str = "HTTP/1.1",
    keep_alive: bool = False,
    fields: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """A complete response of the server: head, and unless `head_only` the page as content.

    `html` is the result of negotiation by Accept (the response then has Vary); None: HTML without negotiation. `stamp`
    is the Date and Server lines, `fields` are further fields of this status (Allow, Location).
    """
    location = next((value for name, value in fields if name == "Location"), "")
    retry_after = next((value for name, value in fields if name == "Retry-After"), "")
    content_type, content = page(status, detail, html=html is not False, location=location, retry_after=retry_after)
    if bodiless(status):
        about, content = [], b""
    else:
        about = [("Content-Type", content_type), ("Content-Length", str(len(content)))]
        if html is not None:
            about.append(VARY)
    head = own_head(status, [*about, *fields])
    return head + stamp + persistence_line(protocol, keep_alive) + b"\r\n" + (b"" if head_only else content)


def content_length(data: bytes) -> int:
    """The number of bytes of content in a complete response."""
    return len(data) - data.index(HEAD_END) - len(HEAD_END)


def cause_of(status: int) -> str:
    """What a refusal is counted under where nothing more is known of its cause."""
    return REASONS[status].lower()


class Refusal:
    """The last response on a connection: its bytes, its status, and the `cause` under which it is counted."""

    __slots__ = ("cause", "data", "status")
    kind: Literal["refusal"] = "refusal"

    def __init__(self, status: int, data: bytes, cause: str) -> None:
        self.status = status
        self.data = data
        self.cause = cause
