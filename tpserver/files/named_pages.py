"""The pages that a site names by options: index files, pages for error statuses, the page of an application in
the browser.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tpserver.files.paths import is_code, segments
from tpserver.http.head import Head
from tpserver.http.negotiation import accepts_html

_STATUS: Final = re.compile(r"[0-9]{3}", re.ASCII)
# What a whole request can be answered with by the server itself, when there is time and room to send a file.
ERROR_STATUSES: Final = (404, 405, 406, 412, 416, 500, 501)


class ErrorPage(NamedTuple):
    """The file for one status; `path` as in a request: from the root on, its bytes as latin-1."""

    status: int
    path: str


def parse_error_page(text: str) -> ErrorPage:
    """ "404=404.html" -> a page. Raises ValueError."""
    status, equals, file = text.partition("=")
    if not equals or _STATUS.fullmatch(status) is None:
        raise ValueError(f"{text!r} is not STATUS=FILE, such as 404=404.html")
    if int(status) not in ERROR_STATUSES:
        known = ", ".join(map(str, ERROR_STATUSES))
        raise ValueError(f"there is no page for {status}, only for {known}")
    return ErrorPage(int(status), page_path(file))


def page_path(text: str) -> str:
    """A file below the root as a person writes it -> its path in a request. Raises ValueError."""
    path = "/" + text.encode("utf-8", "surrogateescape").decode("latin-1").removeprefix("/")
    names = segments(path, windows=False)
    if not names or path.endswith("/") or is_code(path):
        raise ValueError(f"{text!r} is no file below the root that may be sent")
    return path


def parse_index(text: str) -> str:
    """The name of an index file. Raises ValueError for what is no name, or never sent."""
    path = page_path(text)
    if "/" in text or "/" in path[1:]:
        raise ValueError(f"{text!r} is no name of a file: an index is in its own folder")
    return text


def is_page(head: Head) -> bool:
    """Whether it asks for a page whose address only an application in the browser may know.

    GET or HEAD, no extension, nothing hidden, and a client that takes HTML. What is well known is asked for by
    programs, which take any answer for the thing itself (RFC 8615).
    """
    return (
        head.method in ("GET", "HEAD")
        and "." not in head.path.rpartition("/")[2]
        and not head.path.startswith("/.well-known/")
        and accepts_html(head.fields.get("HTTP_ACCEPT"))
        and segments(head.path, windows=False) is not None
    )
