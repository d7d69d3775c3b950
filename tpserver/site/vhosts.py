"""Virtual hosts: one site for each, chosen by the host that the request names (RFC 9110 section 7.2)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

from tpserver.http.head import Head
from tpserver.http.hosts import host_name, parents
from tpserver.site.mounts import Mounts
from tpserver.site.site import Site

# How many Host fields are remembered at once, and how long one may be in characters: clients may send any.
_MEMORY: Final = 1024
_LONGEST: Final = 300


class VirtualHosts:
    """Several sites. `sites` maps patterns to them, as `hosts.parents` gives patterns.

    `default` answers for every other host, and where none is named.
    """

    def __init__(self, sites: Mapping[str, Site | Mounts], default: Site | Mounts) -> None:
        self.sites = dict(sites)
        self.default = default
        self._remembered = functools.lru_cache(_MEMORY)(self._choose)

    def choose(self, head: Head) -> Site:
        """The site of the host and the path that a request names."""
        value = head.fields.get("HTTP_HOST", "")
        site = self._remembered(value) if len(value) <= _LONGEST else self._choose(value)
        return site.choose(head) if isinstance(site, Mounts) else site

    def _choose(self, value: str) -> Site | Mounts:
        for pattern in parents(host_name(value)):
            site = self.sites.get(pattern)
            if site is not None:
                return site
        return self.default
