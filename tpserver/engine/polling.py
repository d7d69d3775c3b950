"""Which sockets can be read or written: epoll where there is one, else what `selectors` finds best.

Only the current leader calls a poller. Events are level-triggered: what is not dealt with in one
turn comes again in the next.
"""

from __future__ import annotations

import select
import selectors
import sys
from typing import Final, TypeAlias

NOTHING: Final = 0
READ: Final = 1
WRITE: Final = 4

# How many events one poll takes at the most.
_TURN: Final = 256
# What select() takes on POSIX: descriptors below this.
_FD_SETSIZE: Final = 1024


class EpollPoller:
    """Linux. READ and WRITE are EPOLLIN's and EPOLLOUT's own numbers, so nothing is translated."""

    def __init__(self) -> None:
        self.capacity: int | None = None  # how many sockets it can watch; None: as many as there are descriptors
        self._epoll = vars(select)["epoll"]()  # which other systems do not have, nor their types

    def watch(self, fd: int, before: int, wanted: int) -> None:
        """The leader: changes what is watched on `fd` from `before` to `wanted`; NOTHING: it is not watched at all."""
        if before == NOTHING:
            try:
                self._epoll.register(fd, wanted)
            except FileExistsError:  # a leader was interrupted when it had just done that
                self._epoll.modify(fd, wanted)
        elif wanted == NOTHING:
            self._epoll.unregister(fd)
        else:
            self._epoll.modify(fd, wanted)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """The leader: (fd, events) for each that is ready, after `timeout` seconds at the most. An error is a READ."""
        events: list[tuple[int, int]] = self._epoll.poll(timeout, _TURN)
        return events

    def takes(self, fd: int) -> bool:
        """The leader: whether it can watch this descriptor at all."""
        return True

    def close(self) -> None:
        """The last leader: the end."""
        self._epoll.close()


class SelectorPoller:
    """The same for other systems: kqueue on macOS, poll on POSIX, select on Windows."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.capacity: int | None = None
        if isinstance(self._selector, selectors.SelectSelector):
            # FD_SETSIZE: 512 sockets of any number on Windows, file descriptors below 1024 elsewhere.
            self.capacity = 500 if sys.platform == "win32" else 900

    def watch(self, fd: int, before: int, wanted: int) -> None:
        """The leader: changes what is watched on `fd` from `before` to `wanted`, as EpollPoller.watch does."""
        if wanted == NOTHING:
            self._selector.unregister(fd)
            return
        events = (selectors.EVENT_READ if wanted & READ else 0) | (selectors.EVENT_WRITE if wanted & WRITE else 0)
        if before == NOTHING and fd not in self._selector.get_map():
            self._selector.register(fd, events)
        else:
            self._selector.modify(fd, events)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """The leader: (fd, events) for each that is ready, after `timeout` seconds at the most. An error is a READ."""
        return [
            (key.fd, (READ if events & selectors.EVENT_READ else 0) | (WRITE if events & selectors.EVENT_WRITE else 0))
            for key, events in self._selector.select(timeout)
        ]

    def takes(self, fd: int) -> bool:
        """The leader: whether it can watch this descriptor at all."""
        # POSIX's select() counts descriptors, not sockets; on Windows their numbers mean nothing.
        return self.capacity is None or sys.platform == "win32" or fd < _FD_SETSIZE

    def close(self) -> None:
        """The last leader: the end."""
        self._selector.close()


Poller: TypeAlias = EpollPoller | SelectorPoller


def new_poller() -> Poller:
    """The best poller of this system."""
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()
