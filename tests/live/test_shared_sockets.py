"""Two servers that accept from the same socket, as processes of `--workers` do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from tests import inside
from tests.client import PATIENCE, Client, request
from tests.gates import Gates
from tests.waiting import eventually
from tpserver import Config, Server
from tpserver.transport.endpoint import Endpoint
from tpserver.transport.listening import open_sockets


class Pair:
    """Two servers, each with an application that says which one it is."""

    def __init__(self, gates: Gates) -> None:
        (shared,) = open_sockets([Endpoint("127.0.0.1", 0)])
        self.address = shared.getsockname()
        sockets: list[socket.socket] = [shared, shared.dup()]
        sockets[1].setblocking(False)
        self.servers: list[Server] = []
        self.threads = []
        for number, sock in enumerate(sockets):
            server = Server(Config(access_log="none", threads=1), self._named(gates, number), sockets=[sock])
            server.balances = True
            self.servers.append(server)
            self.threads.append(threading.Thread(target=server.serve_forever))
            self.threads[-1].start()

    def _named(self, gates: Gates, number: int) -> Any:
        def app(environ: Any, start_response: Any) -> Any:
            def start(status: str, headers: list[tuple[str, str]]) -> Any:
                return start_response(status, [*headers, ("X-Server", str(number))])

            return gates(environ, start)

        return app

    def client_at(self, stack: ExitStack, number: int) -> Client:
        """A connection that this server has accepted."""
        while True:
            client = stack.enter_context(Client(SimpleNamespace(address=self.address)))  # type: ignore[arg-type]
            if client.ask("/").fields["x-server"] == str(number):
                return client

    def ask(self) -> str:
        """Which one answers on a new connection."""
        with Client(SimpleNamespace(address=self.address)) as client:  # type: ignore[arg-type]
            return client.ask("/").fields["x-server"]

    def stop(self, number: int) -> None:
        self.servers[number].shutdown()
        self.threads[number].join(PATIENCE)
        self.servers[number].server_close()


@pytest.fixture
def pair(gates: Gates) -> Iterator[Pair]:
    made = Pair(gates)
    yield made
    for number in (0, 1):
        made.stop(number)


def test_one_with_a_queue_leaves_new_clients_to_the_other_until_it_is_empty(pair: Pair, gates: Gates) -> None:
    with ExitStack() as stack:
        running, queued = pair.client_at(stack, 0), pair.client_at(stack, 0)
        running.send(request("/hold/it"))
        gates.arrived()
        queued.send(request("/queued"))
        eventually(lambda: inside.waiting(pair.servers[0]) == 1, "it does not wait")
        assert {pair.ask() for _ in range(20)} == {"1"}
        gates.open("it")
        assert running.response().status == queued.response().status == 200
        eventually(lambda: pair.ask() == "0", "it accepts no more")


def test_when_all_have_a_queue_a_new_client_is_answered_when_one_is_empty(pair: Pair, gates: Gates) -> None:
    with ExitStack() as stack:
        for number in (0, 1):
            running, queued = pair.client_at(stack, number), pair.client_at(stack, number)
            running.send(request(f"/hold/{number}"))
            gates.arrived()
            queued.send(request("/queued"))
            eventually(lambda number=number: inside.waiting(pair.servers[number]) == 1, "it does not wait")
        late = stack.enter_context(Client(SimpleNamespace(address=pair.address)))  # type: ignore[arg-type]
        late.send(request("/"))
        gates.open("1")
        assert late.response().fields["x-server"] == "1"
        gates.open("0")


def test_one_that_is_replaced_answers_once_more_on_connections_that_are_open(pair: Pair, gates: Gates) -> None:
    with ExitStack() as stack:
        client, holding = pair.client_at(stack, 0), pair.client_at(stack, 0)
        holding.send(request("/hold/it"))
        gates.arrived()
        pair.servers[0].spares_idle = True
        pair.servers[0].begin_shutdown()
        eventually(lambda: pair.servers[0].protocol.draining, "it does not drain")
        client.send(request("/hold/client"))
        gates.open("it")
        gates.open("client")
        response = client.response()
        assert (response.status, response.fields["connection"]) == (200, "close")
        assert {pair.ask() for _ in range(10)} == {"1"}
        pair.threads[0].join(PATIENCE)
