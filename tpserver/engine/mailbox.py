"""The leader's mailbox: how other threads have the leader do something, and wake it when it waits for sockets.

No other thread writes what belongs to the leader. A pair of sockets wakes it, which works on every system.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from tpserver.engine.errors import EngineBroken
from tpserver.logs.log import Log

_log = Log("tpserver")

T = TypeVar("T")

# Bytes read in one go by `silence`; each is one call of `wake`.
_READ: Final = 4096


class Mailbox:
    """`post` and `wake` are for any thread and for signal handlers, the rest is for the current leader.

    The leader sets `sleeping`, looks whether something has been posted, and polls `fd` with the other sockets; another
    thread posts, and looks at `sleeping`. So one of the two always sees the other.
    """

    def __init__(self) -> None:
        self._receiving, self._sending = socket.socketpair()
        self._receiving.setblocking(False)
        self._sending.setblocking(False)
        self.fd = self._receiving.fileno()
        self.fds: Final = (self.fd, self._sending.fileno())
        self.sleeping = False
        self._posts: deque[tuple[Callable[[Any], object], Any]] = deque()

    def __bool__(self) -> bool:
        """Any thread: whether something has been posted and not yet delivered."""
        return bool(self._posts)

    def post(self, action: Callable[[T], object], argument: T, *, wake: bool = True) -> None:
        """Any thread, and signal handlers: the leader calls `action(argument)` before it attends to other sockets.

        Without `wake` a leader that sleeps finds it when something else wakes it, after one sweep at the latest.
        """
        self._posts.append((action, argument))
        if wake and self.sleeping:
            self.wake()

    def posted(self) -> list[Any]:
        """Any thread: the arguments that have been posted and not yet delivered. A snapshot."""
        return [argument for _, argument in self._posts.copy()]

    def deliver(self) -> None:
        """The leader: does what has been posted, in order. An action that raises is tried once more, then skipped.

        An action is taken out after it has been done: if the leader is interrupted, the next one does it again. So
        actions bear to be done twice. Raises only EngineBroken.
        """
        posts = self._posts
        for _ in range(len(posts)):  # what is posted meanwhile waits for the next turn
            action, argument = posts[0]
            # What was raised may have come from outside, and just once.
            if not self._do(action, argument):
                self._do(action, argument)
            posts.popleft()

    def _do(self, action: Callable[[Any], object], argument: object) -> bool:
        try:
            action(argument)
        except EngineBroken:
            self._posts.popleft()
            raise
        except BaseException:  # noqa: BLE001 - the others must not be lost
            _log.exception("internal error; an action of the leader was not completed")
            return False
        return True

    def wake(self) -> None:
        """Any thread, and signal handlers: ends the poll of the leader."""
        with contextlib.suppress(OSError):  # full: it is awake soon; closed: there is no leader any more
            self._sending.send(b"\0")

    def silence(self) -> None:
        """The leader: takes note of having been woken. What is posted after this wakes it again."""
        with contextlib.suppress(OSError):
            while len(self._receiving.recv(_READ)) == _READ:
                pass

    def detach(self) -> None:
        """The leader: forgets the sockets without closing them, since their descriptors are not ours any more."""
        for sock in (self._receiving, self._sending):
            with contextlib.suppress(OSError):
                sock.detach()

    def close(self) -> None:
        """The last leader, or its successor: closes the sockets."""
        for sock in (self._receiving, self._sending):
            with contextlib.suppress(OSError):  # its descriptor has been closed already
                sock.close()
