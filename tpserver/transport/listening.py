"""Opens listening sockets: the only place that binds."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from tpserver.errors import AddressError
from tpserver.logs.log import Log
from tpserver.system.network import bind_advice
from tpserver.transport.endpoint import Endpoint
from tpserver.transport.unix_socket import AF_UNIX, bind_unix, identity

_log = Log("tpserver")

# Connections that wait to be accepted; the system takes as many of them as it allows.
BACKLOG: Final = 4096
# Tries to find a port that is free on each address of a name.
_ATTEMPTS: Final = 8


class SocketOptions(NamedTuple):
    """How listening sockets are bound."""

    reuse_port: bool = False  # other processes may listen on the same port
    unix_mode: int = -1  # the permissions of the files of unix sockets; -1: by the umask
    unix_owner: str | None = None  # USER, USER:GROUP or :GROUP; None: the user of this process
    backlog: int = BACKLOG  # of those of unix sockets, which listen as soon as they are bound
    reuse_address: bool = sys.platform != "win32"  # there it would share the port with a stranger


_USUAL: Final = SocketOptions()


def open_sockets(
    endpoints: Sequence[Endpoint], options: SocketOptions = _USUAL, *, backlog: int = BACKLOG
) -> list[socket.socket]:
    """Sockets that listen on all `endpoints` and do not block. Raises AddressError; then none stays open.

    A name may have several addresses: then there are more sockets than endpoints.
    """
    sockets = bind_sockets(endpoints, options._replace(backlog=backlog))
    try:
        listen(sockets, backlog)
    except BaseException:
        _give_up(sockets, endpoints)
        raise
    return sockets


def bind_sockets(
    endpoints: Sequence[Endpoint], options: SocketOptions = _USUAL, first: socket.socket | None = None
) -> list[socket.socket]:
    """Sockets that are bound to all `endpoints`. Raises AddressError; then none stays open.

    `first`, which is not bound, becomes the first socket where that is one of its family, so that options set before
    are kept.
    """
    bound: list[socket.socket] = []
    for endpoint in endpoints:
        try:
            if endpoint.path:
                bound.append(bind_unix(endpoint.path, options.backlog, options.unix_mode, options.unix_owner))
            elif endpoint.descriptor is not None:
                bound.append(_handed_in(endpoint.descriptor))
            else:
                everywhere = Endpoint("0.0.0.0", endpoint.port) in endpoints
                bound += _bind_host(endpoint, options, None if bound else first, not everywhere)
        except BaseException as error:
            _give_up(bound, endpoints[: endpoints.index(endpoint)])
            if isinstance(error, (OSError, UnicodeError)):
                reason = getattr(error, "strerror", None) or str(error)
                advice = bind_advice(error, endpoint.port) if endpoint.port is not None else ""
                advice = advice or _bracket_advice(error, endpoint.host)
                raise AddressError(f"cannot listen on {endpoint}: {reason}{advice}", error) from error
            raise
    return bound


def bind_beside(sock: socket.socket, port: int) -> socket.socket:
    """Another socket that is bound to the address of `sock`, with another port. Raises OSError."""
    return _bind_address(socket.socket(sock.family), sock.getsockname()[0], port, _USUAL, is_dual(sock))


def is_dual(sock: socket.socket) -> bool:
    """Whether a socket of all IPv6 addresses takes IPv4 clients, too."""
    return sock.family == socket.AF_INET6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


def listen(sockets: Sequence[socket.socket], backlog: int = BACKLOG) -> None:
    """Has bound sockets listen, without blocking; those that do already keep their backlog. Raises AddressError."""
    for sock in sockets:
        try:
            if not _listens(sock):
                sock.listen(backlog)
            sock.setblocking(False)
        except OSError as error:
            raise AddressError(f"cannot listen on {endpoint_of(sock)}: {error.strerror}", error) from error


def endpoint_of(sock: socket.socket) -> Endpoint:
    """Where a socket is bound."""
    name = sock.getsockname()
    if isinstance(name, tuple):
        return Endpoint(name[0], name[1])
    text = os.fsdecode(name)
    return Endpoint(path=f"@{text[1:]}" if text.startswith("\0") else text)


class SocketFile(NamedTuple):
    """The file of a unix socket."""

    path: str  # absolute
    identity: tuple[int, int]  # device and inode: others may have put their own in its place


def socket_files(endpoints: Sequence[Endpoint]) -> list[SocketFile]:
    """The files of unix sockets that have just been bound to `endpoints`: for `remove_files`, when it is over."""
    files = []
    for endpoint in endpoints:
        if endpoint.path and not endpoint.path.startswith("@"):
            with contextlib.suppress(OSError):
                files.append(SocketFile(os.path.abspath(endpoint.path), identity(endpoint.path)))
    return files


def remove_files(files: Sequence[SocketFile]) -> None:
    """Removes those that are still there. Before the sockets are closed: a system may give their inodes to others."""
    for file in files:
        with contextlib.suppress(OSError):
            if identity(file.path) == file.identity:
                os.unlink(file.path)


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


def _bracket_advice(error: Exception, host: str) -> str:
    """For an address of IPv6 with a port behind it, which looks as one more part of the address."""
    before, _, port = host.rpartition(":")
    if getattr(error, "errno", None) == errno.EADDRNOTAVAIL and re.fullmatch("[0-9]{1,5}", port):
        for address in (before, f"{before}:"):
            with contextlib.suppress(OSError):
                socket.inet_pton(socket.AF_INET6, address)
                return f"; for a port write [{address}]:{port}"
    return ""


def _give_up(sockets: Sequence[socket.socket], endpoints: Sequence[Endpoint]) -> None:
    remove_files(socket_files(endpoints))
    for sock in sockets:
        sock.close()


def _bind_host(
    endpoint: Endpoint, options: SocketOptions, first: socket.socket | None, dual: bool
) -> list[socket.socket]:
    """A socket for each address of a host. `dual`: that of all IPv6 addresses takes IPv4 clients, too."""
    host, port = endpoint.host, endpoint.port or 0
    preferred = socket.AF_INET6 if ":" in host else socket.AF_INET if first is None else first.family
    known = sorted(addresses(host), key=lambda one: one[0] != preferred) or [(preferred, host)]
    for attempt in range(_ATTEMPTS):
        bound: list[socket.socket] = []
        try:
            for family, address in known:
                at = bound[0].getsockname()[1] if bound else port
                try:
                    sock = first if first is not None and first.family == family else socket.socket(family)
                    first = None
                    bound.append(_bind_address(sock, address, at, options, dual))
                except OSError as error:
                    if not bound or error.errno == errno.EADDRINUSE:
                        raise
                    _log.debug("cannot listen on %s: %s", address, error.strerror)  # not one of this machine
            return bound
        except OSError as error:
            for sock in bound:
                sock.close()
            # A free port of one address may be in use at another: one more time.
            if not bound or port or error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _bind_address(sock: socket.socket, address: str, port: int, options: SocketOptions, dual: bool) -> socket.socket:
    """`sock`, bound; it is closed where that fails."""
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        elif options.reuse_address:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.reuse_port:
            number = getattr(socket, "SO_REUSEPORT", None)
            if number is None:
                raise OSError(errno.ENOTSUP, "--reuse-port: this system has no SO_REUSEPORT")
            sock.setsockopt(socket.SOL_SOCKET, number, 1)
        if sock.family == socket.AF_INET6:
            with contextlib.suppress(OSError):  # a system may allow IPv6 alone
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not (dual and address == "::"))
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _handed_in(descriptor: int) -> socket.socket:
    """The socket with this descriptor; what the process starts does not get it."""
    sock = socket.socket(fileno=descriptor)
    try:
        if sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6, AF_UNIX):
            raise OSError(errno.EINVAL, "it is no socket for streams")
        name = sock.getsockname()
        if not name or (isinstance(name, tuple) and not name[1]):
            raise OSError(errno.EINVAL, "it is bound to no address")
        if _is_connected(sock):
            raise OSError(errno.EINVAL, "it is a connection, not a socket that listens")
        sock.set_inheritable(False)
    except BaseException:
        sock.detach()
        raise
    return sock


def _listens(sock: socket.socket) -> bool:
    with contextlib.suppress(OSError):  # not every system tells
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
