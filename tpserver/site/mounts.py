"""Mounts: folders and applications below prefixes of the path, such as /static and /api.

A mount is chosen by the names in the path, after percent-decoding and without the segments that files ignore, so that
no other spelling of a path leads around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tpserver.files.prefixes import names_of
from tpserver.http.head import Head
from tpserver.site.site import Site
from tpserver.wsgi.responder import Application, Environ, StartResponse


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
        return self._nothing if ".." in names and self._find(_resolved(names)) is not site else site

    def _find(self, names: list[str]) -> Site:
        for depth in self._depths:
            site = self._sites.get(tuple(names[:depth]))
            if site is not None:
                return site
        return self._root


def _resolved(names: Iterable[str]) -> list[str]:
    """The names without `..` and those before it, as RFC 3986 section 5.2.4."""
    found: list[str] = []
    for name in names:
        if name != "..":
            found.append(name)
        elif found:
            found.pop()
    return found


class MountedApplication:
    """`application` with its prefix in SCRIPT_NAME, and the rest of the path in PATH_INFO (PEP 3333). Any thread."""

    def __init__(self, application: Application, prefix: str) -> None:
        self._application = application
        self._prefix = prefix
        self._depth = len(names_of(prefix))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """As the application."""
        environ["SCRIPT_NAME"] = self._prefix
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
