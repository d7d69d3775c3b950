"""The listening socket: opening it, accepting what its backlog holds, resting when there are no descriptors left."""

from __future__ import annotations

import contextlib
import errno
import socket
import socketserver
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tpserver.logs.log import Log
from tpserver.transport.endpoint import Endpoint
from tpserver.transport.errors import UnsuitableSocket
from tpserver.transport.listening import (
    BACKLOG,
    SocketFile,
    SocketOptions,
    bind_sockets,
    endpoint_of,
    listen,
    remove_files,
    socket_files,
)
from tpserver.transport.polling import NOTHING, READ, EpollPoller
from tpserver.transport.protocol import MAPPED_BYTES, Address
from tpserver.transport.unix_socket import AF_UNIX

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
# How an IPv6 socket shows an IPv4 client.
_MAPPED: Final = "::ffff:"


class ListeningServer(socketserver.TCPServer):
    """A `TCPServer` whose socket does not block. It may have several, also of other families, or opened by others."""

    allow_reuse_address = sys.platform != "win32"  # there it would share the port with a stranger
    allow_reuse_port = False  # other processes may listen on the same port
    request_queue_size = BACKLOG
    server_name: str
    server_port: int
    endpoints: Sequence[Endpoint] = ()  # where to listen; none: at `server_address`
    socket_options = SocketOptions()
    given: Sequence[socket.socket] = ()  # sockets that listen already: the server takes them, and closes them
    others: Sequence[socket.socket] = ()  # listen beside `socket`
    closed = False  # by `server_close` or `stop_listening`
    _files: Sequence[SocketFile] = ()  # of unix sockets, to be removed
    _turn = 0
    _inherits_nodelay: bool | None = None  # accepted sockets have TCP_NODELAY by the listening one; None: not known yet
    send_timeout = 0.0  # seconds after which the system resets a client that takes nothing (Linux); 0: in its own time
    shares_sockets = False  # other processes may accept from the same sockets
    balances = False  # other processes accept from the same sockets what this one has no time for
    spares_idle = False  # idle connections are not closed as soon as the drain begins, but a moment later
    refuses_when_draining = False  # the socket is closed when the drain begins: for a program that serves once

    @property
    def sockets(self) -> list[socket.socket]:
        """All that listen."""
        return [self.socket, *self.others]

    def has_queue(self) -> bool:
        """The leader: whether requests wait for a thread."""
        return False

    def server_bind(self) -> None:
        """Binds to each endpoint, and there to each address of a name. Raises AddressError."""
        unbound = self.socket
        self.shares_sockets = bool(self.given) or any(one.descriptor is not None for one in self.endpoints)
        if self.given:
            self.socket, *self.others = self.given
        else:
            endpoints = self.endpoints or (Endpoint(*self.server_address[:2]),)  # type: ignore[arg-type]
            reuse_port = self.allow_reuse_port or self.socket_options.reuse_port
            options = self.socket_options._replace(
                reuse_address=self.allow_reuse_address, reuse_port=reuse_port, backlog=self.request_queue_size
            )
            self.socket, *self.others = bind_sockets(endpoints, options, unbound)
            self._files = socket_files(endpoints)
        if self.socket is not unbound:
            unbound.close()
        self.name_server()

    def name_server(self) -> None:
        """Sets address, name and port by `socket`: those of the first, where there are several."""
        self.address_family = self.socket.family
        self.server_address = self.socket.getsockname()
        host, port, *_ = endpoint_of(self.socket)
        # Who has a unix socket is reached through a proxy: the URL is in the Host field.
        self.server_name, self.server_port = (host, port) if port else ("localhost", 80)

    def server_activate(self) -> None:
        """Listens. Raises AddressError."""
        listen(self.sockets, self.request_queue_size)
        for sock in self.sockets:
            if sock.family == AF_UNIX:
                continue
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
        """Any thread: closes the listening sockets. After `serve_forever` as a rule, but also before and during it."""
        self.closed = True  # first: so the leader, which may notice, knows who has closed them
        remove_files(self._files)
        super().server_close()
        for other in self.others:
            other.close()

    def stop_listening(self) -> None:
        """The leader: closes the listening sockets; new clients are refused, unless other processes accept them."""
        self.closed = True
        remove_files(self._files)
        for sock in self.sockets:
            if not self.shares_sockets:
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
            if not self._inherits_nodelay and sock.family != AF_UNIX:
                if self._inherits_nodelay is None:
                    self._inherits_nodelay = bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # the client has gone already
            sock.close()
            raise
        return sock, client_address

    def _accept(self) -> tuple[socket.socket, Address]:
        if not self.others:
            return self.socket.accept()
        self._turn += 1  # each is the first once, so that many clients of one do not keep out those of the others
        sockets, at = self.sockets, self._turn % (len(self.others) + 1)
        for sock in sockets[at:] + sockets[:at]:
            with contextlib.suppress(BlockingIOError):
                return sock.accept()
        raise BlockingIOError


