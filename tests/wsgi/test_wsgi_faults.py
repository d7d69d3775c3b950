"""Applications that break PEP 3333, or break down: a 500, a log line that says what to do, and the server goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.apps import Pieces, answering
from tests.client import Client, Response, ask, request, to_the_end
from tests.logged import errors
from tests.running import Start

TEXT = ("Content-Type", "text/plain")
OK = "200 OK"
# Stands in whatever a faulty application says, and never comes back to a client.
SECRET = "s3cret"

Refuse = Callable[..., str]


@pytest.fixture
def refused(start: Start, log: pytest.LogCaptureFixture) -> Refuse:
    """Asks an application that is at fault, twice: 500 with a page of the server's own. Returns what the log says."""

    def refuse(app: Callable[..., Any]) -> str:
        with to_the_end(start(app)) as kept:
            for _ in range(2):
                answer = kept.ask("/", "Accept: text/plain")
                assert answer.status == 500
                assert answer["Content-Type"] == "text/plain; charset=utf-8"
                assert answer.content.startswith(b"500 Internal Server Error\n")
                assert_nothing_injected(answer)
        one, other = errors(log)
        assert one == other
        return one

    return refuse


def assert_nothing_injected(answer: Response) -> None:
    assert SECRET.encode("ascii") not in answer.content
    assert SECRET not in repr(answer.lines)
    assert answer.all("X-Injected") == []


# -- what is returned

RESULTS: dict[str, tuple[Any, list[str]]] = {
    "a str": (f"{SECRET} text", ["returned the str", SECRET, "return [text.encode('utf-8')]"]),
    "an empty str": ("", ["returned the str", "return [text.encode('utf-8')]"]),
    "bytes": (b"text", ["returned bytes", "return [data]"]),
    "empty bytes": (b"", ["returned bytes", "return [data]"]),
    "a bytearray": (bytearray(b"text"), ["returned bytes", "return [data]"]),
    "None": (None, ["returned None", "return missing"]),
    "an int": (200, ["int", "no iterable of bytes"]),
    "an object": (object(), ["object", "no iterable of bytes"]),
    "a list with a str": ([f"{SECRET} text"], ["the str", SECRET, "[text.encode('utf-8')]"]),
    "a list with a long str": ([SECRET * 50], ["the str", "...", "[text.encode('utf-8')]"]),
    "a list with bytes and a str": ([b"one", "two"], ["the str 'two'", "[text.encode('utf-8')]"]),
    "a list with an int": ([200], ["200", "int", "must be bytes"]),
    "a list with None": ([None], ["None", "must be bytes"]),
    "a list with a bytearray": ([bytearray(b"x")], ["bytearray", "must be bytes"]),
    "a list with a list": ([[b"x"]], ["list", "must be bytes"]),
    "a tuple with a str": (("text",), ["the str 'text'", "[text.encode('utf-8')]"]),
    "a generator of str": (Pieces("text"), ["the str 'text'", "[text.encode('utf-8')]"]),
    "a generator of int": (Pieces(5), ["5", "int", "must be bytes"]),
    "a dict": ({"key": b"value"}, ["the str 'key'", "bytes"]),
}


@pytest.mark.parametrize(("result", "words"), RESULTS.values(), ids=RESULTS)
def test_a_result_that_is_no_iterable_of_bytes(refused: Refuse, result: Any, words: list[str]) -> None:
    message = refused(answering(lambda: result))
    assert message.startswith("GET /: ")
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize("result", [[b"x"], [b"x", b"y"], [], (), Pieces(b"x"), Pieces()])
def test_an_application_that_never_calls_start_response(refused: Refuse, result: Any) -> None:
    message = refused(lambda environ, start_response: result)
    assert "has not called start_response(status, headers)" in message


# -- what start_response is given

STATUSES: dict[str, tuple[Any, list[str]]] = {
    "bytes": (b"200 OK", ["bytes", "write '200 OK'"]),
    "an int": (200, ["int", "a str"]),
    "None": (None, ["None as status", "a str"]),
    "empty": ("", ["the status ''", "'200 OK'"]),
    "a word": (f"{SECRET}", [repr(SECRET), "three digits, a space and a reason", "'200 OK'"]),
    "two digits": ("99 x", ["'99 x'", "three digits"]),
    "four digits": ("2000 x", ["'2000 x'", "three digits"]),
    "no space": ("200OK", ["'200OK'", "a space"]),
    "a leading space": (" 200 OK", ["' 200 OK'", "three digits"]),
    "a leading zero": ("020 OK", ["'020 OK'", "three digits"]),
    "other digits": ("\u0662\u0660\u0660 OK", ["three digits"]),
    "switching": ("101 Switching Protocols", ["'101 Switching Protocols'", "200 or above"]),
    "continue": ("100 Continue", ["'100 Continue'", "200 or above"]),
    "CRLF": (f"200 OK\r\nX-Injected: {SECRET}", ["three digits", "reason", r"\r\n"]),
    "a whole head": (f"200 OK\r\n\r\n{SECRET}", ["three digits", r"\r\n"]),
    "LF": ("200 O\nK", [r"O\nK"]),
    "CR": ("200 O\rK", [r"O\rK"]),
    "LF at the end": ("200 OK\n", [r"OK\n"]),
    "NUL": ("200 O\0K", [r"O\x00K"]),
    "outside latin-1": ("200 €", ["three digits"]),
}


