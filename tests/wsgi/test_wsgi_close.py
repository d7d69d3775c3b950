"""close() of what an application returned: called once, in every way that a request can end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from tests.apps import Pieces, answering
from tests.client import PATIENCE, Client, ask, exchange, parse, request, to_the_end
from tests.logged import errors
from tests.running import Start


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_after_the_last_piece(start: Start, method: str, version: str) -> None:
    result = Pieces(b"one", b"two")
    ask(start(validator(answering(result))), method=method, version=version)
    assert result.began
    assert result.closes == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_when_the_status_has_no_content(start: Start, status: str) -> None:
    result = Pieces(b"one", b"two")
    ask(start(answering(result, status)))
    assert result.closes == 1


def test_when_there_was_not_a_single_piece(start: Start) -> None:
    result = Pieces()
    ask(start(validator(answering(result))))
    assert result.closes == 1


@pytest.mark.parametrize("pieces", [(), (b"one",)])
def test_when_an_error_ends_the_iteration(start: Start, pieces: tuple[bytes, ...]) -> None:
    result = Pieces(*pieces, ValueError("on purpose"))
    ask(start(answering(result)))
    assert result.closes == 1


@pytest.mark.parametrize("bad", ["text", None, 5])
def test_when_a_piece_is_none_of_bytes(start: Start, bad: Any) -> None:
    result = Pieces(b"one", bad)
    ask(start(answering(result)))
    assert result.closes == 1


def test_when_start_response_was_never_called(start: Start) -> None:
    result = Pieces(b"one")
    assert ask(start(lambda environ, start_response: result)).status == 500
    assert result.closes == 1


@pytest.mark.parametrize("length", ["2", "100"])
def test_when_the_content_length_is_not_kept(start: Start, length: str) -> None:
    result = Pieces(b"one", b"two")
    ask(start(answering(result, fields=[("Content-Length", length)])))
    assert result.closes == 1


def test_once_when_the_list_has_a_close_of_its_own(start: Start) -> None:
    class List(list[bytes]):
        closes = 0

        def close(self) -> None:
            self.closes += 1

    for result in (List([b"one"]), List([b"one", b"two"]), List()):
        ask(start(answering(result)))
        assert result.closes == 1


def test_a_generator_cleans_up_behind_its_last_piece(start: Start) -> None:
    steps = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"one"
            steps.append("behind the last piece")
        finally:
            steps.append("finally")

    ask(start(validator(answering(pieces))))
    assert steps == ["behind the last piece", "finally"]


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("piece", [b"x", b"x" * 65536], ids=["small", "large"])
def test_when_the_client_has_gone(start: Start, log: pytest.LogCaptureFixture, reset: bool, piece: bytes) -> None:
    closed = threading.Event()

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield piece
        finally:
            closed.set()

    running = start(validator(answering(pieces)))
    with Client(running) as client:
        client.send(request())
        assert client.sock.recv(10)
        if reset:
            client.reset()
    assert closed.wait(PATIENCE)
    with to_the_end(start(answering([b"x"]))) as kept:
        assert kept.ask().content == b"x"
    assert errors(log) == []  # a client may go when it likes: no error


@pytest.mark.parametrize("pieces", [(b"one",), (b"one", b"two"), ()])
def test_an_error_in_close_is_logged_and_the_answer_is_whole(
    start: Start, log: pytest.LogCaptureFixture, pieces: tuple[bytes, ...]
) -> None:
    class Failing(Pieces):
        def close(self) -> None:
            super().close()
            raise ValueError("close has failed")

    with to_the_end(start(answering(Failing(*pieces), fields=[("X-Mark", "meant")]))) as kept:
        for _ in range(2):
            answer = kept.ask()
            assert (answer.status, answer["X-Mark"]) == (200, "meant")
            assert answer.content == b"".join(pieces)
    assert log.text.count("ValueError: close has failed") == 2


def test_close_comes_after_the_last_piece_was_taken(start: Start) -> None:
    steps: list[str] = []

    class Noting(Pieces):
        def __iter__(self) -> Iterator[bytes]:
            for number in range(3):
                steps.append(f"piece {number}")
                yield b"x"
            steps.append("end")

        def close(self) -> None:
            steps.append("close")

    ask(start(validator(answering(Noting()))))
    assert steps == ["piece 0", "piece 1", "piece 2", "end", "close"]


def without_end(closed: threading.Event) -> Iterator[bytes]:
    try:
        while True:
            yield b"abc"
    finally:
        closed.set()


def test_a_body_without_end_is_left_when_its_length_is_reached(start: Start, log: pytest.LogCaptureFixture) -> None:
    # PEP 3333, "Handling the Content-Length Header": stop iterating when enough has been sent.
    closed = threading.Event()
    with to_the_end(start(answering(lambda: without_end(closed), fields=[("Content-Length", "7")]))) as kept:
        assert [kept.ask().content for _ in range(2)] == [b"abcabca"] * 2
    assert closed.is_set()


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 None"), ("GET", "304 Same")])
def test_a_body_without_end_is_left_where_none_of_it_is_sent(start: Start, method: str, status: str) -> None:
    # A live stream, asked for by HEAD.
    closed = threading.Event()
    with to_the_end(start(answering(lambda: without_end(closed), status))) as kept:
        assert kept.ask(method=method).status == int(status[:3])
    assert closed.wait(PATIENCE)


def test_an_error_before_anything_was_returned_leaves_nothing_to_close(start: Start) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        raise ValueError("on purpose")

    assert parse(exchange(start(app), request())).status == 500
