"""Prefixes of paths below which folders and applications are mounted."""

from __future__ import annotations

import re
import sys
from typing import Final, NamedTuple

from tpserver.files.paths import segments
from tpserver.http.target import percent_decoded, percent_encoded

_NOT_IN_TARGETS: Final = re.compile(r"[^\x21-\x7e]")


class Mount(NamedTuple):
    """A folder or an application (`what`) and its prefix, decoded, as in `Head.path`: "/static"."""

    prefix: str
    what: str


def parse_mount(text: str) -> Mount:
    """A text such as "/static=DIR" or "/api=MODULE:CALLABLE" -> a mount. Raises ValueError."""
    written, equals, what = text.partition("=")
    if not (equals and what):
        raise ValueError(f"{text!r} is not PREFIX=DIR or PREFIX=MODULE:CALLABLE, such as /static=public")
    if not written.startswith("/"):
        raise ValueError(f"the prefix {written!r} does not begin with a slash, as /static does")
    if not written.strip("/"):
        raise ValueError(f"the prefix {written} takes every path: use --root for a folder, --app for an application")
    if "?" in written or "#" in written:
        raise ValueError(f"the prefix {written!r} is not a path: it has a query or a fragment")
    path = decoded(written.removesuffix("/"))
    names = segments(path, windows=sys.platform == "win32")
    if names is None or "" in path.split("/")[1:]:
        raise ValueError(f"the prefix {written!r} has an empty segment, or a name that is not served, such as .git")
    return Mount(path, what)


def decoded(text: str) -> str:
    """A path as the user writes it, percent-encoded or not -> its bytes as latin-1, as in `Head.path`."""
    octets = text.encode("utf-8", "surrogateescape").decode("latin-1")
    return percent_decoded(_NOT_IN_TARGETS.sub(percent_encoded, octets))
