"""How many connections one client address may have, so that one client cannot take them all."""

from __future__ import annotations

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
        """The address that a client is counted by: its IP address, or its IPv6 network of /64. "": not counted.

        Any thread. Clients of a unix socket have no address.
        """
        if not self._limit or not isinstance(client_address, tuple):
            return ""
        address = client_address[0]
        if ":" not in address or "." in address:  # IPv4, also as seen through IPv6
            return address.rpartition(":")[2]
        return ":".join(_groups(address)[:4])


def _groups(address: str) -> list[str]:
    """The eight groups of an IPv6 address as the system writes it, `::` spelt out."""
    address = address.partition("%")[0]
    head, gap, tail = address.partition("::")
    before = head.split(":") if head else []
    after = tail.split(":") if tail else []
    return before + ["0"] * (8 - len(before) - len(after)) + after if gap else before
