"""Feeds every request of tests/requests to the protocol, cut up in several ways, and compares what comes of it."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.http.corpus import KINDS, Case, cases, feedings
from tpserver.http.section import Limits
from tpserver.protocol import HTTPProtocol
from tpserver.site.site import Site


@dataclass
class Seen:
    """What the protocol made of some bytes, in the words of the corpus."""

    kind: str  # "request", "refusal" or "interim"
    request: dict[str, Any] | None = None
    status: int = 0
    data: bytes = b""


class Server:
    """The adapter between the corpus and the protocol: all that these tests know about the server's own classes."""

    def __init__(self, options: dict[str, int]) -> None:
        self.protocol = HTTPProtocol(Site(None, None), Limits(**options))
        self.receivers: list[Any] = []

    def close(self) -> None:
        for receiver in self.receivers:
            receiver.close()

    def connect(self) -> Callable[[bytes], Seen | None]:
        """A new connection: a function that takes the bytes which have come in and tells what became of them."""
        receiver = self.protocol.receiver(("192.0.2.1", 50000))
        self.receivers.append(receiver)

        def receive(data: bytes) -> Seen | None:
            outcome = receiver.receive(data)
            if outcome is None:
                return None
            if outcome.kind == "request":
                head = outcome.head
                with outcome.content or io.BytesIO() as content:
                    body = content.read().decode("latin-1")
                request = {
                    "method": head.method,
                    "target": head.target,
                    "path": head.path,
                    "query": head.query,
                    "version": head.protocol.removeprefix("HTTP/"),
                    "environ": dict(head.fields),
                    "body": body,
                    "keep_alive": head.section.keep_alive,
                }
                return Seen("request", request)
            if outcome.kind == "refusal":
                undated = re.sub(
                    rb"Date: [^\r]*\r\n", b"", outcome.data
                )  # a second may have passed between two servers
                return Seen("refusal", status=int(outcome.data[9:12]), data=undated)
            return Seen("interim", data=outcome.data)

        return receive


def feed(server: Server, pieces: list[bytes]) -> list[Seen]:
    """Feed the pieces as the engine does: after each outcome ask again, and stop when the connection is to end."""
    receive = server.connect()
    try:
        return feed_all(receive, pieces)
    finally:
        server.close()


def feed_all(receive: Callable[[bytes], Seen | None], pieces: list[bytes]) -> list[Seen]:
    seen: list[Seen] = []
    for piece in pieces:
        outcome = receive(piece)
        while outcome is not None:
            seen.append(outcome)
            if outcome.kind == "refusal" or (outcome.request and not outcome.request["keep_alive"]):
                return seen
            assert len(seen) < 100, "it does not come to an end"
            outcome = receive(b"")
    return seen


def check_request(seen: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare what the corpus says about a request, and no more."""
    expected = dict(expected)
    environ = expected.pop("environ", {})
    absent = expected.pop("absent", [])
    assert {key: seen[key] for key in expected} == expected
    assert {key: seen["environ"].get(key) for key in environ} == environ
    assert [key for key in absent if key in seen["environ"]] == []


def check(server: Server, case: Case, pieces: list[bytes], times: int = 1) -> None:
    """Feed the pieces, several times over on one connection, and compare what comes of them with the corpus."""
    seen = feed(server, pieces * times)
    refusals = [outcome for outcome in seen if outcome.kind == "refusal"]
    if not case.statuses:
        assert refusals == []
    requests = [outcome.request for outcome in seen if outcome.request is not None]
    assert [request["method"] for request in requests] == [request["method"] for request in case.requests] * times
    for request, expected in zip(requests, case.requests * times, strict=True):
        check_request(request, expected)
    interims = [outcome.data for outcome in seen if outcome.kind == "interim"]
    assert interims == [b"HTTP/1.1 100 Continue\r\n\r\n"] * case.interim_due(pieces) * times
    if case.statuses:
        assert [refusal.status for refusal in refusals if refusal.status not in case.statuses] == []
        assert len(refusals) == 1, "not refused"
        assert refusals[0].data.startswith(b"HTTP/1.1 %d " % refusals[0].status)
        assert b"\r\nconnection: close\r\n" in refusals[0].data.lower()


def check_all(case: Case, runs: list[list[bytes]]) -> None:
    """Once on a new server, then on another connection of it, which may remember the first one."""
    for pieces in runs:
        server = Server(case.options)
        check(server, case, pieces)
        check(server, case, pieces, times=3 if case.repeatable else 1)


def feedings_of(kind: str) -> list[Any]:
    return [pytest.param(case, runs, id=f"{case.id}[{how}]") for case in cases(kind) for how, runs in feedings(case)]


@pytest.mark.parametrize(("case", "runs"), feedings_of("valid"))
def test_valid(case: Case, runs: list[list[bytes]]) -> None:
    check_all(case, runs)


@pytest.mark.parametrize(("case", "runs"), feedings_of("invalid"))
def test_invalid(case: Case, runs: list[list[bytes]]) -> None:
    check_all(case, runs)


_CHUNKED = b"HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (_CHUNKED + b"+5\r\n", 400),
        (_CHUNKED + b"5\r\nhello!", 400),
        (b"HEAD / HTTP/1.1\nHost: a\n\n", 400),
        (b"HEAD / HTTP/1.1\r\nHost: a\n", 400),
        (b"HEAD / HTTP/1.1\r\n\r\n", 400),
        (b"HEAD /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\r\nHEAD /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", 413),
        (b"HEAD /" + 2000 * b"a", 414),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\nX: " + 2000 * b"x" + b"\r\n\r\n", 431),
        (b"HEAD / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_the_refusal_of_a_head_request_has_no_content(data: bytes, status: int) -> None:
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))], re.findall(rb"[^\n]*\n|[^\n]+", data)):
        last = feed(Server({"max_head": 1024, "max_body": 100}), pieces)[-1]
        assert (last.kind, last.status) == ("refusal", status)
        assert last.data.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("data", [b"HEAD / HTTP/1.1\r\nHo", _CHUNKED + b"5\r\nhel"])
def test_a_head_request_that_does_not_come_in_time_is_told_so_without_content(data: bytes) -> None:
    receiver = Server({}).protocol.receiver(("192.0.2.1", 50000))
    assert receiver.receive(data) is None
    last_words = receiver.expire()
    assert last_words.startswith(b"HTTP/1.1 408 ")
    assert last_words.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("data", [b"HEADS /a b HTTP/1.1\r\n\r\n", _CHUNKED + b"0\r\n\r\nGET /a b HTTP/1.1\r\n\r\n"])
def test_the_refusal_of_any_other_request_has_content(data: bytes) -> None:
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        last = feed(Server({}), pieces)[-1]
        assert last.status == 400
        assert b"malformed" in last.data


@pytest.mark.parametrize("seed", range(5))
def test_what_a_server_remembers_of_one_request_changes_no_other(seed: int) -> None:
    server = Server({})
    mixed = [case for kind in KINDS for case in cases(kind) if not case.options]
    random.Random(seed).shuffle(mixed)
    for case in mixed:
        assert feed(server, [case.data]) == feed(Server({}), [case.data]), case.id
