"""The listening socket: opening it, accepting what its backlog holds, resting when there are no descriptors left."""

from __future__ import annotations

import contextlib
import errno
import socket
import socketserver
import sys
from collections.abc import Iterator
from typing import Final

from tpserver.logs.log import Log
from tpserver.transport.errors import UnsuitableSocket
from tpserver.transport.polling import NOTHING, READ, EpollPoller
from tpserver.transport.protocol import Address

_log = Log("tpserver")

# Connections accepted in one turn.
TURN: Final = 64
# Seconds without accepting after the system had no descriptor or memory for one more.
REST: Final = 0.1
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# Bytes that the system keeps unsent of a response, beside those that are on their way.
_UNSENT: Final = 128 * 1024
# Descriptors that are left for files, log and application when the connections are counted.
_RESERVE: Final = 64


class ListeningServer(socketserver.TCPServer):
    """A `TCPServer` whose socket does not block."""

    allow_reuse_address = sys.platform != "win32"  # there it would share the port with a stranger
    request_queue_size = 4096  # the system takes as many of them as it allows
    closed = False  # by `server_close` or `stop_listening`
    _inherits_nodelay: bool | None = None  # accepted sockets have TCP_NODELAY by the listening one; None: not known yet
    refuses_when_draining = False  # the socket is closed when the drain begins: for a program that serves once

    def server_bind(self) -> None:
        """Binds to the address; on Windows for this server alone. Raises OSError."""
        if sys.platform == "win32":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        super().server_bind()
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def server_activate(self) -> None:
        """Listens. Raises OSError."""
        super().server_activate()
        self.socket.setblocking(False)
        if self.socket.family != getattr(socket, "AF_UNIX", None):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it (Linux)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # Accepted sockets inherit it. Else 4000 whose clients do not read take all memory of the system's TCP.
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)

    def server_close(self) -> None:
        """Any thread: closes the listening socket. After `serve_forever` as a rule, but also before and during it."""
        self.closed = True  # first: so the leader, which may notice, knows who has closed it
        super().server_close()

    def stop_listening(self) -> None:
        """The leader: closes the listening socket; new clients are refused from here on."""
        self.closed = True
        with contextlib.suppress(OSError):  # not every system can
            self.socket.shutdown(socket.SHUT_RD)  # also where a child of the application's still holds it
        self.socket.close()

    def get_request(self) -> tuple[socket.socket, Address]:
        """The leader: accepts one connection, non-blocking. Raises OSError, BlockingIOError among them."""
        sock, client_address = self.socket.accept()
        try:
            sock.setblocking(False)
            if not self._inherits_nodelay and sock.family != getattr(socket, "AF_UNIX", None):
                if self._inherits_nodelay is None:
                    self._inherits_nodelay = bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # the client has gone already
            sock.close()
            raise
        return sock, client_address


def check_listening_socket(sock: socket.socket) -> None:
    """Any thread, when serving begins: raises UnsuitableSocket where the server cannot serve with `sock`."""
    ssl = sys.modules.get("ssl")  # an SSLSocket exists only if it has been imported
    if ssl is not None and isinstance(sock, ssl.SSLSocket):
        raise UnsuitableSocket(
            "server.socket is an ssl.SSLSocket, which tpserver cannot serve: "
            "leave server.socket as it is, and put a reverse proxy that speaks TLS in front"
        )


class Listener:
    """One listening socket, watched by the poller. Only the current leader calls."""

    def __init__(self, server: ListeningServer, poller: EpollPoller) -> None:
        self._server = server
        self._poller = poller
        self.fd = server.socket.fileno()
        self.watched = False  # by the poller; if not, and it is not closed, it rests
        self.closed = False
        self._complained = False

    def watch(self) -> None:
        """The leader: watches the socket, for the first time or after a rest; no longer after `server_close`."""
        if self._server.closed:
            self.close()
        elif not (self.watched or self.closed):
            self._poller.watch(self.fd, NOTHING, READ)
            self.watched = True

    def accept(self, most: int = TURN) -> Iterator[tuple[socket.socket, Address]]:
        """The leader: the connections that wait, non-blocking. Rests when the system has no room for one more."""
        for _ in range(most):
            try:
                sock, client_address = self._server.get_request()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    continue  # that client has gone before it was accepted
                if not self._complained:
                    self._complained = True
                    _log.error("cannot accept a connection: %s; going on when there is room", error.strerror)
                self._unwatch()
                return
            self._complained = False
            if self._server.verify_request(sock, client_address):
                yield sock, client_address
            else:
                sock.close()

    def close(self) -> None:
        """The leader: accepts no more connections. The socket itself is the server's."""
        self.closed = True
        self._unwatch()

    def _unwatch(self) -> None:
        if self.watched:
            self.watched = False
            with contextlib.suppress(OSError, KeyError, ValueError):  # it has been closed, so it is not watched
                self._poller.watch(self.fd, READ, NOTHING)


# How an IPv4 address begins that is seen through IPv6 (RFC 4291 section 2.5.5.2).
_MAPPED: Final = bytes(10) + b"\xff\xff"


def counted_address(client_address: Address) -> str:
    """Any thread: the IP address, or the IPv6 network of /64. "": it is not counted (a unix socket has none)."""
    if not isinstance(client_address, tuple):
        return ""
    host = client_address[0].partition("%")[0]
    if ":" not in host:
        return host
    address = socket.inet_pton(socket.AF_INET6, host)
    if address.startswith(_MAPPED):
        return socket.inet_ntoa(address[len(_MAPPED) :])
    return address[:8].hex(":", 2)


def capacity(wanted: int, poller_capacity: int) -> int:
    """Any thread: how many connections can be open at once: as many as wanted, or as poller and open files allow."""
    allowed = min(wanted, poller_capacity)
    if sys.platform != "win32":
        import resource

        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files != resource.RLIM_INFINITY:
            allowed = min(allowed, max(files - _RESERVE, files // 2))
    return allowed