def check_listening_socket(sock: socket.socket) -> None:
    """Any thread, when serving begins: raises UnsuitableSocket where the server cannot serve with `sock`."""
    if _is_ssl_socket(sock):
        raise UnsuitableSocket(
            "server.socket is an ssl.SSLSocket, which tpserver cannot serve: "
            "leave server.socket as it is, and give make_server the options tls_cert and tls_key"
        )


def _is_ssl_socket(sock: socket.socket) -> bool:
    ssl = sys.modules.get("ssl")  # an SSLSocket exists only if it has been imported
    return ssl is not None and isinstance(sock, ssl.SSLSocket)


class Listener:
    """The listening sockets, watched by the poller. Only the current leader calls."""

    def __init__(self, server: ListeningServer, poller: EpollPoller) -> None:
        self._server = server
        self._poller = poller
        self.fds = [sock.fileno() for sock in server.sockets]
        self.watched = False  # by the poller; if not, and it is not closed, it rests
        self.closed = False
        self._complained = False
        self._told_ssl = False

    def watch(self) -> None:
        """The leader: watches the sockets, for the first time or after a rest; no longer after `server_close`."""
        if self._server.closed:
            self.close()
        elif not (self.watched or self.closed):
            for fd in self.fds:
                self._poller.watch(fd, NOTHING, READ)
            self.watched = True

    def accept(self, most: int = TURN) -> Iterator[tuple[socket.socket, Address]]:
        """The leader: the connections that wait, non-blocking. Rests when the system has no room for one more.

        One of several processes takes one at a time, and leaves them to the others while it has a queue.
        """
        if self._server.balances and not self._server.refuses_when_draining:
            most = 1
            if self._server.has_queue():
                self._rest()
                return
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
                self._rest()
                return
            self._complained = False
            if type(sock) is not socket.socket and _is_ssl_socket(sock):
                self._refuse_ssl(sock)
            elif self._server.verify_request(sock, client_address):
                yield sock, client_address
            else:
                sock.close()

    def _refuse_ssl(self, sock: socket.socket) -> None:
        if not self._told_ssl:
            self._told_ssl = True
            _log.error(
                "get_request returns an ssl.SSLSocket, which tpserver cannot serve: its connections are closed;"
                " leave get_request as it is, and give make_server the options tls_cert and tls_key"
            )
        sock.close()

    def close(self) -> None:
        """The leader: accepts no more connections. The socket itself is the server's."""
        self.closed = True
        self._rest()

    def end(self, accept: Callable[[int], None]) -> None:
        """The leader, when the drain begins: accepts no more connections, and closes the sockets where that is wanted.

        Clients that wait are admitted before, by `accept`, if no other process would accept them later.
        """
        refuses = self._server.refuses_when_draining and not self._server.closed
        if refuses and not self._server.shares_sockets:
            accept(self._server.request_queue_size)
        self.close()
        if refuses:
            self._server.stop_listening()

    def _rest(self) -> None:
        if self.watched:
            self.watched = False
            for fd in self.fds:
                with contextlib.suppress(OSError, KeyError, ValueError):  # it has been closed, so it is not watched
                    self._poller.watch(fd, READ, NOTHING)


def counted_address(client_address: Address) -> str:
    """Any thread: the IP address, or the IPv6 network of /64. "": it is not counted (a unix socket has none)."""
    if not isinstance(client_address, tuple):
        return ""
    host = client_address[0].partition("%")[0]
    if ":" not in host:
        return host
    address = socket.inet_pton(socket.AF_INET6, host)
    if address.startswith(MAPPED_BYTES):
        return socket.inet_ntoa(address[len(MAPPED_BYTES) :])
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
