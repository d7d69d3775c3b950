"""Django, the real one with its admin, over the wire, and its static files from the server's folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.frameworks import django_site
from tests.frameworks.browser import Browser, judged
from tests.logged import errors

MEGABYTES_20 = bytes(range(250)) * 80_000


@pytest.fixture(params=["as it is", "validated"])
def browser(
    request: pytest.FixtureRequest,
    start: Callable[..., Any],
    project: django_site.Project,
    log: pytest.LogCaptureFixture,
) -> Iterator[Browser]:
    """Opens the site; at the end the server must have found nothing to complain of."""
    running = start(judged(project.app) if request.param == "validated" else project.app, root=str(project.root))
    with Browser(running.url) as session:
        yield session
    assert errors(log, "tpserver") == []


def token(page: str) -> str:
    """The hidden field that protects a form; in a page of the admin the first form is that which logs out."""
    return str(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[-1])


def log_in(browser: Browser, password: str = django_site.PASSWORD) -> str:
    """Fills the admin's login form in; the page that follows."""
    page = browser.get("/admin/")
    assert page.url == f"{browser.url}/admin/login/?next=/admin/"
    form = {"csrfmiddlewaretoken": token(page.text), "username": django_site.USER, "password": password}
    return browser.post(page.url, data=form).text


def test_a_page(browser: Browser) -> None:
    answer = browser.get("/")
    assert (answer.status_code, answer.text) == (200, "the front page")
    assert answer.headers["Content-Length"] == "14"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_a_route_with_parts_of_the_path_and_a_query(browser: Browser) -> None:
    assert browser.get("/item/7/a%20b/%C3%BC?a=1&a=2&%C3%BC=+%2B").json() == {
        "number": 7,
        "rest": "a b/ü",
        "query": {"a": ["1", "2"], "ü": [" +"]},
    }


def test_head_has_the_fields_of_get(browser: Browser) -> None:
    answer = browser.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == "14"
    assert browser.get("/").text == "the front page"


def test_an_unknown_page(browser: Browser) -> None:
    assert browser.get("/no/such").status_code == 404


def test_a_method_that_is_not_allowed(browser: Browser) -> None:
    assert browser.put("/upload", data=b"x" * 100_000).status_code == 405
    assert browser.get("/").status_code == 200


def test_a_redirect_leads_to_the_same_host(browser: Browser) -> None:
    answer = browser.get("/old")
    assert answer.url == f"{browser.url}/item/5/a%20b/%C3%BC"
    assert answer.json()["rest"] == "a b/ü"


def test_a_form_with_its_token(browser: Browser) -> None:
    page = browser.get("/form").text
    answer = browser.post("/form", data={"csrfmiddlewaretoken": token(page), "name": "Zoë <3"})
    assert "Hello, Zoë &lt;3!" in answer.text


def test_a_form_without_its_token_is_refused(browser: Browser) -> None:
    browser.get("/form")
    answer = browser.post("/form", data={"name": "Zoë"})
    assert answer.status_code == 403
    assert "CSRF" in answer.text


def test_json_both_ways(browser: Browser) -> None:
    sent = {"text": "Zoë 🐍", "list": [1, None, True]}
    assert browser.post("/json", json=sent).json() == {"received": sent}


def test_an_upload_of_20_megabytes(browser: Browser) -> None:
    answer = browser.post("/upload", files={"file": ("größe.bin", MEGABYTES_20)}, data={"note": "n"}).json()
    assert answer == {
        "name": "größe.bin",
        "size": len(MEGABYTES_20),
        "note": "n",
        "hash": hashlib.sha256(MEGABYTES_20).hexdigest(),
    }


def test_raw_content_with_its_length_and_in_chunks(browser: Browser) -> None:
    content = MEGABYTES_20[:1_000_000]
    expected = {"length": str(len(content)), "hash": hashlib.sha256(content).hexdigest()}
    assert browser.put("/raw", data=content).json() == expected
    chunks = (content[at : at + 70_000] for at in range(0, len(content), 70_000))
    assert browser.put("/raw", data=chunks).json() == expected


