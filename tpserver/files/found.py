"""What a folder finds for a path, besides a file: a redirect, or a listing."""

from __future__ import annotations

from typing import NamedTuple

from tpserver.files.paths import os_text, url_name
from tpserver.http.head import Head


class Redirect(NamedTuple):
    """The path is not the folder's own, which ends in a slash. `names` lead to the folder from the root."""

    names: tuple[str, ...]

    def location(self, head: Head) -> str:
        """The folder's own path, as a reference that is relative to the target of `head` (RFC 3986 section 4.2).

        A relative reference survives a proxy that strips a prefix. It is made of names, not of the request, so it can
        only be a path of this server. A target that spells the path in another way gets the whole path.
        """
        written = head.target.partition("?")[0].split("/")
        if os_text(head.path) == "/".join(["", *self.names]) and len(written) == len(self.names) + 1:
            return url_name(self.names[-1]) + "/"
        return "/" + "".join(url_name(name) + "/" for name in self.names)


class Listing(NamedTuple):
    """A folder without an index: the names that lead to it from the root, and its real path."""

    names: tuple[str, ...]
    real: str
