"""Which addresses are those of trusted proxies (`--trusted-proxy`).

`ipaddress` is imported where there are any: its import takes longer than that of all the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    Address = IPv4Address | IPv6Address

# Before an IPv4 address that is written as IPv6 (RFC 4291 section 2.5.5.2).
_MAPPED_BITS: Final = 96


class TrustedProxies:
    """The addresses of `--trusted-proxy`: texts as `parse_trusted_proxy` returns them. Any thread."""

    def __init__(self, texts: Iterable[str]) -> None:
        import ipaddress

        texts = set(texts)
        self._unix = "unix" in texts
        self._all_peers = "*" in texts
        self._networks = [ipaddress.ip_network(text) for text in texts - {"unix", "*"}]

    def has_peer(self, host: str) -> bool:
        """Whether the other end of a connection is one. `host` is its IP address; "": that of a unix socket."""
        return self._all_peers or self.has_client(host)

    def has_client(self, host: str) -> bool:
        """Whether a client that another proxy has named is one. `*` does not mean these."""
        if not host:
            return self._unix
        return parse_address(host.partition("%")[0]) in self

    def __contains__(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def parse_trusted_proxy(text: str) -> str:
    """An address, a network, "unix" or "*" -> its normalized form. Raises ValueError.

    One of IPv4 that is written as IPv6 becomes what it is, as addresses do that are looked for.
    """
    import ipaddress

    if text in ("unix", "*"):
        return text
    try:
        network = ipaddress.ip_network(text.strip())
        mapped = getattr(network.network_address, "ipv4_mapped", None)
        if mapped is not None and network.prefixlen >= _MAPPED_BITS:
            network = ipaddress.ip_network((mapped, network.prefixlen - _MAPPED_BITS))
        return str(network)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not an address such as 10.0.0.1, a network such as 10.0.0.0/8, unix or *: {error}"
        ) from None


def parse_address(text: str) -> Address | None:
    """The text of an IP address; one of IPv4 that is written as IPv6 becomes what it is. None: it is none."""
    import ipaddress

    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
