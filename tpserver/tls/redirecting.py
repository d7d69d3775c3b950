"""The sockets of --redirect-http: a port for clients that do not encrypt, beside the one for TLS."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from tpserver.config import Config
from tpserver.errors import StartError, UsageError
from tpserver.system.network import bind_advice
from tpserver.transport.listening import (
    bind_beside,
    endpoint_of,
    is_dual,
    listen,
    open_sockets,
    remove_files,
    socket_files,
)


def open_all(config: Config) -> list[socket.socket]:
    """The sockets that the options name, those of --redirect-http among them, which listen. Raises `TpserverError`."""
    sockets = open_sockets(config.endpoints, config.socket_options, backlog=config.backlog)
    if config.redirect_http >= 0:
        try:
            sockets += redirecting_sockets(sockets, config.redirect_http)
            listen(sockets, config.backlog)
        except BaseException:
            remove_files(socket_files(config.endpoints))
            for sock in sockets:
                sock.close()
            raise
    return sockets


def redirecting_sockets(sockets: Sequence[socket.socket], port: int) -> list[socket.socket]:
    """Sockets that are bound to `port` beside `sockets`; none where one of these has it: systemd may have opened it.

    Raises `StartError`, and `UsageError` where there is nothing to listen beside.
    """
    if port and any(endpoint_of(sock).port == port for sock in sockets):
        return []
    beside = _one_for_each_address(sockets)
    if not beside:
        raise UsageError(f"--redirect-http {port} listens on the hosts of --bind, and a unix socket has none")
    bound: list[socket.socket] = []
    for sock in beside:
        try:
            bound.append(bind_beside(sock, endpoint_of(bound[0]).port or 0 if bound else port))
        except OSError as error:
            for one in bound:
                one.close()
            reason = f"{error.strerror}{bind_advice(error, port, '--redirect-http')}"
            raise StartError(f"cannot listen on --redirect-http {port}: {reason}") from error
    return bound


def _one_for_each_address(sockets: Sequence[socket.socket]) -> list[socket.socket]:
    """Those of IP addresses, without the ones whose address, or all addresses of the family, another one has."""
    by_address: dict[tuple[int, str], socket.socket] = {}
    for sock in sockets:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            by_address.setdefault((sock.family, sock.getsockname()[0]), sock)
    everywhere = {sock.family: sock for (_, host), sock in by_address.items() if host in ("0.0.0.0", "::")}
    both = everywhere.get(socket.AF_INET6)
    if both is not None and is_dual(both):
        return [both]
    return [sock for sock in by_address.values() if everywhere.get(sock.family, sock) is sock]
