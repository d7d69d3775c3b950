"""An ssl.SSLSocket in place of the listening socket is refused: slow answers would leave in clear text."""

from __future__ import annotations

import ssl

import pytest

from tests.client import exchange, request
from tests.running import Start
from tpserver import make_server


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
