"""Flask, the real one, over the wire: what its users do works, as it is and with the judge of PEP 3333 in between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.client import PATIENCE
from tests.frameworks import flask_site
from tests.frameworks.browser import Browser, judged
from tests.logged import errors

MEGABYTES_20 = bytes(range(250)) * 80_000


@pytest.fixture
def site(tmp_path: Path) -> flask_site.Site:
    return flask_site.Site(tmp_path)


@pytest.fixture(params=["as it is", "validated"])
def browser(
    request: pytest.FixtureRequest, start: Callable[..., Any], site: flask_site.Site, log: pytest.LogCaptureFixture
) -> Iterator[Browser]:
    """Opens the site; at the end the server must have found nothing to complain of."""
    running = start(judged(site.app) if request.param == "validated" else site.app)
    with Browser(running.url) as session:
        yield session
    assert errors(log, "tpserver") == []


def test_a_page(browser: Browser) -> None:
    answer = browser.get("/")
    assert (answer.status_code, answer.text) == (200, "the front page")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Length"] == "14"


def test_a_route_with_parts_of_the_path(browser: Browser) -> None:
    assert browser.get("/item/7/a%20b/%C3%BC").json() == {"number": 7, "rest": "a b/ü"}
    assert browser.get("/item/seven/x").status_code == 404


def test_a_query(browser: Browser) -> None:
    answer = browser.get("/query?a=1&a=2&%C3%BC=%20+%2B&empty=").json()
    assert answer["all"] == {"a": ["1", "2"], "ü": ["  +"], "empty": [""]}
    assert answer["raw"] == "a=1&a=2&%C3%BC=%20+%2B&empty="


def test_json_both_ways(browser: Browser) -> None:
    sent = {"text": "Zoë 🐍", "list": [1, None, True], "nested": {"a": "b"}}
    answer = browser.post("/json", json=sent)
    assert answer.json() == {"received": sent}
    assert browser.post("/json", data=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def test_a_form(browser: Browser) -> None:
    data = {"name": "Zoë & co", "choice": ["a", "b"], "empty": ""}
    assert browser.post("/form", data=data).json() == {"name": ["Zoë & co"], "choice": ["a", "b"], "empty": [""]}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_method(browser: Browser, method: str) -> None:
    assert browser.request(method, "/method").text == method


def test_a_method_that_is_not_allowed(browser: Browser) -> None:
    answer = browser.delete("/json", data=b"x" * 100_000)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert browser.get("/").status_code == 200


def test_options_lists_the_methods(browser: Browser) -> None:
    answer = browser.options("/method")
    assert answer.status_code == 200
    assert {"GET", "HEAD", "POST", "OPTIONS"} <= set(answer.headers["Allow"].split(", "))


def test_head_has_the_fields_of_get(browser: Browser) -> None:
    answer = browser.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == "14"
    assert browser.get("/").text == "the front page"


def test_the_client_and_the_host_are_known(browser: Browser) -> None:
    host = browser.url.removeprefix("http://")
    assert browser.get("/client").json() == {"address": "127.0.0.1", "host": host, "secure": False}


def test_a_session_is_kept_by_its_own_browser(browser: Browser) -> None:
    assert [browser.get("/count").text for _ in range(3)] == ["1", "2", "3"]
    with Browser(browser.url) as other:
        assert other.get("/count").text == "1"
    assert browser.get("/count").text == "4"


def test_two_cookies_in_one_answer(browser: Browser) -> None:
    assert browser.get("/cookies").json() == {}
    assert dict(browser.cookies) == {"first": "1", "second": '"zwei\\073 drei"'}
    assert browser.get("/cookies").json() == {"first": "1", "second": "zwei; drei"}


def test_an_upload_of_20_megabytes(browser: Browser) -> None:
    answer = browser.post("/upload", files={"file": ("größe.bin", MEGABYTES_20, "a/b")}, data={"note": "n"}).json()
    assert answer == {
        "name": "größe.bin",
        "type": "a/b",
        "note": "n",
        "hash": hashlib.sha256(MEGABYTES_20).hexdigest(),
    }


def test_raw_content_with_its_length_and_in_chunks(browser: Browser) -> None:
    content = MEGABYTES_20[:1_000_000]
    expected = {"length": len(content), "hash": hashlib.sha256(content).hexdigest()}
    assert browser.put("/raw", data=content).json() == expected
    chunks = (content[at : at + 70_000] for at in range(0, len(content), 70_000))
    assert browser.put("/raw", data=chunks).json() == expected


def test_a_stream_arrives_piece_by_piece(browser: Browser, site: flask_site.Site) -> None:
    with browser.get("/stream", stream=True) as answer:
        pieces = answer.iter_content(None)
        assert next(pieces) == b"first "
        site.go_on.set()
        assert list(pieces) == [b"second"]


def test_head_of_a_stream_does_not_wait_for_it(browser: Browser) -> None:
    assert browser.head("/stream").status_code == 200


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_send_file(browser: Browser, tmp_path: Path, size: int) -> None:
    content = (MEGABYTES_20 * 2)[7 : size + 7]
    (tmp_path / "a.bin").write_bytes(content)
    for _ in range(2):
        answer = browser.get("/file/a.bin")
        assert answer.status_code == 200
        assert answer.headers["Content-Length"] == str(size)
        assert hashlib.sha256(answer.content).digest() == hashlib.sha256(content).digest()
    assert browser.head("/file/a.bin").headers["Content-Length"] == str(size)


def test_a_file_that_has_not_changed_is_not_sent_again(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    etag = browser.get("/file/a.txt?conditional=yes").headers["ETag"]
    answer = browser.get("/file/a.txt?conditional=yes", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert browser.get("/file/a.txt").text == "text"


def test_a_part_of_a_file(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"0123456789")
    answer = browser.get("/file/a.txt?conditional=yes", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")
    assert answer.headers["Content-Range"] == "bytes 2-4/10"


def test_a_redirect_leads_to_the_same_host(browser: Browser) -> None:
    answer = browser.get("/old")
    assert answer.history[0].status_code == 308
    assert answer.url == f"{browser.url}/item/5/a%20b/%C3%BC"
    assert answer.json() == {"number": 5, "rest": "a b/ü"}


def test_the_sites_own_page_for_404(browser: Browser) -> None:
    answer = browser.get("/no/such")
    assert (answer.status_code, answer.text) == (404, "nothing at /no/such")


def test_the_sites_own_page_for_500(browser: Browser) -> None:
    answer = browser.get("/fault")
    assert (answer.status_code, answer.json()) == (500, {"error": "LookupError('on purpose')"})
    assert browser.get("/").status_code == 200


def test_abort_with_another_status(browser: Browser) -> None:
    assert browser.get("/teapot").status_code == 418


def test_hooks_run_around_every_request(browser: Browser, site: flask_site.Site) -> None:
    assert browser.get("/").headers["X-After"] == "yes"
    assert site.torn_down.wait(PATIENCE)
    assert site.hooks == ["before", "after", "teardown"]


def test_a_hook_may_answer_instead(browser: Browser) -> None:
    answer = browser.get("/forbidden")
    assert (answer.status_code, answer.text, answer.headers["X-After"]) == (403, "not for you", "yes")


def test_two_requests_run_at_once(browser: Browser) -> None:
    def meet(_: int) -> str:
        with Browser(browser.url) as session:
            return session.get("/meet").text

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(meet, range(2))
    assert one != other


def test_a_single_page_application_in_front_of_an_api(
    start: Callable[..., Any], site: flask_site.Site, tmp_path: Path
) -> None:
    (tmp_path / "app.html").write_text("<div id=app></div>", "utf-8")
    with Browser(start(judged(site.app), root=tmp_path, spa="app.html").url) as browser:
        assert browser.get("/item/7/x").json() == {"number": 7, "rest": "x"}
        page = browser.get("/users/7", headers={"Accept": "text/html"})
        assert (page.status_code, page.text) == (200, "<div id=app></div>")
        unknown = browser.get("/users/7", headers={"Accept": "application/json"})
        assert (unknown.status_code, unknown.text) == (404, "nothing at /users/7")
        assert browser.get("/users/7.png").status_code == 404
