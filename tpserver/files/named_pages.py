"""Files that options name: index files, error pages, and the page of a single-page application."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tpserver.files.media import media_type
from tpserver.files.paths import is_code, segments
from tpserver.http.head import Head
from tpserver.http.negotiation import accepts_html, prefers_html

# Statuses of the server's own responses to complete requests, where it can send a file.
ERROR_STATUSES: Final = (404, 405, 406, 412, 416, 500, 501)
# The values of Sec-Fetch-Dest for what a browser shows as a page (Fetch Metadata, section 2.1).
_PAGES: Final = ("document", "iframe", "frame")
# The media types of what pages load, and people do not open.
_LOADED: Final = r"(?:image|audio|video|font)/|(?:text|application)/(?:css|javascript|json|manifest\+json|wasm)\b"


class ErrorPage(NamedTuple):
    """The file for one status. `path` is as in a request: it begins with a slash, its bytes decoded as latin-1."""

    status: int
    path: str


def parse_error_page(text: str) -> ErrorPage:
    """A text such as "404=404.html" -> an error page. Raises ValueError."""
    status, equals, file = text.partition("=")
    if not equals or re.fullmatch(r"[0-9]{3}", status) is None:
        raise ValueError(f"{text!r} is not STATUS=FILE, such as 404=404.html")
    if int(status) not in ERROR_STATUSES:
        known = ", ".join(map(str, ERROR_STATUSES))
        raise ValueError(f"{status} cannot have a page; these can: {known}")
    return ErrorPage(int(status), page_path(file))


def page_path(text: str) -> str:
    """A file below the root as the user writes it -> its path in a request. Raises ValueError."""
    path = "/" + text.encode("utf-8", "surrogateescape").decode("latin-1").removeprefix("/")
    names = segments(path, windows=False)
    if not names or path.endswith("/") or is_code(path):
        raise ValueError(f"{text!r} is not a file below the root that may be sent")
    return path


def parse_index(text: str) -> str:
    """The name of an index file. Raises ValueError where it is not a plain name, or names a file that is never sent."""
    path = page_path(text)
    if "/" in text or "/" in path[1:]:
        raise ValueError(f"{text!r} is not a file name: an index is in its own folder")
    return text


def is_page(head: Head) -> bool:
    """Whether the request may be for a page of a single-page application.

    It is GET or HEAD, the path has no hidden name, and the client accepts HTML. A path with an extension, which may be
    a route (`/user/john.doe`), has to be opened as a page: a page that names a missing picture must not get a page for
    it. `/.well-known/` (RFC 8615) is excluded: programs would take the page for the resource.
    """
    return (
        head.method in ("GET", "HEAD")
        and ("." not in head.path.rpartition("/")[2] or _is_opened(head))
        and not head.path.startswith("/.well-known/")
        and accepts_html(head.fields.get("HTTP_ACCEPT"))
        and segments(head.path, windows=False) is not None
    )


def _is_opened(head: Head) -> bool:
    """Whether a path with an extension is opened as a page.

    Browsers say so (Sec-Fetch-Dest) where the address is https or that of this machine. Elsewhere it is told by Accept,
    which has to name HTML and prefer it; but then files that pages load by themselves count as missing.
    """
    path = head.path
    destination = head.fields.get("HTTP_SEC_FETCH_DEST")
    if is_code(path):
        return False
    if destination is not None:
        return destination in _PAGES
    accept = head.fields.get("HTTP_ACCEPT")
    return accept is not None and prefers_html(accept) and not re.match(_LOADED, media_type(path.rpartition("/")[2]))
