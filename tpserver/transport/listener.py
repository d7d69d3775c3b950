"""The listening socket: opening it, accepting what its backlog holds, resting when there are no descriptors left."""

from __future__ import annotations

import contextlib
import errno
import socket
import socketserver
import sys
from collections.abc import Iterator, Sequence
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
# Tries to find a port that is free on each address of a name.
_ATTEMPTS: Final = 8
# How an IPv6 socket shows an IPv4 client.
_MAPPED: Final = "::ffff:"


class ListeningServer(socketserver.TCPServer):
    """A `TCPServer` whose socket does not block."""

    allow_reuse_address = sys.platform != "win32"  # there it would share the port with a stranger
    request_queue_size = 4096  # the system takes as many of them as it allows
    others: Sequence[socket.socket] = ()  # listen beside `socket`, where a name has several addresses
    _asked: tuple[str, int]  # the address that was asked for
    closed = False  # by `server_close` or `stop_listening`
    _inherits_nodelay: bool | None = None  # accepted sockets have TCP_NODELAY by the listening one; None: not known yet
    send_timeout = 0.0  # seconds after which the system resets a client that takes nothing (Linux); 0: in its own time
    refuses_when_draining = False  # the socket is closed when the drain begins: for a program that serves once

    @property
    def sockets(self) -> list[socket.socket]:
        """All that listen."""
        return [self.socket, *self.others]

    def server_bind(self) -> None:
        """Binds to the address, on Windows for this server alone; to each address of a name. Raises OSError."""
        self._asked = self.server_address  # type: ignore[assignment]  # a str only for unix sockets
        known = addresses(self._asked[0])
        for attempt in range(_ATTEMPTS):
            if sys.platform == "win32":
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            self.server_address = next(
                ((address, self._asked[1]) for family, address in known if family == self.address_family), self._asked
            )
            super().server_bind()
            self.server_name, self.server_port = self.socket.getsockname()[:2]
            try:
                self.others = self._bound_others(known)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE or self._asked[1] or attempt == _ATTEMPTS - 1:
                    raise
            # A free port of one address, which another has in use: one more time.
            self.socket.close()
            self.socket = socket.socket(self.address_family, self.socket_type)

    def _bound_others(self, known: list[tuple[int, str]]) -> list[socket.socket]:
        """A socket for each further address of a name, such as ::1 of localhost. Raises OSError (EADDRINUSE)."""
        bound: list[socket.socket] = []
        for family, address in known:
            if family == self.address_family and address == self.server_name:
                continue
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
            except OSError:  # this system has no IPv6
                continue
            try:
                if sys.platform == "win32":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
                elif self.allow_reuse_address:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((address, self.server_port))
                bound.append(sock)
            except OSError as error:
                sock.close()
                if error.errno == errno.EADDRINUSE:
                    for other in bound:
                        other.close()
                    raise
                _log.debug("cannot listen on %s: %s", address, error.strerror)  # not one of this machine
        return bound

    def server_activate(self) -> None:
        """Listens. Raises OSError."""
        super().server_activate()
        for other in self.others:
            other.listen(self.request_queue_size)
        for sock in self.sockets:
            sock.setblocking(False)
            if sock.family != getattr(socket, "AF_UNIX", None):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it (Linux)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                # Accepted sockets inherit it. Else 4000 whose clients do not read take all memory of the system's TCP.
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
            if sys.platform == "linux":
                # The same, for what is left of responses when their connections have been closed.
                with contextlib.suppress(OSError, OverflowError):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.send_timeout * 1000))

    def server_close(self) -> None:
        """Any thread: closes the listening socket. After `serve_forever` as a rule, but also before and during it."""
        self.closed = True  # first: so the leader, which may notice, knows who has closed it
        super().server_close()
        for other in self.others:
            other.close()

    def stop_listening(self) -> None:
        """The leader: closes the listening socket; new clients are refused from here on."""
        self.closed = True
        for sock in self.sockets:
            with contextlib.suppress(OSError):  # not every system can
                sock.shutdown(socket.SHUT_RD)  # also where a child of the application's still holds it
            sock.close()

    def get_request(self) -> tuple[socket.socket, Address]:
        """The leader: accepts one connection, non-blocking. Raises OSError, BlockingIOError among them."""
        sock, client_address = self._accept()
        if isinstance(client_address, tuple) and client_address[0].startswith(_MAPPED) and "." in client_address[0]:
            client_address = (client_address[0][len(_MAPPED) :], int(client_address[1]))  # IPv4, to a socket for both
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

    def _accept(self) -> tuple[socket.socket, Address]:
        for other in self.others:
            with contextlib.suppress(BlockingIOError):
                return other.accept()
        return self.socket.accept()


def addresses(host: str) -> list[tuple[int, str]]:
    """The addresses of a name, each with its family; none of what is an address already, or is not known."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host.partition("%")[0])
            return []
    found: list[tuple[int, str]] = []
    with contextlib.suppress(OSError, UnicodeError):
        for kind, _, _, _, address in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM) if host else ():
            one = (int(kind), str(address[0]))  # one of IPv4 or IPv6: it has a port
            if one not in found:
                found.append(one)
    return found


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
        self.fds = [sock.fileno() for sock in server.sockets]
        self.watched = False  # by the poller; if not, and it is not closed, it rests
        self.closed = False
        self._complained = False

    def watch(self) -> None:
        """The leader: watches the socket, for the first time or after a rest; no longer after `server_close`."""
        if self._server.closed:
            self.close()
        elif not (self.watched or self.closed):
            for fd in self.fds:
                self._poller.watch(fd, NOTHING, READ)
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
            for fd in self.fds:
                with contextlib.suppress(OSError, KeyError, ValueError):  # it has been closed, so it is not watched
                    self._poller.watch(fd, READ, NOTHING)


# How an IPv4 address begins that is seen through IPv6 (RFC 4291 section 2.5.5.2).
_MAPPED_BYTES: Final = bytes(10) + b"\xff\xff"


def counted_address(client_address: Address) -> str:
    """Any thread: the IP address, or the IPv6 network of /64. "": it is not counted (a unix socket has none)."""
    if not isinstance(client_address, tuple):
        return ""
    host = client_address[0].partition("%")[0]
    if ":" not in host:
        return host
    address = socket.inet_pton(socket.AF_INET6, host)
    if address.startswith(_MAPPED_BYTES):
        return socket.inet_ntoa(address[len(_MAPPED_BYTES) :])
    return address[:8].hex(":", 2)


def capacity(wanted: int, poller_capacity: int) -> int:
    """Any thread: how many connections can be open at once: as many as wanted, or as poller and open files allow."""
    files = _open_files()
    return min(wanted, poller_capacity, max(files - _RESERVE, files // 2))


def shortage(wanted: int, poller_capacity: int) -> str:
    """Any thread: why `capacity` is less than wanted, and what helps."""
    files = _open_files()
    if files - _RESERVE >= poller_capacity:
        return "select() takes no more"
    return f"ulimit -n is {files}. Type ulimit -n {wanted + _RESERVE} before the start (systemd: LimitNOFILE=)"


def _open_files() -> int:
    """How many files the process may have open, sockets among them."""
    if sys.platform != "win32":
        import resource

        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files != resource.RLIM_INFINITY:
            return files
    return sys.maxsize
