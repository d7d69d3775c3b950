"""The listening socket: accepting what the backlog holds, and resting when there are no descriptors left."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from collections.abc import Iterator
from typing import Any, Final, Protocol

from tpserver.engine.polling import NOTHING, READ, Poller
from tpserver.log import Log

_log = Log("tpserver")

# Connections accepted in one turn.
_TURN: Final = 64
# Seconds without accepting after the system had no descriptor or memory for one more.
REST: Final = 0.1
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# Descriptors kept for files, log and application when the connections are counted.
_RESERVE: Final = 64


class Accepting(Protocol):
    """What is asked of a `socketserver.TCPServer`."""

    socket: socket.socket

    def get_request(self) -> tuple[Any, Any]: ...
    def verify_request(self, request: Any, client_address: Any) -> bool: ...


class Listener:
    """One listening socket, watched by the poller. The leader calls."""

    def __init__(self, server: Accepting, poller: Poller) -> None:
        self._server = server
        self._poller = poller
        self.fd = server.socket.fileno()
        self._watched = False
        self._closed = False
        self._rests_until = 0.0
        self._complained = False

    def refresh(self, now: float) -> None:
        """Before each poll: after a rest the socket is watched again."""
        if not self._watched and not self._closed and now >= self._rests_until:
            self._poller.watch(self.fd, NOTHING, READ)
            self._watched = True

    def rest_left(self, now: float) -> float:
        """Seconds until the rest is over; infinite where there is none."""
        return float("inf") if self._watched or self._closed else max(0.0, self._rests_until - now)

    def accept(self, now: float) -> Iterator[tuple[socket.socket, Any]]:
        """The connections that wait, non-blocking, some dozens at the most."""
        for _ in range(_TURN):
            try:
                sock, client_address = self._server.get_request()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._rest(error, now)
                    return
                continue  # that client has gone before it was accepted
            self._complained = False
            if self._server.verify_request(sock, client_address):
                yield sock, client_address
            else:
                sock.close()

    def _rest(self, error: OSError, now: float) -> None:
        if not self._complained:
            self._complained = True
            _log.error("cannot accept a connection: %s; going on when there is room", error.strerror)
        self._rests_until = now + REST
        self._unwatch()

    def close(self) -> None:
        """No more connections; the socket itself is the server's."""
        self._closed = True
        self._unwatch()

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            with contextlib.suppress(OSError, KeyError, ValueError):  # it has been closed: then nothing is watched
                self._poller.watch(self.fd, READ, NOTHING)


def raise_file_limit() -> None:
    """Raises the process's soft limit on open files to the hard one (POSIX). For whoever owns the process."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):  # macOS refuses "unlimited"
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def file_limit() -> int | None:
    """How many files the process may open; None where there is no such limit."""
    if sys.platform != "win32":
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY:
            return soft
    return None


def capacity(wanted: int, poller_capacity: int | None, file_limit: int | None) -> int:
    """How many connections can be open at once: as many as wanted, or as poller and open files allow."""
    allowed = wanted
    if poller_capacity is not None:
        allowed = min(allowed, poller_capacity)
    if file_limit is not None:
        allowed = min(allowed, max(file_limit - _RESERVE, file_limit // 2))
    return allowed
