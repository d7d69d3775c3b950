"""How many connections each client address has, and may have at most."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

from tpserver.transport.connection import Connection
from tpserver.transport.listener import counted_address

# The cause of refusals.
TOO_MANY: Final = "connection limit of one address"


class AddressLimit:
    """`most` connections for each address, 0: any number. The leader calls, also when it was relieved."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()  # guards what follows: a relieved leader may still be here
        self._counts: Counter[str] = Counter()  # none of 0; those that do not count have ""

    def add(self, connection: Connection, is_counted: bool) -> bool:
        """Counts a connection for the address of its client, if it counts; False: that would be one too many."""
        if not self._most:
            return True
        address = counted_address(connection.client_address) if is_counted else ""
        with self._lock:
            if address and self._counts[address] >= self._most:
                return False
            self._counts[address] += 1
            connection.counted_address = address
            return True

    def remove(self, connection: Connection) -> None:
        """Counts a connection no more, if it is counted."""
        if connection.counted_address is None:
            return
        with self._lock:
            address, connection.counted_address = connection.counted_address, None
            if address is not None:
                self._counts[address] -= 1
                if not self._counts[address]:
                    del self._counts[address]
