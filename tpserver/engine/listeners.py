"""The listening socket: opening it, accepting what its backlog holds, resting when there are no descriptors left."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import socketserver
import sys
from collections.abc import Iterator
from typing import Any, Final, Protocol

from tpserver.engine.polling import NOTHING, READ, Poller
from tpserver.logs.log import Log

_log = Log("tpserver")

# Connections accepted in one turn.
_TURN: Final = 64
# Seconds without accepting after the system had no descriptor or memory for one more.
REST: Final = 0.1
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# Bytes that the system keeps unsent of a response, beside those that are on their way.
_UNSENT: Final = 128 * 1024
# Descriptors kept for files, log and application when the connections are counted.
_RESERVE: Final = 64


class ListeningServer(socketserver.TCPServer):
    """A `TCPServer` whose socket does not block, and can be opened anew."""

    allow_reuse_address = sys.platform != "win32"  # there it would share the port with a stranger
    request_queue_size = 4096  # the system takes as many of them as it allows
    closed = False  # by `server_close`: nobody listens anew
    refuses_when_draining = False  # the socket is closed when the drain begins. For whoever serves with it only once.

    def server_bind(self) -> None:
        """Binds to the address; on Windows for this server alone. Raises OSError."""
        if sys.platform == "win32":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        super().server_bind()
        address: Any = self.server_address
        self.server_name: str = address[0]
        self.server_port: int = address[1]

    def server_activate(self) -> None:
        """Listens. Raises OSError."""
        super().server_activate()
        self.socket.setblocking(False)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # Accepted sockets inherit it. Else those whose clients do not read take megabytes of the system's memory
            # each, and 4000 of them all that there is for TCP: then the whole machine suffers.
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)

    def listens(self) -> bool:
        """Whether the listening socket is what it was. Any thread."""
        try:
            return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        except OSError:
            return False

    def listen_anew(self) -> None:
        """The leader: another listening socket at the same address. Raises OSError; also after `server_close`."""
        self.socket.detach()  # its number may be somebody else's by now
        self.socket = socket.socket(self.address_family, self.socket_type)
        try:
            self.server_bind()
            self.server_activate()
            if self.closed:  # meanwhile, and what was closed may have been the old socket
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        except OSError:
            self.socket.close()
            raise

    def server_close(self) -> None:
        """Closes the listening socket for good. Any thread; after `serve_forever`, as a rule, but also before."""
        self.closed = True  # first: see `listen_anew`
        super().server_close()

    def stop_listening(self) -> None:
        """The leader: closes the listening socket for good, and nothing else; new clients are refused from here on."""
        self.closed = True
        if self.listens():  # else its number may be somebody else's
            with contextlib.suppress(OSError):  # not every system can
                self.socket.shutdown(socket.SHUT_RD)  # also where a child of the application's still holds it
        self.socket.close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """The leader: accepts one connection, non-blocking. Raises OSError, BlockingIOError among them."""
        sock, client_address = self.socket.accept()
        try:
            sock.setblocking(False)
            if sock.family != getattr(socket, "AF_UNIX", None):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # the client has gone already
            sock.close()
            raise
        return sock, client_address


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
        self.watched = False  # by the poller
        self.closed = False
        self._rests_until = 0.0
        self._complained = False

    def refresh(self, now: float) -> None:
        """Before each poll: after a rest the socket is watched again."""
        if not self.watched and not self.closed and now >= self._rests_until:
            self._poller.watch(self.fd, NOTHING, READ)
            self.watched = True

    def rest_left(self, now: float) -> float:
        """Seconds until the rest is over; infinite where there is none."""
        return float("inf") if self.watched or self.closed else max(0.0, self._rests_until - now)

    def accept(self, now: float, count: int = _TURN) -> Iterator[tuple[socket.socket, Any]]:
        """The connections that wait, non-blocking, `count` at the most."""
        for _ in range(count):
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
        self.closed = True
        self._unwatch()

    def _unwatch(self) -> None:
        if self.watched:
            self.watched = False
            with contextlib.suppress(OSError, KeyError, ValueError):  # it has been closed: then nothing is watched
                self._poller.watch(self.fd, READ, NOTHING)


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
