"""What `--reload` puts behind pages of an application, and what it leaves as it is."""

from __future__ import annotations

from typing import Any

import pytest

from tpserver.wsgi.page_end import PageEnd

END = b"<script></script>"


def ask(application: Any, **environ: str) -> tuple[str, dict[str, str], list[bytes]]:
    got: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        got[:] = [status, dict(headers)]

    result = PageEnd(application, END)(environ, start_response)
    pieces = list(result)
    if hasattr(result, "close"):
        result.close()
    return got[0], got[1], pieces


def page(*headers: tuple[str, str], status: str = "200 OK", kind: str = "text/html; charset=utf-8") -> Any:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [("Content-Type", kind), *headers])
        return [b"page"]

    return app


@pytest.mark.parametrize("kind", ["text/html", "Text/HTML; charset=utf-8"])
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Internal Server Error"])
def test_a_page_is_longer_and_says_so(kind: str, status: str) -> None:
    _, headers, pieces = ask(page(("content-length", "4"), status=status, kind=kind))
    assert (headers["content-length"], pieces) == (str(4 + len(END)), [b"page" + END])


def test_a_page_without_a_length_has_none_afterwards() -> None:
    _, headers, pieces = ask(page())
    assert ("Content-Length" in headers, pieces) == (False, [b"page" + END])


@pytest.mark.parametrize(
    "app",
    [
        page(kind="text/plain"),
        page(kind="application/xhtml+xml"),
        page(("Content-Encoding", "gzip")),
        page(("content-security-policy", "default-src 'self'")),
        page(("Content-Range", "bytes 0-3/4"), status="206 Partial Content"),
        page(("Repr-Digest", "sha-256=:AA==:")),
        page(status="304 Not Modified"),
    ],
    ids=["text", "xhtml", "coded", "policy", "range", "digest", "304"],
)
def test_anything_else_is_left_as_it_is(app: Any) -> None:
    assert ask(app)[2] == [b"page"]


@pytest.mark.parametrize(("dest", "added"), [("document", True), ("iframe", True), ("empty", False), ("style", False)])
def test_a_part_that_a_script_fetches_is_left_as_it_is(dest: str, added: bool) -> None:
    assert (END in b"".join(ask(page(), HTTP_SEC_FETCH_DEST=dest)[2])) is added


def test_a_generator_that_starts_late_is_closed() -> None:
    closed = []

    def app(environ: Any, start_response: Any) -> Any:
        try:
            start_response("200 OK", [("Content-Type", "text/html")])
            yield b"one"
            yield b"two"
        finally:
            closed.append(True)

    assert ask(app)[2] == [b"one", b"two", END]
    assert closed == [True]


def test_the_answer_after_an_error_decides() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        start_response("500 Oh", [("Content-Type", "text/plain")], (None, None, None))
        return [b"page"]

    assert ask(app)[2] == [b"page"]


def test_what_is_no_page_is_the_very_object_of_the_application() -> None:
    file = object()

    def app(environ: Any, start_response: Any) -> object:
        start_response("200 OK", [("Content-Type", "image/png")])
        return file

    assert PageEnd(app, END)({}, lambda *_: lambda _: None) is file  # type: ignore[comparison-overlap,arg-type]
