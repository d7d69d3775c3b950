"""A pair of sockets by which any thread wakes the one that polls: works wherever sockets do, also on Windows."""

from __future__ import annotations

import contextlib
import socket


class WakeUp:
    """`ring` from any thread; `silence` by the one that polls `fd`."""

    def __init__(self) -> None:
        self._receiving, self._sending = socket.socketpair()
        self._receiving.setblocking(False)
        self._sending.setblocking(False)
        self.fd = self._receiving.fileno()
        self._rung = False

    def ring(self) -> None:
        if self._rung:
            return
        self._rung = True
        try:
            self._sending.send(b"\0")
        except OSError:  # full: then it has been rung; closed: then nobody polls
            pass

    def silence(self) -> None:
        """Before looking at what one was woken for: what comes after this rings again."""
        try:
            self._receiving.recv(4096)
        except OSError:
            pass
        self._rung = False

    def detach(self) -> None:
        """Forgets the sockets without closing them: their descriptors are somebody else's by now."""
        self._rung = True
        for sock in (self._receiving, self._sending):
            with contextlib.suppress(OSError):
                sock.detach()

    def close(self) -> None:
        self._rung = True
        for sock in (self._receiving, self._sending):
            with contextlib.suppress(OSError):  # somebody has closed its descriptor
                sock.close()