def test_a_stream_arrives_piece_by_piece(browser: Browser) -> None:
    from tests.frameworks import django_pages  # once Django is set up

    django_pages.go_on.clear()
    with browser.get("/stream", stream=True) as answer:
        pieces = answer.iter_content(None)
        assert next(pieces) == b"first "
        django_pages.go_on.set()
        assert list(pieces) == [b"second"]


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_a_file_response(browser: Browser, project: django_site.Project, size: int) -> None:
    content = MEGABYTES_20[7 : size + 7]
    (project.folder / "a.bin").write_bytes(content)
    for _ in range(2):
        answer = browser.get("/file/a.bin")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a.bin"'
        assert answer.headers["Content-Length"] == str(size)
        assert hashlib.sha256(answer.content).digest() == hashlib.sha256(content).digest()
    assert browser.head("/file/a.bin").headers["Content-Length"] == str(size)


def test_a_file_response_from_memory(browser: Browser) -> None:
    answer = browser.get("/file")
    assert (answer.content, answer.headers["Content-Length"]) == (b"from memory", "11")


def test_a_session_is_kept_by_its_own_browser(browser: Browser) -> None:
    assert [browser.get("/count").text for _ in range(3)] == ["1", "2", "3"]
    with Browser(browser.url) as other:
        assert other.get("/count").text == "1"


def test_two_cookies_in_one_answer(browser: Browser) -> None:
    assert browser.get("/cookies").json() == {}
    assert browser.get("/cookies").json() == {"first": "1", "second": "2"}


def test_a_fault_is_djangos_own_500_page(browser: Browser) -> None:
    answer = browser.get("/fault")
    assert answer.status_code == 500
    assert "Server Error (500)" in answer.text
    assert browser.get("/").status_code == 200


def test_the_database_is_there_in_every_thread(browser: Browser) -> None:
    def ask(_: int) -> str:
        with Browser(browser.url) as session:
            return session.get("/database").text

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(20))) == {"42"}


def test_the_admins_login_page_finds_its_static_files(browser: Browser) -> None:
    page = browser.get("/admin/")
    links = {urljoin(page.url, link) for link in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)}
    kinds = {link: browser.get(link).headers["Content-Type"].split(";")[0] for link in links}
    assert {"text/css", "text/javascript"} <= set(kinds.values())
    assert [link for link, kind in kinds.items() if "html" in kind] == []
    answer = browser.get("/static/admin/img/icon-yes.svg")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert "X-Frame-Options" not in answer.headers  # not from Django


def test_the_right_password_opens_the_admin(browser: Browser) -> None:
    page = log_in(browser)
    assert "Site administration" in page
    assert "Log out" in page
    assert "Site administration" in browser.get("/admin/").text


def test_a_wrong_password_does_not(browser: Browser) -> None:
    assert "Please enter the correct" in log_in(browser, "guessed")
    assert "/admin/login/" in browser.get("/admin/").url


def test_what_is_added_in_the_admin_is_there(browser: Browser, request: pytest.FixtureRequest) -> None:
    log_in(browser)
    name = f"Group of {request.node.name}"
    page = browser.get("/admin/auth/group/add/")
    answer = browser.post(page.url, data={"csrfmiddlewaretoken": token(page.text), "name": name, "_save": "Save"})
    assert answer.url == f"{browser.url}/admin/auth/group/"
    assert "was added successfully" in answer.text
    assert name in browser.get("/admin/auth/group/").text


def test_logging_out_closes_the_admin(browser: Browser) -> None:
    page = log_in(browser)
    answer = browser.post("/admin/logout/", data={"csrfmiddlewaretoken": token(page)})
    assert "Logged out" in answer.text
    assert "/admin/login/" in browser.get("/admin/").url
