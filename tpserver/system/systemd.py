"""What systemd and a service tell each other: sockets that it has opened (sd_listen_fds(3)), states (sd_notify(3)).

By environment variables, which are removed when they have been read: they are not for what the application starts.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Final

from tpserver.system.clock import clock

_FIRST: Final = 3  # the descriptor of the first socket
_MOST: Final = 1000


def take_sockets() -> list[int]:
    """The descriptors of the sockets that systemd has opened for this process; the first call has them."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []  # there are none, or they are another process's
    count = os.environ.get("LISTEN_FDS", "")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    found = list(range(_FIRST, _FIRST + min(int(count), _MOST))) if count.isdecimal() else []
    for descriptor in found:
        with contextlib.suppress(OSError):  # who listens on it will say so
            os.set_inheritable(descriptor, False)
    return found


class Notifier:
    """Tells systemd the state of this service; nothing where it does not ask (NOTIFY_SOCKET). Any thread may call."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        watched = os.environ.pop("WATCHDOG_PID", "") in ("", str(os.getpid())) and microseconds.isdecimal()
        self.interval = 0.0  # seconds between two signs of life; 0: systemd waits for none
        family = getattr(socket, "AF_UNIX", None)
        if family is None or not address.startswith(("/", "@")):
            return
        with contextlib.suppress(OSError):
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._address = address if address.startswith("/") else f"\0{address[1:]}"
            self.interval = int(microseconds) / 2e6 if watched else 0.0

    def tell(self, *assignments: str) -> None:
        """Sends assignments such as READY=1 in one message. Never waits; a message that cannot be sent is lost."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto("\n".join(assignments).encode(errors="replace"), self._address)

    def tell_reloading(self) -> None:
        """That the configuration is being read again; READY=1 ends it."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={int(clock.monotonic() * 1e6)}")

    def close(self) -> None:
        """Tells nothing from now on."""
        if self._socket is not None:
            self._socket.close()
