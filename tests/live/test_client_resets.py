"""Clients that crash: a reset at any moment costs the server that connection, and nothing else."""

from __future__ import annotations

import pytest

from tests.client import Client, request
from tests.gates import Gates
from tests.logged import errors
from tests.waiting import turns, until_left, until_waiting

LARGE = 16 * 1024 * 1024  # more than the kernel keeps for a connection


@pytest.fixture
def unharmed(start, log):
    """Starts a server; in the end no connection is left, a new one is served, and the log has no complaint."""
    servers = []

    def start_one(app, **options):
        servers.append(start(app, **options))
        return servers[0]

    yield start_one
    until_left(servers[0], 0)
    with Client(servers[0]) as client:
        assert client.ask("*", method="OPTIONS").status == 204
    assert errors(log) == []


def test_reset_straight_after_connecting(unharmed):
    running = unharmed(Gates())
    for _ in range(20):
        Client(running).reset()


def test_reset_while_idle(unharmed):
    running = unharmed(Gates())
    client = Client(running)
    assert client.ask("/").status == 200
    client.reset()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HT",
        request("/", "Content-Length: 10", method="POST") + b"half",
        request("/", "Content-Length: 1000000", method="POST") + b"x" * 200_000,
        request("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nha",
    ],
    ids=["head", "content", "content on disk", "chunks"],
)
def test_reset_in_the_middle_of_a_request(unharmed, data):
    running = unharmed(Gates())
    client = Client(running)
    client.send(data)
    turns(running)
    client.reset()


def test_reset_while_the_request_waits_for_a_thread(unharmed):
    with Gates() as gates:
        running = unharmed(gates, threads=1)
        with Client(running) as first:
            first.send(request("/hold/first"))
            gates.arrived()
            client = Client(running)
            client.send(request("/hold/second"))
            until_waiting(running, 1)
            client.reset()
            turns(running)
            gates.open("first")
            assert first.response().status == 200
            gates.open("second")


def test_reset_while_the_request_runs(unharmed):
    with Gates() as gates:
        running = unharmed(gates)
        client = Client(running)
        client.send(request("/hold/it"))
        gates.arrived()
        client.reset()
        turns(running)
        gates.open("it")


def in_one_piece(environ, start_response):
    start_response("200 OK", [])
    return [b"x" * LARGE]


def in_pieces(environ, start_response):
    start_response("200 OK", [])
    for _ in range(LARGE // 65536):
        yield b"x" * 65536


@pytest.mark.parametrize("app", [in_one_piece, in_pieces, None], ids=["in one piece", "in pieces", "from a file"])
@pytest.mark.parametrize("read", [0, 100_000], ids=["before reading", "after reading some"])
def test_reset_while_the_answer_is_sent(unharmed, tmp_path, app, read):
    (tmp_path / "large.bin").write_bytes(b"x" * LARGE)
    running = unharmed(app, root=None if app else str(tmp_path))
    client = Client(running)
    client.send(request("/large.bin"))
    turns(running)
    assert len(client.stream.read(read)) == read
    client.reset()


def test_reset_behind_an_error(unharmed):
    running = unharmed(Gates())
    client = Client(running)
    client.send(b"nonsense\r\n\r\n")
    assert client.response().status == 400
    client.reset()


def test_reset_by_a_hundred_clients_at_once(unharmed):
    with Gates() as gates:
        running = unharmed(gates, threads=2)
        clients = [Client(running) for _ in range(100)]
        for number, client in enumerate(clients):
            client.send([b"", b"GET / HT", request(f"/hold/{number}"), request("/quick")][number % 4])
        gates.arrived(2)
        turns(running)
        for client in clients:
            client.reset()
        turns(running)
