"""The port of --redirect-http: where it is opened beside the port for TLS, and where it has been given."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import running
from tests.client import ask
from tests.console import python
from tests.tls.certificates import write
from tests.tls.client import TLSClient
from tpserver import Config, Server
from tpserver.errors import UsageError
from tpserver.tls.redirecting import open_all
from tpserver.transport.endpoint import Endpoint, parse_endpoint
from tpserver.transport.listening import endpoint_of, open_sockets
from tpserver.transport.unix_socket import AF_UNIX

needs_unix = pytest.mark.skipif(AF_UNIX is None, reason="this Python has no unix sockets")


def at(port: int) -> Any:
    return SimpleNamespace(address=("127.0.0.1", port))


def ports(sockets: list[socket.socket]) -> list[int]:
    return [sock.getsockname()[1] for sock in sockets]


@contextmanager
def serving(folder: Path, sockets: list[socket.socket] = (), **options: Any) -> Iterator[Server]:
    certificate, key = write(folder)
    config = Config(root=".", access_log="none", tls_cert=[certificate], tls_key=[key], **options)
    with running.serving(Server(config, sockets=sockets)) as server:
        yield server


def redirects(port: int, to: int) -> bool:
    answer = ask(at(port), "/x", host="localhost")
    return (answer.status, answer["Location"]) == (301, f"https://localhost:{to}/x")


def test_a_clear_socket_that_was_given_first_redirects_to_the_first_one_for_tls(tmp_path: Path) -> None:
    sockets = open_sockets([Endpoint("127.0.0.1", 0)] * 3)
    clear, first, second = ports(sockets)
    with serving(tmp_path, sockets, redirect_http=clear) as server:
        assert server.server_port == first
        assert ports(server.served_sockets) == [first, second]
        assert redirects(clear, first)
        for port in (first, second):
            with TLSClient(at(port)) as client:
                assert client.ask("/none").status == 404


@pytest.mark.skipif(sys.platform == "win32", reason="sockets are no descriptors")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_sockets_of_systemd_may_have_the_clear_one_among_them(tmp_path: Path, workers: str) -> None:
    certificate, key = write(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as clear, socket.create_server(("127.0.0.1", 0)) as encrypted:
        numbers = clear.fileno(), encrypted.fileno()
        port, to = ports([clear, encrypted])
        given = [f"--bind=fd:{number}" for number in numbers]
        options = ["--tls-cert", certificate, "--tls-key", key, "--redirect-http", str(port), "--workers", workers]
        with python("-m", "tpserver", "--root", ".", *given, *options, cwd=tmp_path, pass_fds=numbers) as console:
            assert f" at https://127.0.0.1:{to}/ " in console.read_line()
            assert redirects(port, to)
            with TLSClient(at(to)) as client:
                assert client.ask("/none").status == 404
            assert console.stop().status == 0


def test_where_nothing_is_left_for_tls_that_is_a_mistake(tmp_path: Path) -> None:
    sockets = open_sockets([Endpoint("127.0.0.1", 0)])
    port = ports(sockets)[0]
    told = rf"--redirect-http {port}: no other socket is left for TLS"
    with pytest.raises(UsageError, match=told), serving(tmp_path, sockets, redirect_http=port):
        pass


def test_two_addresses_of_one_host_have_one_port_that_redirects(tmp_path: Path) -> None:
    bind = [Endpoint("127.0.0.1", 0), Endpoint("127.0.0.1", 0)]
    with serving(tmp_path, bind=bind, redirect_http=0) as server:
        first, second, clear = ports(server.sockets)
        assert ports(server.served_sockets) == [first, second]
        assert redirects(clear, first)
    with socket.create_server(("127.0.0.1", 0)) as free:
        clear = ports([free])[0]
    sockets = open_all(Config(bind=bind, redirect_http=clear))
    try:
        assert ports(sockets)[2:] == [clear]
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["127.0.0.1", "0.0.0.0"], ["0.0.0.0"]),
        (["127.0.0.1", "::1", "127.0.0.1"], ["127.0.0.1", "::1"]),
        (["127.0.0.1", "::1", "::"], ["::"]),
        (["0.0.0.0", "::1"], ["0.0.0.0", "::1"]),
    ],
)
def test_an_address_of_all_stands_for_the_others(hosts: list[str], expected: list[str]) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    sockets = open_all(Config(bind=[Endpoint(host, 0) for host in hosts], redirect_http=0))
    try:
        beside = [endpoint_of(sock) for sock in sockets[len(hosts) :]]
        assert [one.host for one in beside] == expected
        assert len({one.port for one in beside}) == 1
    finally:
        for sock in sockets:
            sock.close()


@needs_unix
def test_a_unix_socket_alone_has_no_host_to_listen_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = Config(bind=[parse_endpoint("unix:sock")], redirect_http=8080)
    with pytest.raises(UsageError, match="a unix socket has none"):
        open_all(config)
    assert not (tmp_path / "sock").exists()


@needs_unix
def test_beside_a_unix_socket_the_redirect_leads_to_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path, bind=[parse_endpoint("unix:sock"), Endpoint("127.0.0.1", 0)], redirect_http=0) as server:
        _, port, clear = (endpoint_of(sock).port for sock in server.sockets)
        assert redirects(clear, port)
