"""Hosts and patterns of virtual hosts (RFC 9110 section 7.2).

A host is normalized: lower case, without port and final dot, an IPv6 address as in RFC 5952.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tpserver.errors import RequestRefused
from tpserver.http.grammar import HOST, number

# RFC 1123 2.1     label = let-dig [ *( let-dig / "-" ) let-dig ] ; "_" too, as it is in use
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?"
_NAME: Final = rf"{_LABEL}(?:\.{_LABEL})*"
# The same in a Host field, where "=" and pct-encoded (RFC 3986 2.1) have been seen as well. No pattern matches these.
_END: Final = r"(?:[a-z0-9_]|%[0-9a-f]{2})"
_FIELD_LABEL: Final = rf"{_END}(?:(?:[a-z0-9_=\-]|%[0-9a-f]{{2}}){{0,61}}{_END})?"
_FIELD_NAME: Final = re.compile(rf"{_FIELD_LABEL}(?:\.{_FIELD_LABEL})*", re.ASCII)
# RFC 1035 2.3.4, without the length octets of the first label and of the root: a longer host names nothing.
MAX_HOST: Final = 253
# RFC 4291 2.2     the longest text of an IPv6 address
_MAX_ADDRESS: Final = 45


class VirtualHost(NamedTuple):
    """`pattern` is a host, or `*.` and a host, normalized; `target` is a folder or an application (MODULE:CALLABLE)."""

    pattern: str
    target: str


def parse_host(value: str) -> tuple[str, str | None] | None:
    """uri-host [ ":" port ], or nothing -> host, normalized, and port; None where it is not valid.

    A registered name is made of labels, at most `MAX_HOST` characters in all (RFC 9110 section 4.2.1).
    """
    match = HOST.fullmatch(value)
    if match is None:
        return None
    host, address, port = match.groups()
    host = host.lower().removesuffix(".") or host  # a dot alone is no empty host
    if len(host) > MAX_HOST:
        return None
    if address is not None:
        if len(address) > _MAX_ADDRESS:
            return None
        import ipaddress  # few servers are asked by address of IPv6

        try:
            host = f"[{ipaddress.IPv6Address(address).compressed}]"
        except ValueError:
            return None
    elif host and host[0] != "[" and _FIELD_NAME.fullmatch(host) is None:
        return None
    if port is not None and (not host or number(port) > 65535):
        return None
    return host, port


def check_host(value: str) -> None:
    """Checks a Host field: uri-host [ ":" port ] (RFC 9110 section 7.2), or empty. Raises `RequestRefused` (400)."""
    if parse_host(value) is None:
        raise RequestRefused(400, "The Host field names no valid host.", close=True)


def host_name(value: str) -> str:
    """The value of a valid Host field -> its host, normalized; "" for an empty one."""
    parsed = parse_host(value)
    return "" if parsed is None else parsed[0]


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
    host, port = parse_host(pattern.removeprefix("*.")) or ("", None)
    if port is not None:
        raise ValueError(f"{pattern!r} has a port: a virtual host applies to every port")
    if pattern.startswith("["):
        if not host or host.startswith("[v"):
            raise ValueError(f"{pattern!r} is not an IPv6 address")
        return host
    if re.fullmatch(_NAME, host) is None:
        raise ValueError(f"{pattern!r} is not a host, such as www.example.com, *.example.com or [::1]")
    return "*." + host if pattern.startswith("*.") else host
