"""What users of granian complain about, by the number of the issue there where there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, request, several
from tests.gates import Gates
from tests.running import Start
from tests.waiting import turns

LONG = 8 * 1024 * 1024


def long_answers(kind: str) -> Callable[..., Any]:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Content-Length", str(LONG if environ["PATH_INFO"] == "/long" else 5))])
        if environ["PATH_INFO"] != "/long":
            return [b"quick"]
        if kind == "list":
            return [b"x" * LONG]
        return environ["wsgi.file_wrapper"](open(environ["HTTP_X_FILE"], "rb"))

    return app


@pytest.mark.parametrize("kind", ["list", "file"])
def test_873_long_answers_to_slow_readers_hold_no_thread(start: Start, tmp_path: Path, kind: str) -> None:
    """There health checks failed while large answers went out."""
    (tmp_path / "long").write_bytes(b"x" * LONG)
    running = start(long_answers(kind), threads=1)
    with several(running, 10) as slow, Client(running) as other:
        for client in slow:
            client.send(request("/long", f"X-File: {tmp_path / 'long'}"))
        for _ in range(10):
            assert other.ask("/").content == b"quick"
        for client in slow:
            assert client.response().content == b"x" * LONG


def test_434_there_is_a_file_wrapper(start: Start) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))

    with Client(start(app)) as client:
        assert client.ask("/").content == Path(__file__).read_bytes()


def test_write_sends_at_once(start: Start) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        write = start_response("200 OK", [])
        write(b"written, ")
        return [b"returned"]

    with Client(start(app)) as client:
        assert client.ask("/").content == b"written, returned"


def test_exc_info_replaces_the_answer_that_has_not_begun(start: Start) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("X-First", "yes")])
        try:
            raise LookupError
        except LookupError:
            start_response("404 Not Found", [], sys.exc_info())
        return [b"none"]

    with Client(start(app)) as client:
        response = client.ask("/")
    assert (response.status, response.content, response.fields.get("x-first")) == (404, b"none", None)


def test_what_is_no_file_reaches_the_application(start: Start, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "there.txt").write_text("a file")
    running = start(Gates(), root=str(tmp_path))
    with Client(running) as client:
        assert client.ask("/static/there.txt").content == b"a file"
        assert client.ask("/static/made.css").content == b"/static/made.css "
        assert client.ask("/static/there.txt", method="POST", content=b"!").content == b"/static/there.txt !"
    turns(running)
