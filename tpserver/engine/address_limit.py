"""How many connections one client address may have, so that one client cannot take them all."""

from __future__ import annotations

import ipaddress

from tpserver.engine.protocol import Address


class AddressLimit:
    """Counts connections by address, up to `limit` for each (0: no limit). Only the current leader calls."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: dict[str, int] = {}

    def admit(self, address: str) -> bool:
        """The leader: counts one more connection of `address`, unless that has reached the limit."""
        count = self._counts.get(address, 0)
        if count >= self._limit:
            return False
        self._counts[address] = count + 1
        return True

    def release(self, address: str) -> None:
        """The leader: one connection less of `address`."""
        if self._counts[address] > 1:
            self._counts[address] -= 1
        else:
            del self._counts[address]

    def counted(self, client_address: Address) -> str:
        """Any thread: what a client is counted by: its IP address or its IPv6 network of /64; "": it is not."""
        if not self._limit or not isinstance(client_address, tuple):  # a unix socket has no address
            return ""
        address = ipaddress.ip_address(client_address[0].partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)  # IPv4 as seen through IPv6
        return str(mapped or address.exploded[:19])  # four groups of four digits; an IPv4 address is shorter
