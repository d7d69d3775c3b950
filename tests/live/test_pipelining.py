"""Requests that come together, in pieces, or behind one that went wrong."""

from __future__ import annotations

import pytest

from tests.client import CLOSE, Client, chunked, request, several
from tests.gates import Gates
from tests.waiting import turns


def test_two_requests_in_one_packet(start):
    with Client(start(Gates())) as client:
        client.send(request("/one") + request("/two"))
        assert [client.response().content for _ in range(2)] == [b"/one ", b"/two "]


def test_a_thousand_requests_in_one_packet(start):
    with Client(start(Gates())) as client:
        client.send(b"".join(request(f"/{number}") for number in range(1000)))
        for number in range(1000):
            assert client.response().content == f"/{number} ".encode()


def test_a_thousand_requests_from_each_of_many_clients(start):
    running = start(Gates())
    with several(running, 8) as clients:
        for which, client in enumerate(clients):
            client.send(b"".join(request(f"/{which}/{number}") for number in range(1000)))
        for which, client in enumerate(clients):
            for number in range(1000):
                assert client.response().content == f"/{which}/{number} ".encode()


@pytest.mark.parametrize(
    "post",
    [
        request("/post", method="POST", content=b"content"),
        chunked("/post", b"con", b"tent"),
        chunked("/post", b"content", trailers="X-Sum: 1\r\nX-More: 2\r\n"),
    ],
    ids=["by length", "in chunks", "with trailers"],
)
def test_a_request_behind_content_in_the_same_packet(start, post):
    with Client(start(Gates())) as client:
        client.send(post + request("/next") + post)
        assert client.response().content == b"/post content"
        assert client.response().content == b"/next "
        assert client.response().content == b"/post content"


def test_answers_come_in_order_though_the_first_is_slow(start):
    with Gates() as gates:
        running = start(gates)
        with Client(running) as client:
            client.send(request("/hold/slow") + request("/quick"))
            gates.arrived()
            turns(running)
            assert gates.seen == ["/hold/slow"]  # the second is not begun before the first is answered
            gates.open("slow")
            assert [client.response().content for _ in range(2)] == [b"/hold/slow ", b"/quick "]


def test_nothing_is_served_behind_an_error(start):
    gates = Gates()
    with Client(start(gates)) as client:
        client.send(request("/first") + b"GET /bad HTTP/1.1\nHost: a\r\n\r\n" + request("/smuggled"))
        assert client.response().content == b"/first "
        response = client.response()
        assert (response.status, response.fields["connection"]) == (400, "close")
        client.send(request("/later"))
        assert client.ended()
    assert gates.seen == ["/first"]


def test_nothing_is_served_behind_a_request_that_closes(start):
    gates = Gates()
    with Client(start(gates)) as client:
        client.send(request("/last", CLOSE) + request("/beyond"))
        assert client.response().content == b"/last "
        assert client.ended()
    assert gates.seen == ["/last"]


@pytest.mark.parametrize(
    "data",
    [request("/x", method="POST", content=b"abc"), chunked("/x", b"a", b"bc")],
    ids=["by length", "in chunks"],
)
def test_a_request_may_be_cut_anywhere(start, data):
    running = start(Gates())
    with Client(running) as probe:
        for cut in range(1, len(data)):
            with Client(running) as client:
                client.send(data[:cut])
                for _ in range(2):  # by then the first piece has been read
                    assert probe.ask("*", method="OPTIONS").status == 204
                client.send(data[cut:])
                assert client.response().content == b"/x abc", f"cut behind {data[:cut]!r}"


def test_many_connections_that_pipeline_while_one_hangs(start):
    """A leader that is relieved knows of connections whose next request is here already; they must not be lost."""
    with Gates() as gates:
        hanging = []

        def app(environ, start_response):
            if environ["PATH_INFO"] == "/poke":
                # From now on the hanging request is polled together with the pipelined ones.
                hanging[0].send(request("/hold/it"))
            return gates(environ, start_response)

        running = start(app)
        hanging.append(Client(running))
        with hanging[0]:
            assert hanging[0].ask("/").status == 200
            with Client(running) as client:
                client.send(request("/poke") + b"".join(request(f"/{number}") for number in range(100)))
                assert client.response().content == b"/poke "
                for number in range(100):
                    assert client.response().content == f"/{number} ".encode()
                assert gates.arrived() == ["it"]
            gates.open("it")
            assert hanging[0].response().content == b"/hold/it "
