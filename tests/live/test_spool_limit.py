"""--max-spool: what the contents of all requests together may take on disk."""

from __future__ import annotations

import contextlib
import sys

import pytest

from tests import inside
from tests.client import Client, chunked, request
from tests.gates import Gates
from tests.running import Running
from tests.waiting import turns, until, until_left
from tpserver.spool import SPOOL

LIMIT = 100_000

pytestmark = pytest.mark.usefixtures("contents_on_disk")


def length_of(environ, start_response):
    start_response("200 OK", [])
    return [b"%d" % len(environ["wsgi.input"].read())]


def by_length(length):
    return request("/", method="POST", content=b"x" * length)


def in_chunks(length):
    return chunked("/", *(b"x" * min(1000, length - at) for at in range(0, length, 1000)))


either_way = pytest.mark.parametrize("content", [by_length, in_chunks], ids=["by length", "in chunks"])


@either_way
@pytest.mark.parametrize("limit", [LIMIT, 1 << 20, 3_000_000])
def test_a_content_may_take_all_of_the_room(start, content, limit):
    with Client(start(length_of, max_spool=limit)) as client:
        for _ in range(2):
            client.send(content(limit))
            assert client.response().content == b"%d" % limit


@either_way
def test_a_content_for_which_there_never_is_room_is_too_large(start, content):
    with Client(start(length_of, max_spool=LIMIT)) as client:
        client.send(content(LIMIT + 1)[:-1])
        response = client.response()
        assert response.status == 413
        assert "retry-after" not in response.fields
        assert client.ended()


@either_way
def test_small_contents_need_no_room(start, content):
    with Client(start(length_of, max_spool=0)) as client:
        client.send(content(SPOOL))
        assert client.response().content == b"%d" % SPOOL


@either_way
def test_who_finds_too_little_room_is_told_to_come_again(start, log, content):
    with Gates() as gates:
        running = start(gates, max_spool=LIMIT)
        with Client(running) as first:
            first.send(request("/hold/first", method="POST", content=b"x" * (SPOOL + 1)))
            gates.arrived()
            assert running.server.stats()["spool"] == {"limit": LIMIT, "bytes": SPOOL + 1}
            for _ in range(2):
                with Client(running) as second:
                    second.send(content(SPOOL + 1)[:-1])
                    response = second.response()
                    assert (response.status, response.fields["retry-after"]) == (503, "5")
                    assert second.ended()
            gates.open("first")
            assert first.response().status == 200
            until_left(running, 1)
        with Client(running) as third:
            third.send(content(SPOOL + 1))
            assert third.response().status == 200
    assert log.text.count("--max-spool raises the limit") == 1


def test_what_has_not_come_takes_no_room(start):
    running = start(length_of, max_spool=LIMIT)
    with Client(running) as slow, Client(running) as quick:
        slow.send(request("/", "Content-Length: 90000", method="POST") + b"x" * 10)
        turns(running)
        quick.send(by_length(90_000))
        assert quick.response().status == 200


class Addresses:
    """Each client has the address that it is given; the others share one."""

    def __init__(self, monkeypatch):
        self.by_port = {}
        inside.replace_addresses(monkeypatch, lambda port: self.by_port.get(port, "192.0.2.99"))

    def client(self, running, address):
        client = Client(running)
        self.by_port[client.sock.getsockname()[1]] = address
        return client


@pytest.fixture
def addresses(monkeypatch):
    return Addresses(monkeypatch)


def taken(running: Running) -> int:
    return running.server.stats()["spool"]["bytes"]


def stall_two_of(clients, running):
    """Two stall with 200 kB each, which is all of a share of 500 kB; then the others try."""
    for number, client in enumerate(clients):
        stall(client, 200_000)
        if number < 2:
            until(running, lambda sent=number + 1: taken(running) == sent * 199_999)


def stall(client, length):
    """All of an upload but for its last byte."""
    with contextlib.suppress(ConnectionError):  # it may be refused already
        client.send(by_length(length)[:-1])


def test_stalled_uploads_of_one_address_leave_room_for_the_others(start, addresses, log):
    running = start(length_of, max_spool=1_000_000)
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(addresses.client(running, "192.0.2.1")) for _ in range(5)]
        stall_two_of(stalled, running)
        refused = [client.response() for client in stalled[2:]]
        assert [(one.status, one.fields["retry-after"]) for one in refused] == [(503, "5")] * 3
        with addresses.client(running, "192.0.2.2") as other:
            other.send(by_length(500_000))
            assert other.response().content == b"500000"
        for client in stalled[:2]:
            client.send(b"x")
            assert client.response().content == b"200000"
    until(running, lambda: taken(running) == 0)
    assert log.text.count("those of 192.0.2.1 399998 (one address has at most half)") == 1


def test_stalled_uploads_in_chunks_are_counted_as_well(start, addresses):
    running = start(length_of, max_spool=1_000_000)
    with addresses.client(running, "192.0.2.1") as first, addresses.client(running, "192.0.2.1") as second:
        first.send(in_chunks(300_000)[:-1])
        until(running, lambda: taken(running) == 300_000)
        second.send(in_chunks(300_000)[:-1])
        assert second.response().status == 503
        first.send(b"\n")
        assert first.response().content == b"300000"


def test_an_upload_that_has_taken_more_than_its_share_gives_way_to_another_address(start, addresses):
    running = start(length_of, max_spool=1_000_000)
    with addresses.client(running, "192.0.2.1") as large, addresses.client(running, "192.0.2.2") as other:
        stall(large, 900_000)
        until(running, lambda: taken(running) == 899_999)
        other.send(by_length(400_000))
        assert other.response().content == b"400000"
        large.send(b"x")
        assert large.response().status == 503
    until(running, lambda: taken(running) == 0)


def test_an_upload_that_has_taken_more_than_its_share_goes_on_while_there_is_room(start, addresses):
    running = start(length_of, max_spool=1_000_000)
    with addresses.client(running, "192.0.2.1") as large, addresses.client(running, "192.0.2.2") as other:
        stall(large, 700_000)
        until(running, lambda: taken(running) == 699_999)
        stall(other, 200_000)
        until(running, lambda: taken(running) == 899_998)
        for client, length in ((large, b"700000"), (other, b"200000")):
            client.send(b"x")
            assert client.response().content == length


def test_an_upload_that_is_complete_is_not_given_up(start, addresses, gates):
    running = start(gates, max_spool=1_000_000)
    with addresses.client(running, "192.0.2.1") as large, addresses.client(running, "192.0.2.2") as other:
        large.send(request("/hold/it", method="POST", content=b"x" * 900_000))
        gates.arrived()
        stall(other, 400_000)
        assert other.response().status == 503
        gates.open("it")
        assert large.response().content == b"/hold/it " + b"x" * 900_000


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address of this machine on Linux only")
def test_addresses_are_those_of_the_sockets(start):
    running = start(length_of, max_spool=1_000_000)
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(Client(running)) for _ in range(5)]
        stall_two_of(stalled, running)
        assert [client.response().status for client in stalled[2:]] == [503] * 3
        with Client(running, source="127.0.0.2") as other:
            other.send(by_length(500_000))
            assert other.response().content == b"500000"
