"""An ssl.SSLSocket in place of the listening socket is refused: slow answers would leave in clear text."""

from __future__ import annotations

import ssl
from types import SimpleNamespace
from typing import Any

import pytest

from tests.client import Client, exchange, request
from tests.running import Start, serving
from tpserver import Config, Server, make_server


@pytest.mark.parametrize("method", ["serve_forever", "handle_request"])
def test_a_tls_socket_in_place_of_the_listening_one_is_refused(method: str) -> None:
    with make_server("127.0.0.1", 0) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with pytest.raises(OSError, match=r"server\.socket is an ssl\.SSLSocket, which tpserver cannot serve: "):
            getattr(server, method)()
        server.shutdown()  # which returns at once


def test_tls_that_is_only_imported_does_no_harm(start: Start) -> None:
    assert exchange(start(), request()).startswith(b"HTTP/1.1 404 ")


def test_a_tls_socket_that_get_request_returns_is_closed_and_told_once(log: pytest.LogCaptureFixture) -> None:
    class Encrypting(Server):
        def get_request(self) -> Any:
            sock, address = super().get_request()
            return context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), address

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with serving(Encrypting(Config(root=".", port=0, access_log="none"))) as server:
        for _ in range(2):
            with Client(SimpleNamespace(address=("127.0.0.1", server.server_port))) as client:
                assert client.sock.recv(1) == b""
    assert [one.levelname for one in log.records if "get_request returns an ssl.SSLSocket" in one.message] == ["ERROR"]
