"""--error-page: files of the site's author for the server's own errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.apps import plain_app
from tests.client import Client, ask, request
from tests.running import Start
from tpserver.errors import UsageError

PAGE = b"<h1>Lost?</h1>"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "404.html").write_bytes(PAGE)
    (tmp_path / "a.txt").write_bytes(b"0123456789")
    (tmp_path / "errors").mkdir()
    (tmp_path / "errors" / "any.svg").write_bytes(b"<svg/>")
    return tmp_path


def test_a_missing_file_gets_the_page(root: Path, start: Start) -> None:
    answer = ask(start(root=root, error_page=["404=404.html"]), "/nothing", "Accept: text/html")
    assert (answer.status, answer.content) == (404, PAGE)
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert answer.fields["content-length"] == str(len(PAGE))
    assert {"date", "server"} <= answer.fields.keys()
    assert not {"etag", "last-modified", "cache-control", "accept-ranges"} & answer.fields.keys()


def test_preconditions_and_ranges_are_about_the_missing_file_and_not_the_page(root: Path, start: Start) -> None:
    running = start(root=root, error_page=["404=404.html"])
    for line in ("Range: bytes=0-1", "If-None-Match: *", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"):
        answer = ask(running, "/nothing", line)
        assert (answer.status, answer.content) == (404, PAGE)


def test_head_gets_its_length_alone(root: Path, start: Start) -> None:
    answer = ask(start(root=root, error_page=["404=404.html"]), "/nothing", method="HEAD")
    assert (answer.status, answer.fields["content-length"], answer.content) == (404, str(len(PAGE)), b"")


def test_a_program_gets_the_short_page(root: Path, start: Start) -> None:
    answer = ask(start(root=root, error_page=["404=404.html"]), "/nothing", "Accept: application/json")
    assert (answer.status, answer.fields["content-type"]) == (404, "text/plain; charset=utf-8")
    assert PAGE not in answer.content


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_caches_are_told_that_accept_decides(root: Path, start: Start, accept: str) -> None:
    answer = ask(start(root=root, error_page=["404=404.html"]), "/nothing", f"Accept: {accept}")
    assert (answer.status, answer.fields["vary"]) == (404, "Accept")


def test_the_connection_goes_on(root: Path, start: Start) -> None:
    with Client(start(root=root, error_page=["404=404.html"])) as client:
        for _ in range(2):
            client.send(request("/nothing"))
            assert client.head().status == 404
            assert client.stream.read(len(PAGE)) == PAGE


def test_each_status_has_its_own_page_and_keeps_its_fields(root: Path, start: Start) -> None:
    running = start(root=root, error_page=["405=errors/any.svg", "416=errors/any.svg"])
    denied = ask(running, "/a.txt", method="POST")
    assert (denied.status, denied.content) == (405, b"<svg/>")
    assert denied.fields["content-type"] == "image/svg+xml"
    assert denied.fields["allow"] == "GET, HEAD, OPTIONS"
    beyond = ask(running, "/a.txt", "Range: bytes=99-")
    assert (beyond.status, beyond.content, beyond.fields["content-range"]) == (416, b"<svg/>", "bytes */10")
    assert ask(running, "/nothing").fields["content-type"].startswith("text/html")


def test_an_edit_shows_at_once_and_a_lost_page_gives_way_to_the_short_one(root: Path, start: Start) -> None:
    running = start(root=root, error_page=["404=404.html"])
    assert ask(running, "/nothing").content == PAGE
    (root / "404.html").write_bytes(b"edited")
    assert ask(running, "/nothing").content == b"edited"
    (root / "404.html").unlink()
    answer = ask(running, "/nothing")
    assert answer.status == 404
    assert b"There is nothing at this address." in answer.content


def test_asked_for_by_its_own_address_it_is_a_file_like_any_other(root: Path, start: Start) -> None:
    assert ask(start(root=root, error_page=["404=404.html"]), "/404.html").status == 200


def test_a_large_page_is_sent_whole(root: Path, start: Start) -> None:
    (root / "404.html").write_bytes(b"x" * 200_000)
    running = start(root=root, error_page=["404=404.html"])
    assert ask(running, "/nothing").content == b"x" * 200_000
    assert ask(running, "/nothing", method="HEAD").fields["content-length"] == "200000"


def test_fields_of_the_page_come_along_but_not_how_long_to_keep_it(root: Path, start: Start) -> None:
    running = start(
        root=root, error_page=["404=404.html"], header=["*=X-Frame-Options:DENY"], cache_control=["*=max-age=60"]
    )
    answer = ask(running, "/nothing")
    assert answer.fields["x-frame-options"] == "DENY"
    assert "cache-control" not in answer.fields


def test_what_an_application_answers_stays_its_own(root: Path, start: Start) -> None:
    def lost(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"the application's own"]

    answer = ask(start(lost, root=root, error_page=["404=404.html"]), "/nothing")
    assert (answer.status, answer.content) == (404, b"the application's own")


def test_an_application_that_fails_is_the_servers_error(root: Path, start: Start) -> None:
    def failing(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise ValueError("broken")

    answer = ask(start(failing, root=root, error_page=["500=errors/any.svg"]), "/nothing")
    assert (answer.status, answer.content) == (500, b"<svg/>")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"error_page": ["404=none.html"]}, "^--error-page 404=none.html: there is no such file below "),
        ({"error_page": ["404=errors"]}, "there is no such file below"),
        ({"spa": "none.html"}, "^--spa none.html: there is no such file below "),
        ({"spa": "../x.html"}, "^--spa: .* is not a file below the root"),
    ],
)
def test_a_page_that_is_not_there_is_found_at_start(
    root: Path, start: Start, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        start(root=root, **options)


def test_without_a_folder_there_is_no_page(start: Start) -> None:
    with pytest.raises(UsageError, match=r"^--error-page 404=404\.html: there is no folder that it could be in"):
        start(plain_app, error_page=["404=404.html"])


def test_a_page_that_is_written_anew_meanwhile_never_comes_as_a_whole(root: Path, start: Start) -> None:
    page, size = root / "404.html", 16 * 1024 * 1024
    page.write_bytes(b"o" * size)
    with Client(start(root=root, error_page=["404=404.html"])) as client:
        client.send(request("/nothing"))
        assert client.head().fields["content-length"] == str(size)
        with page.open("r+b") as rewritten:
            rewritten.write(b"n" * size)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while data := client.stream.read(65536):
                received += len(data)
        assert received < size
