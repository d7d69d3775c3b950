"""A server whose sockets were opened before it was made."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tests import running
from tests.client import PATIENCE, Client
from tpserver import Config, Server
from tpserver.transport.endpoint import Endpoint
from tpserver.transport.listening import open_sockets


@contextmanager
def serving(sockets: list[socket.socket], **options: Any) -> Iterator[Server]:
    with running.serving(Server(Config(root=".", access_log="none", **options), sockets=sockets)) as server:
        yield server


def test_all_of_them_are_served_and_named_by_the_first() -> None:
    sockets = open_sockets([Endpoint("127.0.0.1", 0), Endpoint("127.0.0.1", 0)])
    ports = [sock.getsockname()[1] for sock in sockets]
    with serving(sockets, port=1) as server:
        assert (server.server_name, server.server_port) == ("127.0.0.1", ports[0])
        for port in ports:
            with Client(SimpleNamespace(address=("127.0.0.1", port))) as client:
                assert client.ask("/none", method="HEAD").status == 404
    assert [sock.fileno() for sock in sockets] == [-1, -1]


@pytest.mark.parametrize("refuses", [True, False])
def test_another_process_goes_on_accepting_from_them(refuses: bool) -> None:
    sockets = open_sockets([Endpoint("127.0.0.1", 0)])
    with sockets[0].dup() as others:
        with serving(sockets) as server:
            server.refuses_when_draining = refuses
        with socket.create_connection(others.getsockname(), timeout=PATIENCE):
            others.settimeout(PATIENCE)
            others.accept()[0].close()
