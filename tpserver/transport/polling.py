"""Which sockets can be read or written: epoll where there is one, else what `selectors` finds best.

Events are level-triggered: what is not dealt with in one turn comes again in the next.
"""

from __future__ import annotations

import contextlib
import select
import selectors
import socket
import struct
import sys
from enum import Enum
from typing import Final

NOTHING: Final = 0
READ: Final = 1
WRITE: Final = 4

# How many events one poll takes at the most.
_TURN: Final = 256
# Seconds that a request's thread waits to know whether its client takes the response: more than most round trips.
REFUSES_WITHIN: Final = 0.1
# What poll tells when the client has closed its side, also behind bytes that have not been received (Linux).
_PEER_CLOSED: Final[int] = getattr(select, "POLLRDHUP", 0) if hasattr(select, "poll") else 0
# SO_LINGER's struct: on, for 0 seconds.
_AT_ONCE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
_EVENTS: Final = {READ: selectors.EVENT_READ, WRITE: selectors.EVENT_WRITE}


class EpollPoller:
    """Linux. READ and WRITE are EPOLLIN's and EPOLLOUT's own numbers, so nothing is translated."""

    capacity = sys.maxsize  # how many sockets it can watch

    def __init__(self) -> None:
        self._selector = vars(select)["epoll"]()  # which other systems do not have, nor their types

    def watch(self, fd: int, before: int, wanted: int) -> None:
        """The leader: changes what is watched on `fd` from `before` to `wanted`; NOTHING: it is not watched at all."""
        if wanted == NOTHING:
            self._selector.unregister(fd)
        elif before != NOTHING:
            self._selector.modify(fd, wanted)
        else:
            try:
                self._selector.register(fd, wanted)
            except (FileExistsError, KeyError):  # a leader was interrupted when it had just done that
                self._selector.modify(fd, wanted)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """The leader: (fd, events) for each that is ready or has an error, after `timeout` seconds at the most."""
        events: list[tuple[int, int]] = self._selector.poll(timeout, _TURN)
        return events

    def close(self) -> None:
        """The last leader: the end."""
        self._selector.close()


class SelectorPoller(EpollPoller):
    """The same for other systems: kqueue on macOS, poll on POSIX, select on Windows."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        if isinstance(self._selector, selectors.SelectSelector):
            self.capacity = 500  # FD_SETSIZE is 512 on Windows

    def watch(self, fd: int, before: int, wanted: int) -> None:
        """The leader: as EpollPoller.watch."""
        super().watch(fd, before, _EVENTS.get(wanted, NOTHING))

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """The leader: as EpollPoller.poll; the events are those of `selectors`."""
        return [(key.fd, events) for key, events in self._selector.select(timeout)]


def new_poller() -> EpollPoller:
    """The best poller of this system."""
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()


def wait_for(sock: socket.socket, wanted: int, timeout: float) -> bool:
    """The thread of a request: waits until one socket can be read (READ) or written (WRITE); whether it can.

    A closed one counts as ready: the next call fails. It takes no descriptor, of which there may be none left.
    """
    with getattr(selectors, "PollSelector", selectors.SelectSelector)() as selector:
        try:
            selector.register(sock, _EVENTS[wanted])
        except ValueError:
            return True
        try:
            return bool(selector.select(timeout))
        except OSError:  # so Windows tells that another thread has closed it meanwhile
            if sock.fileno() >= 0:
                raise
            return True


def reset_on_close(sock: socket.socket) -> None:
    """The owner: the client sees that the connection was cut off, and the system keeps nothing of it to send."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)


class ClientSide(Enum):
    """What a client has done to its side of a connection."""

    OPEN = "open"
    ENDED = "ended"  # it sends nothing more: it has closed its socket, or only its sending side, and still reads
    RESET = "reset"  # it gets nothing more


def refuses(sock: socket.socket) -> bool:
    """The owner, which has sent something: whether the client has closed its socket, and not only its sending side.

    Then the client's system answers with a reset, after a round trip: that takes up to REFUSES_WITHIN seconds. Windows
    has no poll to wait for that, and both count as closed.
    """
    if not hasattr(select, "poll"):
        return client_side(sock) is not ClientSide.OPEN
    if client_side(sock) is ClientSide.ENDED:
        with contextlib.suppress(OSError, ValueError):  # it has been closed on this side
            poll = vars(select)["poll"]()
            poll.register(sock, 0)  # errors and resets are always told
            poll.poll(REFUSES_WITHIN * 1000)
    return client_side(sock) is ClientSide.RESET


def client_side(sock: socket.socket) -> ClientSide:
    """Any thread that has the connection. Until something is sent to it, a client that has left only has ENDED.

    An end behind bytes that have not been received is seen where the system tells of it (POLLRDHUP: Linux).
    """
    try:
        if _PEER_CLOSED:
            poll = vars(select)["poll"]()
            poll.register(sock, _PEER_CLOSED)
            events = poll.poll(0)
            if not events:
                return ClientSide.OPEN
            return ClientSide.ENDED if events[0][1] == _PEER_CLOSED else ClientSide.RESET
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return ClientSide.RESET
        return ClientSide.OPEN if sock.recv(1, socket.MSG_PEEK) else ClientSide.ENDED
    except BlockingIOError:
        return ClientSide.OPEN
    except (OSError, ValueError):  # ValueError: it has been closed on this side
        return ClientSide.RESET