@pytest.mark.parametrize(("status", "words"), STATUSES.values(), ids=STATUSES)
def test_a_status_that_is_none(refused: Refuse, status: Any, words: list[str]) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response(status, [TEXT])
        return [b"x"]

    message = refused(app)
    assert [word for word in ["start_response()", *words] if word not in message] == []


FIELDS: dict[str, tuple[Any, list[str]]] = {
    "a tuple": ((TEXT,), ["a tuple of fields", "a list of (name, value) tuples"]),
    "a dict": ({"Content-Type": "text/plain"}, ["a dict of fields", "a list"]),
    "None": (None, ["None of fields", "a list"]),
    "a generator": (Pieces(TEXT), ["a Pieces of fields", "a list"]),
    "a list of str": (["Content-Type: text/plain"], ["'Content-Type: text/plain'", "a tuple (name, value)"]),
    "a list of lists": ([["Content-Type", "text/plain"]], ["['Content-Type', 'text/plain']", "a tuple (name, value)"]),
    "a tuple of three": ([("X-A", "b", "c")], ["('X-A', 'b', 'c')", "a tuple (name, value)"]),
    "a tuple of one": ([("X-A",)], ["('X-A',)", "a tuple (name, value)"]),
    "bytes as name": ([(b"X-A", "b")], ["(b'X-A', 'b')", "a bytes", "str"]),
    "bytes as value": ([("X-A", b"b")], ["('X-A', b'b')", "a bytes", "decode bytes as latin-1"]),
    "an int as value": ([("Content-Length", 5)], ["('Content-Length', 5)", "int", "str"]),
    "None as value": ([("X-A", None)], ["('X-A', None)", "None", "str"]),
    "CRLF in a value": ([("X-A", f"b\r\nX-Injected: {SECRET}")], ["'X-A'", "control character", "Quote or remove"]),
    "LF in a value": ([("X-A", f"b\nX-Injected: {SECRET}")], ["'X-A'", "control character"]),
    "CR in a value": ([("X-A", f"b\rX-Injected: {SECRET}")], ["'X-A'", "control character"]),
    "a folded value": ([("X-A", f"b\r\n {SECRET}")], ["'X-A'", "control character"]),
    "a value that ends in LF": ([("X-A", "b\n")], [r"'b\n'", "control character"]),
    "NUL in a value": ([("X-A", "b\0")], [r"'b\x00'", "control character"]),
    "DEL in a value": ([("X-A", "b\x7f")], [r"'b\x7f'", "control character"]),
    "a value beyond latin-1": ([("X-A", "5 €")], ["'X-A'", "outside latin-1"]),
    "a lone surrogate": ([("X-A", "\udc80")], ["'X-A'", "outside latin-1"]),
    "CRLF in a name": ([(f"X-A: b\r\nX-Injected: {SECRET}", "c")], ["field name", r"\r\n"]),
    "an empty name": ([("", "b")], ["field name ''"]),
    "a space in a name": ([("X A", "b")], ["field name 'X A'"]),
    "a colon in a name": ([("X-A:", "b")], ["field name 'X-A:'"]),
    "latin-1 in a name": ([("X-\xdf", "b")], ["field name"]),
    "a status line as a field": ([("HTTP/1.1 200 OK", "")], ["field name"]),
    "two lengths": ([("Content-Length", "1"), ("content-length", "1")], ["Content-Length", "twice"]),
    "two other lengths": ([("Content-Length", "1"), ("Content-Length", "2")], ["Content-Length", "twice"]),
    **{
        f"a length of {value!r}": ([("Content-Length", value)], ["Content-Length", repr(value), "not a number"])
        for value in ("", "abc", "+1", "-1", " 1", "1 ", "1_0", "0x1", "1.0", "1, 1", "\xb2", "9" * 19)
    },
    **{
        name: ([TEXT, (name, "b")], [repr(name), "hop-by-hop", "Leave it out"])
        for name in (
            "Connection",
            "connection",
            "Keep-Alive",
            "Proxy-Authenticate",
            "Proxy-Authorization",
            "Proxy-Connection",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "TRANSFER-ENCODING",
            "Upgrade",
        )
    },
}


@pytest.mark.parametrize(("fields", "words"), FIELDS.values(), ids=FIELDS)
def test_fields_that_may_not_be_sent(refused: Refuse, fields: Any, words: list[str]) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response(OK, fields)
        return [b"x"]

    message = refused(app)
    assert [word for word in words if word not in message] == []


# -- what is raised


def recursion() -> BaseException:
    return recursion()


