"""Hosts and patterns of virtual hosts (RFC 9110 section 7.2).

A host is normalized: lower case, without port and final dot, an IPv6 address as in RFC 5952.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

from tpserver.http.grammar import HOST

# RFC 1123 2.1     label = let-dig [ *( let-dig / "-" ) let-dig ] ; "_" too, as it is in use
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


class VirtualHost(NamedTuple):
    """`pattern` is a host, or `*.` and a host, normalized; `target` is a folder or an application (MODULE:CALLABLE)."""

    pattern: str
    target: str


def host_name(value: str) -> str:
    """The value of a valid Host field -> its host, normalized; "" for an empty one."""
    match = HOST.fullmatch(value)
    return "" if match is None else _normalized(match[1])


def _normalized(host: str) -> str:
    host = host.lower()  # HOST allows only ASCII
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
        except ValueError:  # an address of a later version
            return host
    return host.removesuffix(".")


def parents(host: str) -> list[str]:
    """The patterns that match `host`, the most specific first: the host itself, then `*.` with each parent domain.

    `*.example.com` matches a.example.com and b.a.example.com, but not example.com.
    """
    found = [host]
    at = -1 if host.startswith("[") else host.find(".")
    while at >= 0:
        found.append("*" + host[at:])
        at = host.find(".", at + 1)
    return found


def parse_virtual_host(text: str) -> VirtualHost:
    """A text such as "www.example.com=DIR" or "*.example.com=MODULE:CALLABLE" -> a virtual host. Raises ValueError."""
    pattern, equals, target = text.partition("=")
    if not (equals and pattern and target):
        raise ValueError(f"{text!r} is not HOST=DIR or HOST=MODULE:CALLABLE, such as www.example.com=html")
    return VirtualHost(parse_pattern(pattern), target)


def parse_pattern(pattern: str) -> str:
    """A host, or `*.` and a host -> its normalized form. Raises ValueError."""
    if not pattern.isascii():
        raise ValueError(f"{pattern!r} is not ASCII: write the host as browsers send it, with xn--")
    if pattern == "*":
        raise ValueError("* needs a domain, such as *.example.com; all other hosts get --root and --app")
    match = HOST.fullmatch(pattern.removeprefix("*."))
    if match is not None and match[2] is not None:
        raise ValueError(f"{pattern!r} has a port: a virtual host applies to every port")
    host = "" if match is None else _normalized(match[1])
    if host.startswith("[") and not pattern.startswith("*"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError(f"{pattern!r} is not an IPv6 address") from None
        return host
    if _NAME.fullmatch(host) is None or len(host) > 253:
        raise ValueError(f"{pattern!r} is not a host, such as www.example.com, *.example.com or [::1]")
    return "*." + host if pattern.startswith("*.") else host
