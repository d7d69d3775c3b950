"""The leader's mailbox: how other threads have the leader do something, and wake it when it waits for sockets.

No other thread writes what belongs to the leader. A pair of sockets wakes it, which works on every system.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Callable
from functools import partial


class Mailbox:
    """`post` and `wake` are for any thread and for signal handlers, the rest is for the current leader.

    The leader sets `sleeping`, looks whether something has been posted, and polls `fd` with the other sockets; another
    thread posts, and looks at `sleeping`. So one of the two always sees the other.
    """

    def __init__(self) -> None:
        self._receiving, self._sending = self.sockets = socket.socketpair()
        for sock in self.sockets:
            sock.setblocking(False)
        self.fd = self._receiving.fileno()
        self.sleeping = False
        self.posts: deque[partial[None]] = deque()  # what is still to be done

    def post(self, action: Callable[..., None], argument: object) -> None:
        """Any thread, and signal handlers: the leader calls `action(argument)` before it attends to other sockets."""
        self.posts.append(partial(action, argument))
        if self.sleeping:
            self.wake()

    def deliver(self) -> None:
        """The leader: does what has been posted, in order; what is posted meanwhile waits for the next turn.

        Raises what an action raises: the next leader goes on with those behind it, and finds what was lost with it.
        """
        for _ in range(len(self.posts)):
            self.posts.popleft()()

    def wake(self) -> None:
        """Any thread, and signal handlers: ends the poll of the leader."""
        try:
            self._sending.send(b"\0")
        except OSError:  # full: it is awake soon; closed: there is no leader any more
            pass

    def silence(self) -> None:
        """The leader: takes note of having been woken. What is posted after this wakes it again."""
        try:
            while self._receiving.recv(4096):  # a TCP pair may hold more although this one is short
                pass
        except OSError:  # BlockingIOError: there is no more
            pass

    def close(self) -> None:
        """The last leader, or its successor: closes the sockets."""
        for sock in self.sockets:
            with contextlib.suppress(OSError):  # its descriptor has been closed already
                sock.close()