class Strange(Exception):
    """An exception that cannot even be described."""

    def __str__(self) -> str:
        raise ValueError("on purpose")


RAISED: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError(SECRET),
    "SystemExit": lambda: SystemExit(SECRET),
    "KeyboardInterrupt": lambda: KeyboardInterrupt(SECRET),
    "BaseException": lambda: BaseException(SECRET),
    "GeneratorExit": lambda: GeneratorExit(SECRET),
    "StopIteration": lambda: StopIteration(SECRET),
    "MemoryError": lambda: MemoryError(SECRET),
    "RecursionError": recursion,
    "ConnectionAbortedError": lambda: ConnectionAbortedError(SECRET),
    "BlockingIOError": lambda: BlockingIOError(SECRET),
    "EOFError": lambda: EOFError(SECRET),
    "OSError": lambda: OSError(9, SECRET),
    "UnicodeDecodeError": lambda: UnicodeDecodeError("utf-8", b"x", 0, 1, SECRET),
    "Strange": lambda: Strange(SECRET),
}
EVERY_ERROR = pytest.mark.parametrize("name", RAISED)


@EVERY_ERROR
def test_an_error_before_start_response(refused: Refuse, log: pytest.LogCaptureFixture, name: str) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise RAISED[name]()

    assert refused(app) == "GET /: the application raised an exception"
    assert log.text.count(name) >= 2  # the traceback names it, each time
    assert "test_wsgi_faults.py" in log.text


@EVERY_ERROR
def test_an_error_after_start_response(refused: Refuse, log: pytest.LogCaptureFixture, name: str) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response(OK, [TEXT, ("X-Injected", SECRET)])
        raise RAISED[name]()

    assert refused(app) == "GET /: the application raised an exception"
    assert log.text.count(name) >= 2


@pytest.mark.parametrize("name", [name for name in RAISED if name != "StopIteration"])  # which ends an iteration
def test_an_error_before_the_first_piece(refused: Refuse, log: pytest.LogCaptureFixture, name: str) -> None:
    app = answering(Pieces(b"", RAISED[name]), fields=[("X-Injected", SECRET)])
    assert refused(app) == "GET /: the application raised an exception"
    assert log.text.count(name) >= 2


def test_an_error_in_making_the_iterator(refused: Refuse, log: pytest.LogCaptureFixture) -> None:
    class Result:
        def __iter__(self) -> Iterator[bytes]:
            raise ValueError(SECRET)

    assert refused(answering(lambda: Result())) == "GET /: the application raised an exception"
    assert log.text.count(f"ValueError: {SECRET}") == 2


@pytest.mark.parametrize("fields", [[], [("Content-Length", "6")]], ids=["chunked", "with its length"])
@pytest.mark.parametrize("name", [name for name in RAISED if name != "StopIteration"])
def test_an_error_after_the_first_byte_cuts_the_connection(
    start: Start, log: pytest.LogCaptureFixture, name: str, fields: list[tuple[str, str]]
) -> None:
    running = start(answering(Pieces(b"one", RAISED[name], b"two"), fields=fields))
    with Client(running) as client:
        client.send(request() * 2)
        raw = client.stream.read()
    assert raw.startswith(b"HTTP/1.1 200 OK\r\n")
    assert raw.endswith(b"\r\n\r\none" if fields else b"\r\n\r\n3\r\none\r\n")  # no last chunk, no second answer
    assert errors(log) == ["GET /: the application raised an exception"]
    assert name in log.text
    assert ask(running).status == 200


def test_a_piece_of_str_after_the_first_byte_cuts_the_connection(start: Start, log: pytest.LogCaptureFixture) -> None:
    answer = ask(start(answering(Pieces(b"one", SECRET))))
    assert answer.content == b"3\r\none\r\n"
    assert "the str" in errors(log)[0]


def test_returning_none_after_writing_cuts_the_connection(start: Start, log: pytest.LogCaptureFixture) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> None:
        start_response(OK, [TEXT])(b"one")

    assert ask(start(app)).content == b"3\r\none\r\n"
    assert "returned None" in errors(log)[0]


def test_an_error_is_logged_with_the_request_that_it_befell(start: Start, log: pytest.LogCaptureFixture) -> None:
    ask(start(answering(lambda: None)), "/a%0Ab?c=%1b[31m", method="POST", content=b"x")
    (message,) = errors(log)
    assert message.startswith("POST /a%0Ab?c=%1b[31m: ")
    assert message.isprintable()


def test_head_gets_the_status_of_an_error_and_no_page(start: Start) -> None:
    with to_the_end(start(answering(lambda: None))) as kept:
        for _ in range(2):
            answer = kept.ask(method="HEAD")
            assert (answer.status, answer.content) == (500, b"")


def test_a_browser_gets_a_page_about_an_error(start: Start) -> None:
    answer = ask(start(answering(lambda: None)), "/", "Accept: text/html")
    assert answer.status == 500
    assert b"<h1>500 Internal Server Error</h1>" in answer.content
