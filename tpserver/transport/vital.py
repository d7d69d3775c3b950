"""The sockets that a server cannot do without: code of others may close them by their numbers."""

from __future__ import annotations

import socket
import sys

from tpserver.system.descriptors import identity
from tpserver.transport.errors import EngineBroken
from tpserver.transport.listener import Listener, ListeningServer
from tpserver.transport.mailbox import Mailbox


class VitalSockets:
    """The listening sockets, and those of the mailbox. Only the leader calls; of the poller, `poll` tells."""

    def __init__(self, listening: ListeningServer, listener: Listener, mailbox: Mailbox) -> None:
        self._listening = listening
        self._listener = listener
        # What they are. On Windows they are no descriptors.
        sockets = () if sys.platform == "win32" else (*listening.sockets, *mailbox.sockets)
        self._known = {sock: identity(sock.fileno()) for sock in sockets}

    def have(self, fd: int) -> bool:
        """The leader: whether one of them has, or had, this descriptor."""
        return fd in map(socket.socket.fileno, self._known)

    def check(self) -> None:
        """The leader: stops listening and raises EngineBroken where one was closed. Once: the drain goes on without."""
        lost = [sock for sock, known in self._known.items() if identity(sock.fileno()) != known]
        for sock in lost:
            del self._known[sock]
        listening = self._listening.sockets
        if self._listener.closed or self._listening.closed:
            lost = [sock for sock in lost if sock not in listening]
        if lost:
            self._listener.close()
            for sock in lost:
                sock.detach()  # its number may be that of another file
            what = "listening" if any(sock in listening for sock in lost) else "wake-up"
            raise EngineBroken(f"the {what} socket was closed by other code")
