"""Clients that ask before they send their content (RFC 9110 section 10.1.1)."""

from __future__ import annotations

import pytest

from tests.client import Client, request
from tests.gates import Gates
from tests.waiting import turns

EXPECT = "Expect: 100-continue"


def continued(client):
    return client.stream.readline() + client.stream.readline() == b"HTTP/1.1 100 Continue\r\n\r\n"


def head_of_post(length, *fields, version="1.1"):
    return request("/post", f"Content-Length: {length}", *fields, method="POST", version=version)


def test_client_that_waits_is_told_to_go_on(start):
    with Client(start(Gates())) as client:
        client.send(head_of_post(7, EXPECT))
        assert continued(client)
        client.send(b"con")
        client.send(b"tent")
        assert client.response().content == b"/post content"
        assert client.ask("/next").content == b"/next "


def test_client_that_waits_with_chunks_is_told_to_go_on(start):
    with Client(start(Gates())) as client:
        client.send(request("/post", "Transfer-Encoding: chunked", "Expect: 100-Continue", method="POST"))
        assert continued(client)
        client.send(b"7\r\ncontent\r\n0\r\n\r\n")
        assert client.response().content == b"/post content"


@pytest.mark.parametrize(
    ("lines", "waits"),
    [
        (["Expect:"], False),
        (["Expect: ,"], False),
        (["Expect: 100-continue,"], True),
        (["Expect: ,100-Continue , 100-continue"], True),
        (["Expect: 100-continue", "Expect: 100-continue"], True),
        (["Expect: 100-continue", "Expect:"], True),
    ],
)
def test_an_expectation_is_a_list(start, lines, waits):
    with Client(start(Gates())) as client:
        client.send(head_of_post(7, *lines))
        assert not waits or continued(client)
        client.send(b"content")
        assert client.response().content == b"/post content"


def test_client_that_does_not_wait_is_not_told(start):
    with Client(start(Gates())) as client:
        client.send(head_of_post(7, EXPECT) + b"con")
        client.send(b"tent")
        assert client.response().content == b"/post content"


def test_client_that_waits_behind_another_request_is_told_to_go_on(start):
    with Client(start(Gates())) as client:
        client.send(request("/first") + head_of_post(7, EXPECT))
        assert client.response().content == b"/first "
        assert continued(client)
        client.send(b"content")
        assert client.response().content == b"/post content"


def test_too_much_content_is_refused_before_it_is_asked_for(start):
    gates = Gates()
    with Client(start(gates, max_body=1000)) as client:
        client.send(head_of_post(1001, EXPECT))
        response = client.response()
        assert (response.status, response.fields["connection"]) == (413, "close")
        assert client.ended()
    assert gates.seen == []


def test_another_expectation_is_refused(start):
    gates = Gates()
    with Client(start(gates)) as client:
        client.send(head_of_post(7, "Expect: a-miracle"))
        assert client.response().status == 417
        assert client.ended()
    assert gates.seen == []


def test_no_content_nothing_to_wait_for(start):
    with Client(start(Gates())) as client:
        assert client.ask("/none", EXPECT).content == b"/none "
        client.send(head_of_post(0, EXPECT))
        assert client.response().content == b"/post "


def test_http_1_0_client_cannot_have_meant_it(start):
    running = start(Gates())
    with Client(running) as client:
        client.send(head_of_post(7, EXPECT, version="1.0"))
        turns(running)
        client.send(b"content")
        assert client.response().content == b"/post content"
