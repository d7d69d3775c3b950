"""Virtual hosts: whose host a Host field names (RFC 9110 section 7.2), and which pattern takes it.

A host is kept in one form: lower case, without port and final dot, an IPv6 address as RFC 5952 writes it.
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
    """`pattern` is a host in its one form, or `*.` and a host; `what` a folder, or MODULE:CALLABLE."""

    pattern: str
    what: str


def host_name(value: str) -> str:
    """The value of a checked Host field -> the host that it names; "" for an empty one."""
    match = HOST.fullmatch(value)
    return "" if match is None else _one_form(match[1])


def _one_form(host: str) -> str:
    host = host.lower()  # ASCII, as HOST has it
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
        except ValueError:  # an address of a later version
            return host
    return host.removesuffix(".")


def parents(host: str) -> list[str]:
    """The patterns that take `host`, the nearest first: itself, `*.` and the domains that it is in.

    `*.example.com` takes a.example.com and b.a.example.com, and not example.com.
    """
    found = [host]
    at = -1 if host.startswith("[") else host.find(".")
    while at >= 0:
        found.append("*" + host[at:])
        at = host.find(".", at + 1)
    return found


def parse_virtual_host(text: str) -> VirtualHost:
    """ "www.example.com=DIR", "*.example.com=MODULE:CALLABLE" -> a virtual host. Raises ValueError."""
    pattern, equals, what = text.partition("=")
    if not (equals and pattern and what):
        raise ValueError(f"{text!r} is not HOST=DIR or HOST=MODULE:CALLABLE, such as www.example.com=html")
    return VirtualHost(parse_pattern(pattern), what)


def parse_pattern(pattern: str) -> str:
    """A host as a person writes it, or `*.` and one -> its one form. Raises ValueError."""
    if not pattern.isascii():
        raise ValueError(f"{pattern!r} is not ASCII: write the host as browsers send it, with xn--")
    if pattern == "*":
        raise ValueError("for every other host there are --root and --app: * takes a domain, such as *.example.com")
    match = HOST.fullmatch(pattern.removeprefix("*."))
    if match is not None and match[2] is not None:
        raise ValueError(f"{pattern!r} has a port: a host is the same on every port")
    host = "" if match is None else _one_form(match[1])
    if host.startswith("[") and not pattern.startswith("*"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError(f"{pattern!r} is no IPv6 address") from None
        return host
    if _NAME.fullmatch(host) is None or len(host) > 253:
        raise ValueError(f"{pattern!r} is no host, such as www.example.com, *.example.com or [::1]")
    return "*." + host if pattern.startswith("*.") else host
