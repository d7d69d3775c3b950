"""Mounts: folders and applications below prefixes of the path, such as /static and /api.

A mount is chosen by the names in the path, after percent-decoding and without the segments that files ignore, so that
no other spelling of a path leads around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tpserver.files.paths import names_of, resolved
from tpserver.http.head import Head
from tpserver.site.site import Site
from tpserver.wsgi.responder import Application, Environ, StartResponse

# A longer path with `..` is not resolved: that takes some calls a name.
_MOST_NAMES: Final = 1000


class Mounts:
    """Sites below prefixes, and `root` for all other paths. The longest prefix decides. For the leader.

    `nothing`, a site without folder and application, answers for paths that belong to none.
    """

    def __init__(self, sites: Mapping[str, Site], root: Site, nothing: Site) -> None:
        self._sites = {tuple(names_of(prefix)): site for prefix, site in sites.items()}
        self._depths = sorted({len(names) for names in self._sites}, reverse=True)
        self._root = root
        self._nothing = nothing

    def choose(self, head: Head) -> Site:
        """The site of the path that a request names.

        A path that leads out of one site into another by `..` belongs to none: an application might resolve it.
        """
        names = names_of(head.path)
        site = self._find(names)
        if ".." in names and (len(names) > _MOST_NAMES or self._find(resolved(names)) is not site):
            return self._nothing
        return site

    def _find(self, names: list[str]) -> Site:
        for depth in self._depths:
            site = self._sites.get(tuple(names[:depth]))
            if site is not None:
                return site
        return self._root


class MountedApplication:
    """`application` with its prefix in SCRIPT_NAME, and the rest of the path in PATH_INFO (PEP 3333). Any thread."""

    def __init__(self, application: Application, prefix: str) -> None:
        self._application = application
        self._prefix = prefix
        self._depth = len(names_of(prefix))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """As the application."""
        environ["SCRIPT_NAME"] += self._prefix  # a proxy may have taken another one away
        environ["PATH_INFO"] = self._rest(environ["PATH_INFO"])
        return self._application(environ, start_response)

    def _rest(self, path: str) -> str:
        """The path behind the prefix, as it is written: "/a//b", "/" or ""."""
        if path.startswith(self._prefix):
            # The usual spelling. What follows is a slash, or nothing: the site has been chosen.
            return path[len(self._prefix) :]
        parts, left = path.split("/"), self._depth
        for number, part in enumerate(parts):
            if left == 0:
                return "/" + "/".join(parts[number:])
            left -= part not in ("", ".")
        return ""
