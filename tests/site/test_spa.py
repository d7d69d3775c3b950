"""--spa: the page of an application in the browser answers for paths that nothing else answers."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, ask, request
from tests.running import Start
from tpserver.http.head import Head
from tpserver.http.response import response_memory
from tpserver.http.section import FieldSection
from tpserver.site.fallback import FallbackResponse

PAGE = b"<div id=app></div>"
Environ = dict[str, Any]
StartResponse = Callable[..., Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app.html").write_bytes(PAGE)
    (tmp_path / "a.txt").write_bytes(b"file")
    (tmp_path / "sub").mkdir()
    return tmp_path


@pytest.mark.parametrize("target", ["/", "/users/7", "/users/7/", "/sub/", "/sub", "/users?next=/a.b", "/v1.2/x"])
def test_an_unknown_path_gets_the_page(root: Path, start: Start, target: str) -> None:
    answer = ask(start(root=root, spa="app.html"), target, "Accept: text/html")
    assert (answer.status, answer.content) == (200, PAGE)
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert answer.fields["vary"] == "Accept"


def test_at_its_own_address_the_page_does_not_vary(root: Path, start: Start) -> None:
    running = start(root=root, spa="app.html", header=["*=X-One:1"])
    assert ask(running, "/x").fields["x-one"] == "1"
    assert "vary" not in ask(running, "/app.html").fields


def test_a_page_with_a_compressed_variant_varies_by_both(root: Path, start: Start) -> None:
    (root / "app.html").write_bytes(PAGE * 100)
    (root / "app.html.gz").write_bytes(gzip.compress(PAGE * 100))
    with Client(start(root=root, spa="app.html")) as client:
        client.send(request("/x", "Accept-Encoding: gzip"))
        lines = []
        while (line := client.stream.readline()) != b"\r\n":
            lines.append(line)
        varies = [line for line in lines if line.lower().startswith(b"vary:")]
        assert sorted(varies) == [b"Vary: Accept\r\n", b"Vary: Accept-Encoding\r\n"]
        assert b"Content-Encoding: gzip\r\n" in lines


@pytest.mark.parametrize(
    ("target", "accept", "status"),
    [
        ("/a.txt", "text/html", 200),
        ("/missing.js", "text/html", 404),
        ("/api/users", "application/json", 404),
        ("/.git/config", "text/html", 404),
        ("/prog.py", "text/html", 404),
    ],
)
def test_no_other_path_does(root: Path, start: Start, target: str, accept: str, status: int) -> None:
    answer = ask(start(root=root, spa="app.html"), target, f"Accept: {accept}")
    assert answer.status == status
    assert answer.content != PAGE


def test_who_does_not_get_the_page_hears_that_others_do(root: Path, start: Start) -> None:
    answer = ask(start(root=root, spa="app.html"), "/users/7", "Accept: application/json")
    assert (answer.status, answer.fields["vary"]) == (404, "Accept")


def test_other_methods_find_nothing(root: Path, start: Start) -> None:
    assert ask(start(root=root, spa="app.html"), "/users/7", method="POST").status == 404


def test_head_and_a_cached_page(root: Path, start: Start) -> None:
    running = start(root=root, spa="/app.html")
    head = ask(running, "/users/7", method="HEAD")
    assert (head.status, head.fields["content-length"], head.content) == (200, str(len(PAGE)), b"")
    assert ask(running, "/users/8", f"If-None-Match: {head.fields['etag']}").status == 304


def test_an_edit_of_the_page_shows_at_once(root: Path, start: Start) -> None:
    running = start(root=root, spa="app.html")
    assert ask(running, "/x").content == PAGE
    (root / "app.html").write_bytes(b"edited")
    assert ask(running, "/x").content == b"edited"
    (root / "app.html").unlink()
    assert ask(running, "/x").status == 404


# -- an application is asked first


class Pages:
    """An application that knows /known, counts what it is asked, and says no in the way that it was given."""

    def __init__(self, unknown: Callable[[StartResponse], Any]) -> None:
        self.unknown = unknown
        self.asked: list[str] = []
        self.closed = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        self.asked.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/known":
            start_response("200 OK", [("Content-Length", "5")])
            return [b"known"]
        return self.unknown(start_response)


NOT_FOUND = "404 Not Found"


def one_piece(start_response: StartResponse) -> Any:
    start_response(NOT_FOUND, [("Content-Length", "2"), ("Set-Cookie", "a=b")])
    return [b"no"]


def several_pieces(start_response: StartResponse) -> Any:
    start_response(NOT_FOUND, [])
    return [b"n", b"o"]


def generated(start_response: StartResponse) -> Iterator[bytes]:
    start_response(NOT_FOUND, [])
    yield b"n"
    yield b"o"


def written(start_response: StartResponse) -> Any:
    write = start_response(NOT_FOUND, [])
    write(b"n")
    write(b"o")
    return []


def nothing(start_response: StartResponse) -> Iterator[bytes]:
    start_response(NOT_FOUND, [])
    yield from ()


WAYS = [one_piece, several_pieces, generated, written, nothing]


@pytest.mark.parametrize("unknown", WAYS)
def test_what_the_application_does_not_know_is_the_pages(root: Path, start: Start, unknown: Callable[..., Any]) -> None:
    pages = Pages(unknown)
    running = start(pages, root=root, spa="app.html")
    answer = ask(running, "/users/7", "Accept: text/html")
    assert (answer.status, answer.content) == (200, PAGE)
    assert "set-cookie" not in answer.fields
    assert pages.asked == ["/users/7"]


@pytest.mark.parametrize("unknown", WAYS)
def test_a_connection_goes_on_after_it(root: Path, start: Start, unknown: Callable[..., Any]) -> None:
    with Client(start(Pages(unknown), root=root, spa="app.html")) as client:
        for target, content in (("/x", PAGE), ("/known", b"known"), ("/y", PAGE)):
            client.send(request(target))
            assert client.head().status == 200
            assert client.stream.read(len(content)) == content


def test_what_it_knows_stays_its_own(root: Path, start: Start) -> None:
    answer = ask(start(Pages(one_piece), root=root, spa="app.html"), "/known")
    assert (answer.status, answer.content) == (200, b"known")


@pytest.mark.parametrize(
    ("target", "accept", "method"),
    [("/x.js", "text/html", "GET"), ("/api", "application/json", "GET"), ("/x", "text/html", "POST")],
)
def test_its_404_stays_its_own_where_no_page_was_asked_for(
    root: Path, start: Start, target: str, accept: str, method: str
) -> None:
    answer = ask(start(Pages(one_piece), root=root, spa="app.html"), target, f"Accept: {accept}", method=method)
    assert (answer.status, answer.content, answer.fields["set-cookie"]) == (404, b"no", "a=b")


def test_its_404_stays_its_own_where_the_page_is_gone(root: Path, start: Start) -> None:
    running = start(Pages(one_piece), root=root, spa="app.html")
    (root / "app.html").unlink()
    assert ask(running, "/x").content == b"no"


def test_a_file_is_sent_before_it_is_asked(root: Path, start: Start) -> None:
    pages = Pages(one_piece)
    assert ask(start(pages, root=root, spa="app.html"), "/a.txt").content == b"file"
    assert pages.asked == []


def test_head_gets_the_head_of_the_page(root: Path, start: Start) -> None:
    answer = ask(start(Pages(one_piece), root=root, spa="app.html"), "/x", method="HEAD")
    assert (answer.status, answer.fields["content-length"], answer.content) == (200, str(len(PAGE)), b"")


def test_an_old_client_gets_the_page(root: Path, start: Start) -> None:
    answer = ask(start(Pages(generated), root=root, spa="app.html"), "/x", version="1.0")
    assert (answer.status, answer.content) == (200, PAGE)


def test_the_404_is_closed_all_the_same(root: Path, start: Start) -> None:
    closed: list[bool] = []

    class Closing:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"no"])

        def close(self) -> None:
            closed.append(True)

    def unknown(start_response: StartResponse) -> Closing:
        start_response(NOT_FOUND, [])
        return Closing()

    assert ask(start(Pages(unknown), root=root, spa="app.html"), "/x").content == PAGE
    assert closed == [True]


def test_an_application_that_fails_after_its_404_is_a_500(root: Path, start: Start) -> None:
    def unknown(start_response: StartResponse) -> Any:
        start_response(NOT_FOUND, [])(b"no")
        raise ValueError("broken")

    assert ask(start(Pages(unknown), root=root, spa="app.html"), "/x").status == 500


def test_an_application_may_take_its_404_back(root: Path, start: Start) -> None:
    def unknown(start_response: StartResponse) -> Any:
        start_response(NOT_FOUND, [])
        try:
            raise ValueError("found it after all")
        except ValueError as error:
            start_response("200 OK", [], (ValueError, error, error.__traceback__))
        return [b"found"]

    answer = ask(start(Pages(unknown), root=root, spa="app.html"), "/x")
    assert (answer.status, answer.content) == (200, b"found")


def test_another_application_is_asked_from_then_on(root: Path, start: Start) -> None:
    first, second = Pages(one_piece), Pages(generated)
    running = start(first, root=root, spa="app.html")
    running.server.set_app(second)
    assert ask(running, "/x").content == PAGE
    assert (first.asked, second.asked) == ([], ["/x"])
    assert running.server.get_app() is second


def test_the_page_is_what_it_is_when_the_application_has_answered(root: Path, start: Start) -> None:
    def unknown(start_response: StartResponse) -> Any:
        (root / "app.html").write_bytes(b"edited by the application")
        return one_piece(start_response)

    running = start(Pages(unknown), root=root, spa="app.html")
    assert ask(running, "/x").content == b"edited by the application"


def test_a_404_that_is_known_at_once_is_not_read(root: Path, start: Start) -> None:
    read: list[bytes] = []

    def unknown(start_response: StartResponse) -> Iterator[bytes]:
        start_response(NOT_FOUND, [])

        def pieces() -> Iterator[bytes]:
            read.append(b"no")
            yield b"no"

        return pieces()

    assert ask(start(Pages(unknown), root=root, spa="app.html"), "/x").content == PAGE
    assert read == []


class Wire:
    """What a response has written."""

    broken = False

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    send = write


class Reply:
    """As far as a response asks."""

    status = length = 0
    keep_alive = True
    stamp = b""

    def __init__(self) -> None:
        self.wfile = Wire()


@pytest.mark.parametrize("unknown", WAYS)
def test_nothing_of_the_404_is_written_not_even_nothing(unknown: Callable[..., Any]) -> None:
    reply: Any = Reply()
    response = FallbackResponse(Head("GET", "/x", FieldSection({})), reply, response_memory())
    result = unknown(response.start_response)
    if isinstance(result, list) and len(result) == 1:
        response.send_whole(result[0])
    else:
        response.send_all(result)
    assert (reply.wfile.written, reply.status, response.head_sent) == ([], 0, False)
