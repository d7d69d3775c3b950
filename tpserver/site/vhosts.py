"""Virtual hosts: one site for each, chosen by the host that the request names (RFC 9110 section 7.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tpserver.errors import RequestRefused
from tpserver.files.file import File
from tpserver.http.head import Head
from tpserver.http.hosts import host_name, parents
from tpserver.http.message import Message
from tpserver.reply import Reply
from tpserver.site.site import Site

# How many Host fields are remembered at once, and how long one may be: clients may send any.
_MEMORY: Final = 1024
_LONGEST: Final = 300


class VirtualHosts:
    """Takes the place of a `Site`. `sites` maps patterns to sites, as `hosts.parents` gives them.

    `default` answers for every other host, and where none is named; without one these get 421.
    """

    def __init__(self, sites: Mapping[str, Site], default: Site | None) -> None:
        self.sites = dict(sites)
        self.default = default
        self._known: dict[str, tuple[str, Site | None]] = {}  # the Host field -> the pattern, and who answers

    def find(self, head: Head, turn: int) -> Any:
        """As `Site.find`. Raises `RequestRefused` (421) for a host that is not ours."""
        pattern, site = self._choose(head)
        if site is None:
            raise _misdirected()
        if not head.wide_route:
            # What an address costs on one host says nothing about another.
            head.route = f"{pattern} {head.route}"
            head.wide_route = f"{pattern} {head.wide()}"
        return site.find(head, turn)

    def respond(self, request: Message, reply: Reply, found: Any) -> None:
        """As `Site.respond`, with what `find` has found."""
        site = self._choose(request.head)[1]
        if site is None:  # others take the place of these when an application is set
            raise _misdirected()
        site.respond(request, reply, found)

    def ready(self, head: Head, file: File, stamp: bytes) -> tuple[bytes, int] | None:
        """As `Site.ready`."""
        site = self._choose(head)[1]
        return None if site is None else site.ready(head, file, stamp)

    def error_page(self, head: Head, reply: Reply, status: int, fields: tuple[tuple[str, str], ...]) -> bool:
        """As `Site.error_page`: each host has its own."""
        site = self._choose(head)[1]
        return site is not None and site.error_page(head, reply, status, fields)

    def _choose(self, head: Head) -> tuple[str, Site | None]:
        value = head.fields.get("HTTP_HOST", "")
        known = self._known.get(value)
        if known is None:
            known = self._look(host_name(value))
            if len(self._known) >= _MEMORY:
                self._known.clear()
            if len(value) <= _LONGEST:
                self._known[value] = known
        return known

    def _look(self, host: str) -> tuple[str, Site | None]:
        for pattern in parents(host):
            site = self.sites.get(pattern)
            if site is not None:
                return pattern, site
        return "", self.default


def _misdirected() -> RequestRefused:
    return RequestRefused(421, "This server does not answer for that host.")
