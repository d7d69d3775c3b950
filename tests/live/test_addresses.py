"""Names with several addresses, and clients of one family at a socket of both."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests import running
from tests.client import PATIENCE
from tpserver import Server, make_server
from tpserver.errors import StartError

BOTH = [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]


def _has(family: int, address: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _has(*BOTH[0]), reason="this machine has no ::1")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[int, str]]]:
    """The addresses of names, as the system would give them."""
    known = {"localhost": BOTH, "six.example": BOTH[:1], "far.example": [*BOTH[1:], (socket.AF_INET, "192.0.2.1")]}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if host not in known:
            return real(host, port, *more, **named)
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [f"{environ['REMOTE_ADDR']} {environ['REMOTE_HOST']}".encode()]


@contextmanager
def serving(host: str, port: int = 0) -> Iterator[Server]:
    with running.serving(make_server(host, port, app)) as server:
        yield server


def asked(server: Server, address: str) -> str:
    connection = http.client.HTTPConnection(address, server.server_port, timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@needs_ipv6
@pytest.mark.parametrize("order", [1, -1])
def test_localhost_is_both_of_its_addresses(names: dict[str, list[tuple[int, str]]], order: int) -> None:
    names["localhost"] = BOTH[::order]
    with serving("localhost") as server:
        assert asked(server, "127.0.0.1") == "127.0.0.1 127.0.0.1"
        assert asked(server, "::1") == "::1 ::1"
        port = server.server_port
    for family, address in BOTH:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            assert sock.connect_ex((address, port)) != 0, "it listens still"


@needs_ipv6
def test_a_name_of_ipv6_alone_is_served(names: object) -> None:
    with serving("six.example") as server:
        assert asked(server, "::1") == "::1 ::1"


def test_an_address_that_is_not_of_this_machine_is_left_out(names: object) -> None:
    with serving("far.example") as server:
        assert asked(server, "127.0.0.1") == "127.0.0.1 127.0.0.1"


@needs_ipv6
def test_a_port_that_is_taken_at_one_address_is_taken(names: object) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as other:
        other.bind(("::1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=f"cannot listen on localhost:{port}"):
            make_server("localhost", port, app)


@needs_ipv6
def test_ipv4_clients_of_a_socket_for_both_are_ipv4() -> None:
    with make_server("::", 0, app) as probe:
        dual = not probe.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    if not dual:
        pytest.skip("here :: is IPv6 alone")
    with serving("::") as server:
        assert asked(server, "127.0.0.1") == "127.0.0.1 127.0.0.1"
        assert asked(server, "::1") == "::1 ::1"
