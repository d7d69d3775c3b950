"""start_response and the write() that it returns: once, a second time with exc_info, and too late."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from tests.apps import Pieces, answering
from tests.client import PATIENCE, Client, ask, exchange, request, to_the_end
from tests.logged import errors
from tests.running import Start
from tpserver.errors import ApplicationError

Environ = dict[str, Any]
TEXT = ("Content-Type", "text/plain")


def test_a_second_call_without_exc_info_is_a_500(start: Start, log: pytest.LogCaptureFixture) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [TEXT])
        start_response("200 OK", [TEXT])
        return [b"never"]

    answer = ask(start(app))
    assert answer.status == 500
    assert b"never" not in answer.content
    (message,) = errors(log)
    assert "second time" in message
    assert "exc_info" in message


def test_a_second_call_with_exc_info_replaces_the_first(start: Start, log: pytest.LogCaptureFixture) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [TEXT, ("X-First", "1"), ("Content-Length", "3")])
        try:
            raise ValueError("late")
        except ValueError:
            start_response("503 Later", [("Content-Type", "text/html")], sys.exc_info())
        return [b"try again"]

    answer = ask(start(validator(app)))
    assert (answer.status, answer.all("X-First")) == (503, [])
    assert answer["Content-Type"] == "text/html"
    assert b"try again" in answer.content
    assert errors(log) == []


def test_exc_info_after_the_first_byte_is_raised_in_the_application(
    start: Start, log: pytest.LogCaptureFixture
) -> None:
    caught: list[BaseException] = []

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [TEXT])
        yield b"the beginning"
        try:
            raise ValueError("what went wrong")
        except ValueError:
            try:
                start_response("500 Oops", [TEXT], sys.exc_info())
            except ValueError as error:
                caught.append(error)
                raise
        yield b"never"

    answer = ask(start(app))
    assert answer.status == 200
    assert answer.content == b"d\r\nthe beginning\r\n"  # cut: no last chunk
    assert [str(error) for error in caught] == ["what went wrong"]
    assert "ValueError: what went wrong" in log.text


def test_exc_info_is_welcome_in_the_first_call(start: Start) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        try:
            raise ValueError("early")
        except ValueError:
            start_response("503 Later", [TEXT], sys.exc_info())
        return [b"x"]

    assert ask(start(validator(app))).status == 503


def test_exc_info_of_none_is_a_call_without_it(start: Start) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [TEXT], None)
        return [b"x"]

    assert ask(start(validator(app))).status == 200


def test_an_application_may_answer_a_refused_head_with_its_own_error_page(start: Start) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        try:
            start_response("200 OK", [("X-Bad", "a\r\nb")])
        except Exception:  # noqa: BLE001 - a framework's outermost handler
            start_response("500 My own", [TEXT], sys.exc_info())
        return [b"my own page"]

    answer = ask(start(app))
    assert (answer.status, answer.content) == (500, b"my own page")


def test_what_is_written_comes_before_what_is_returned(start: Start) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("200 OK", [TEXT])
        write(b"1")
        write(b"")
        write(b"22")
        return (piece for piece in (b"333", b"4444"))

    running = start(validator(app))
    assert ask(running).content == b"1\r\n1\r\n2\r\n22\r\n3\r\n333\r\n4\r\n4444\r\n0\r\n\r\n"
    assert ask(running, version="1.0").content == b"1223334444"


def test_what_is_written_leaves_at_once(start: Start) -> None:
    seen = threading.Event()

    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        write = start_response("200 OK", [TEXT, ("Content-Length", "2")])
        write(b"1")
        assert seen.wait(PATIENCE)
        return [b"2"]

    with Client(start(validator(app))) as client:
        client.send(request())
        while client.stream.readline() != b"\r\n":
            pass
        assert client.stream.read(1) == b"1"
        seen.set()
        assert client.stream.read(1) == b"2"


def test_writing_keeps_the_length_that_was_promised(start: Start) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [TEXT, ("Content-Length", "4")])(b"1234")
        return []

    with to_the_end(start(validator(app))) as kept:
        assert [kept.ask().content for _ in range(2)] == [b"1234"] * 2


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 None"), ("GET", "304 Same")])
def test_writing_where_no_content_may_be_sends_none(start: Start, method: str, status: str) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        start_response(status, [])(b"content")
        return [b"more content"]

    with to_the_end(start(app)) as kept:
        for _ in range(2):
            answer = kept.ask(method=method)
            assert (answer.status, answer.content) == (int(status[:3]), b"")


@pytest.mark.parametrize("data", ["text", None, 5, bytearray(b"x")])
def test_writing_anything_but_bytes_is_a_500(start: Start, log: pytest.LogCaptureFixture, data: Any) -> None:
    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [TEXT])(data)
        return []

    assert ask(start(app)).status == 500
    (message,) = errors(log)
    assert "bytes" in message


def fails(_: Callable[[bytes], None]) -> Iterable[bytes]:
    raise ZeroDivisionError


def fails_later(write: Callable[[bytes], None]) -> Iterable[bytes]:
    yield b""
    yield from fails(write)


def has_written(write: Callable[[bytes], None]) -> list[bytes]:
    write(b"fine")
    return []


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (lambda _: [b"fine"], True),
        (lambda _: [b"fine"], False),
        (lambda _: [b"fi", b"ne"], False),
        (lambda _: iter([b"fine"]), False),
        (lambda _: [], False),
        (has_written, False),
        (fails, False),
        (fails_later, False),
    ],
    ids=["in one piece", "length not said", "in two", "streamed", "empty", "written", "failed", "failed later"],
)
def test_what_is_written_after_the_answer_is_refused(start: Start, answer: Callable[..., Any], whole: bool) -> None:
    kept: list[Callable[..., Any]] = []
    hints: list[Callable[..., Any]] = []

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/next":
            with pytest.raises(ApplicationError, match="after the end"):
                kept[0](b"EVIL")
            with pytest.raises(ApplicationError, match="after"):
                hints[0]([("Link", "</evil>")])
            start_response("200 OK", [("Content-Length", "4"), TEXT])
            return [b"next"]
        hints.append(environ["wsgi.early_hints"])
        kept.append(start_response("200 OK", [("Content-Length", "4"), TEXT] if whole else [TEXT]))
        found: Iterable[bytes] = answer(kept[0])
        return found

    with to_the_end(start(app)) as client:
        assert client.ask().status in (200, 500)
        answered = client.ask("/next")
        assert (answered.status, answered.content) == (200, b"next")


def test_what_is_written_when_an_iterable_is_closed_is_refused(start: Start, log: pytest.LogCaptureFixture) -> None:
    class Late(Pieces):
        write: Callable[[bytes], None]

        def close(self) -> None:
            super().close()
            self.write(b"EVIL")

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        pieces = Late(b"fine")
        pieces.write = start_response("200 OK", [TEXT])
        return pieces

    with to_the_end(start(app)) as client:
        assert [client.ask().content for _ in range(2)] == [b"fine"] * 2
    assert len(errors(log)) == 2


def test_a_cookie_of_one_response_is_not_in_the_next(start: Start) -> None:
    numbers = iter(range(10))

    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [TEXT, ("Set-Cookie", f"number={next(numbers)}")])
        return [b"x"]

    with to_the_end(start(validator(app))) as kept:
        assert [kept.ask()["Set-Cookie"] for _ in range(3)] == ["number=0", "number=1", "number=2"]


def test_fields_that_come_twice_are_sent_twice_in_their_order(start: Start) -> None:
    fields = [("Set-Cookie", "a=1; Path=/"), ("Link", "<x>"), ("Set-Cookie", "b=2"), ("Set-Cookie", "a=3")]
    answer = ask(start(validator(answering([b"x"], fields=fields))))
    assert answer.all("Set-Cookie") == ["a=1; Path=/", "b=2", "a=3"]
    assert answer.lines[: len(fields) + 1] == [TEXT, *fields]


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("Date", "Sun, 06 Nov 1994 08:49:37 GMT")],
        [("server", "mine")],
        [("DATE", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Server", "mine")],
    ],
)
@pytest.mark.parametrize("pieces", [[b"x"], [b"x", b"y"]])
def test_date_and_server_are_there_once_and_the_applications_go_first(
    start: Start, fields: list[tuple[str, str]], pieces: list[bytes]
) -> None:
    length = ("Content-Length", str(len(pieces)))
    answer = ask(start(validator(answering(pieces, fields=[length, *fields]))))
    own = {name.lower(): value for name, value in fields}
    assert answer["Date"] == own.get("date", answer["Date"])
    assert answer["Server"] == own.get("server", answer["Server"])
    assert answer["Server"].startswith(own.get("server", "tpserver"))


@pytest.mark.parametrize(
    "status", ["200 OK", "200 ", "299 Whatever", "404 \xfcbel", "599 a\tb", "418 I'm a teapot", "799 Own"]
)
def test_a_status_is_sent_as_it_was_written(start: Start, status: str) -> None:
    raw = exchange(start(answering([b"x"], status)), request())
    assert raw.startswith(f"HTTP/1.1 {status}\r\n".encode("latin-1"))
