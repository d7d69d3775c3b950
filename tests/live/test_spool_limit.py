"""--max-spool: what the contents of all requests together may take on disk."""

from __future__ import annotations

import pytest

from tests.client import Client, chunked, request
from tests.gates import Gates
from tests.waiting import turns, until_left
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
