"""What an application returns, and how it is framed: length, chunks, or the end of the connection."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from tests.apps import Pieces, answering
from tests.client import CLOSE, PATIENCE, Client, ask, exchange, parse, request, to_the_end
from tests.logged import errors
from tests.running import Start
from tests.wsgi.wsgi_apps import CONFORMING, HELLO, Case, generator, list_of_one

ALL = pytest.mark.parametrize("case", CONFORMING.values(), ids=CONFORMING)


@ALL
def test_content_arrives_and_the_connection_stays(start: Start, log: pytest.LogCaptureFixture, case: Case) -> None:
    with to_the_end(start(case.app)) as kept:
        for _ in range(3):
            answer = kept.ask()
            assert (answer.status, answer.content) == (200, HELLO)
            assert answer.all("Content-Length") == (["13"] if case.length else [])
            assert answer.all("Transfer-Encoding") == ([] if case.length else ["chunked"])
            assert answer.all("Connection") == []
    assert errors(log) == []


@ALL
def test_a_client_of_http_1_0_gets_no_chunks(start: Start, case: Case) -> None:
    answer = ask(start(case.app), version="1.0")
    assert answer.content == HELLO
    assert answer.all("Content-Length") == (["13"] if case.length else [])
    assert answer.all("Transfer-Encoding") == []
    assert answer["Connection"] == "close"


@ALL
def test_a_client_of_http_1_0_may_ask_to_stay(start: Start, case: Case) -> None:
    answer = ask(start(case.app), "/", "Connection: keep-alive", version="1.0")
    # Content without a length ends with the connection.
    assert answer["Connection"] == ("keep-alive" if case.length else "close")
    assert answer.content == HELLO


@ALL
def test_a_client_that_asks_for_the_end_is_told_that_it_comes(start: Start, case: Case) -> None:
    answer = ask(start(case.app), "/", CLOSE)
    assert answer["Connection"] == "close"


@ALL
def test_the_answer_to_head_has_no_content(start: Start, log: pytest.LogCaptureFixture, case: Case) -> None:
    running = start(case.app)
    answer = ask(running, method="HEAD")
    assert (answer.status, answer.content) == (200, b"")
    assert set(answer.all("Content-Length")) <= {"13"}
    with to_the_end(running) as kept:
        kept.ask(method="HEAD")
        assert kept.ask().content == HELLO
    assert errors(log) == []


def test_the_chunks_are_the_pieces(start: Start) -> None:
    assert ask(start(answering(Pieces(b"", b"one", b"", b"x" * 26)))).content == (
        b"3\r\none\r\n1a\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n"
    )


@pytest.mark.parametrize("result", [[], (), [b""], [b"", b""], Pieces(), Pieces(b"", b"")])
def test_an_answer_without_a_byte_has_the_length_0(start: Start, result: Any) -> None:
    with to_the_end(start(answering(result))) as kept:
        for _ in range(2):
            answer = kept.ask()
            assert (answer.status, answer["Content-Length"], answer.content) == (200, "0", b"")


@pytest.mark.parametrize("result", [[], [b"content"], [b"con", b"tent"], Pieces(b"con", b"tent"), Pieces()])
@pytest.mark.parametrize("fields", [[], [("Content-Length", "7")]])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_content_has_neither_bytes_nor_framing(
    start: Start, status: str, fields: list[tuple[str, str]], result: Any
) -> None:
    running = start(answering(result, status, fields))
    answer = ask(running)
    assert answer.content == b""
    assert answer.all("Content-Length") == answer.all("Transfer-Encoding") == []
    with to_the_end(running) as kept:
        assert [kept.ask().status for _ in range(2)] == [int(status[:3])] * 2


@pytest.mark.parametrize("result", [[], [b"content"], Pieces(b"con", b"tent")])
@pytest.mark.parametrize("fields", [[], [("Content-Length", "7")]])
def test_an_answer_that_resets_a_form_says_that_it_has_no_content(
    start: Start, fields: list[tuple[str, str]], result: Any
) -> None:
    with to_the_end(start(answering(result, "205 Reset Content", fields))) as kept:
        for _ in range(2):
            answer = kept.ask()
            assert (answer.status, answer.all("Content-Length"), answer.content) == (205, ["0"], b"")


def test_head_tells_the_length_that_get_would_have(start: Start) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1234")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"x" * 1234]

    with to_the_end(start(validator(app))) as kept:
        for method in ("HEAD", "GET", "HEAD"):
            answer = kept.ask(method=method)
            assert answer["Content-Length"] == "1234"
            assert len(answer.content) == (1234 if method == "GET" else 0)


def test_head_does_not_claim_that_there_is_nothing(start: Start) -> None:
    # [] in answer to HEAD says nothing of what GET would get.
    assert ask(start(answering([])), method="HEAD").all("Content-Length") == []


def test_each_piece_arrives_before_the_next_is_made(start: Start) -> None:
    arrived = [threading.Event() for _ in range(3)]

    def pieces() -> Iterator[bytes]:
        for number, event in enumerate(arrived):
            yield b"piece %d" % number
            assert event.wait(PATIENCE)

    with Client(start(validator(answering(pieces)))) as client:
        client.send(request())
        while client.stream.readline() != b"\r\n":
            pass
        for number, event in enumerate(arrived):
            assert client.stream.read(12) == b"7\r\npiece %d\r\n" % number
            event.set()
        assert client.stream.read(5) == b"0\r\n\r\n"


def test_while_one_answer_streams_others_are_answered(start: Start) -> None:
    done = threading.Event()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"1"
        if environ["PATH_INFO"] == "/long":
            assert done.wait(PATIENCE)

    running = start(validator(app))
    with Client(running) as client:
        client.send(request("/long"))
        assert client.stream.readline() == b"HTTP/1.1 200 OK\r\n"
        with to_the_end(running) as kept:
            assert [kept.ask().content for _ in range(20)] == [b"1"] * 20
        done.set()


@pytest.mark.parametrize("app", [list_of_one, generator])
def test_pipelined_requests_are_answered_in_their_order(start: Start, app: Callable[..., Any]) -> None:
    def numbered(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        number = ("X-Number", environ["PATH_INFO"][1:])
        return app(environ, lambda status, fields, *rest: start_response(status, [*fields, number], *rest))

    raw = exchange(start(numbered), b"".join(request(f"/{number}") for number in range(10)))
    answers = [parse(b"HTTP/1.1 200" + part) for part in raw.split(b"HTTP/1.1 200")[1:]]
    assert [answer["X-Number"] for answer in answers] == [str(number) for number in range(10)]
    assert len({answer.content for answer in answers}) == 1


BLOCK = bytes(range(256)) * 256
BIG = 80


@pytest.mark.parametrize(
    "result",
    [[BLOCK * BIG], [BLOCK] * BIG, lambda: (BLOCK for _ in range(BIG)), lambda: (piece for piece in [BLOCK * BIG])],
    ids=["one", "many", "generator", "one of a generator"],
)
@pytest.mark.parametrize("fields", [[], [("Content-Length", str(len(BLOCK) * BIG))]], ids=["", "with its length"])
def test_five_megabytes_arrive_whole(start: Start, result: Any, fields: list[tuple[str, str]]) -> None:
    with to_the_end(start(answering(result, fields=fields))) as kept:
        content = kept.ask().content
        assert hashlib.sha256(content).digest() == hashlib.sha256(BLOCK * BIG).digest()
        assert len(kept.ask(method="HEAD").content) == 0


@pytest.mark.parametrize(
    "result", [[b"12345678"], [b"1234", b"5678"], Pieces(b"1234", b"5678"), Pieces(b"12345", b"67", b"8")]
)
def test_what_goes_beyond_the_content_length_is_cut_off(
    start: Start, log: pytest.LogCaptureFixture, result: Any
) -> None:
    running = start(answering(result, fields=[("Content-Length", "5")]))
    assert ask(running).content == b"12345"
    assert all("more than its Content-Length" in message for message in errors(log))
    assert len(errors(log)) >= 1
    with to_the_end(running) as kept:
        assert [kept.ask().content for _ in range(2)] == [b"12345"] * 2


@pytest.mark.parametrize("result", [[b"1234"], [b"12", b"34"], [], Pieces(b"12", b"34"), Pieces()])
def test_what_falls_short_of_the_content_length_ends_the_connection(
    start: Start, log: pytest.LogCaptureFixture, result: Any
) -> None:
    with Client(start(answering(result, fields=[("Content-Length", "5")]))) as client:
        client.send(request())
        answer = parse(client.stream.read())
    assert answer["Content-Length"] == "5"
    assert answer.content in (b"1234", b"")
    (message,) = errors(log)
    assert "less than its Content-Length" in message


def test_a_long_answer_that_is_cut_is_complained_of_once(start: Start, log: pytest.LogCaptureFixture) -> None:
    ask(start(answering(Pieces(*[b"x"] * 1000), fields=[("Content-Length", "5")])))
    assert len(errors(log)) == 1
