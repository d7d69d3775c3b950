"""How many connections one client address may have, so that one client cannot take them all."""

from __future__ import annotations

import ipaddress

from tpserver.engine.connection import Connection
from tpserver.engine.protocol import Address


class AddressLimit:
    """Counts connections by address, up to `limit` for each (0: no limit). Only the current leader calls."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: dict[str, int] = {}

    def admit(self, connection: Connection) -> bool:
        """The leader: counts one more connection, unless its address has reached the limit; whether it may stay."""
        address = counted_address(connection.client_address) if self._limit else ""
        count = self._counts.get(address, 0)
        if address and count < self._limit:
            self._counts[address] = count + 1
            connection.counted_address = address
        return connection.counted_address == address

    def release(self, connection: Connection) -> None:
        """The leader: one connection less, if it was counted."""
        address, connection.counted_address = connection.counted_address, ""
        if address:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]


def counted_address(client_address: Address) -> str:
    """Any thread: the IP address, or the IPv6 network of /64. "": it is not counted (a unix socket has none)."""
    if not isinstance(client_address, tuple):
        return ""
    address = ipaddress.ip_address(client_address[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)  # IPv4 as seen through IPv6
    return str(mapped or address.exploded[:19])  # four groups of four digits; an IPv4 address is shorter
