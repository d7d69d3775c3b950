"""How many connections each client address has: one of them shall not take them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tpserver.engine.connection import Connection


class Crowds:
    """Counts connections by address, up to `most` of each (0: any number). The leader's alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, int] = {}

    def enter(self, connection: Connection) -> bool:
        """One more; whether it may stay. One that may not is not counted."""
        address = _address(connection)
        if not self._most or not address:
            return True
        count = self._counts.get(address, 0)
        if count >= self._most:
            return False
        self._counts[address] = count + 1
        connection.crowd = address
        return True

    def leave(self, connection: Connection) -> None:
        """One less, if it was counted."""
        address = connection.crowd
        if not address:
            return
        connection.crowd = ""
        if self._counts[address] > 1:
            self._counts[address] -= 1
        else:
            del self._counts[address]


def _address(connection: Connection) -> str:
    """The client's IP address; those of an IPv6 network of /64 count as one. Unix sockets have none."""
    client_address = connection.client_address
    if not isinstance(client_address, tuple):
        return ""
    address: str = client_address[0]
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
