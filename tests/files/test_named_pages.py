"""The pages that a site names by options, and which requests ask for a page of an application in the browser."""

from __future__ import annotations

import pytest

from tpserver.files.named_pages import ErrorPage, is_page, page_path, parse_error_page, parse_index
from tpserver.http.head import Head
from tpserver.http.section import FieldSection

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("404.html", "/404.html"),
        ("/404.html", "/404.html"),
        ("errors/not found.html", "/errors/not found.html"),
        ("gr\u00fc\u00df.html", "/gr\u00c3\u00bc\u00c3\u0178.html".replace("\u0178", "\x9f")),
        ("\udcff.html", "/\xff.html"),
    ],
)
def test_a_file_below_the_root(text: str, path: str) -> None:
    assert page_path(text) == path


@pytest.mark.parametrize(
    "text", ["", "/", "errors/", "../404.html", ".hidden.html", "a/.git/b", "page.py", "a\\b", "a\0b"]
)
def test_what_is_never_sent_is_no_page(text: str) -> None:
    with pytest.raises(ValueError, match="is not a file below the root that may be sent"):
        page_path(text)


def test_an_error_page_is_a_status_and_a_file() -> None:
    assert parse_error_page("404=errors/404.html") == ErrorPage(404, "/errors/404.html")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("404.html", "is not STATUS=FILE"),
        ("4x4=a.html", "is not STATUS=FILE"),
        ("\u0664\u0660\u0664=a.html", "is not STATUS=FILE"),
        ("200=a.html", "200 cannot have a page"),
        ("503=a.html", "these can: 404, 405, 406, 412, 416, 500, 501"),
        ("404=", "is not a file below the root"),
        ("404=../a.html", "is not a file below the root"),
    ],
)
def test_what_is_no_error_page(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_error_page(text)


def test_an_index_is_a_name() -> None:
    assert parse_index("index.htm") == "index.htm"
    assert parse_index("gr\u00fc\u00df.html") == "gr\u00fc\u00df.html"


@pytest.mark.parametrize("text", ["", "/index.html", "a/b.html", "index.py", ".index", ".."])
def test_what_is_no_index(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a (file name|file below the root)"):
        parse_index(text)


@pytest.mark.parametrize(
    ("method", "target", "accept", "expected"),
    [
        ("GET", "/users/7", BROWSER, True),
        ("HEAD", "/users/7", BROWSER, True),
        ("GET", "/users/7/", BROWSER, True),
        ("GET", "/", BROWSER, True),
        ("GET", "/users/7?x=a.b", BROWSER, True),
        ("GET", "/v1.2/users", BROWSER, True),
        ("GET", "/users/7", "*/*", True),
        ("GET", "/users/7", None, True),
        ("POST", "/users/7", BROWSER, False),
        ("GET", "/app.js", BROWSER, False),
        ("GET", "/john.doe", BROWSER, True),
        ("GET", "/api/users", "application/json", False),
        ("GET", "/api/users", "text/html;q=0, */*", False),
        ("GET", "/img/x", "image/*", False),
        ("GET", "/.git/config", BROWSER, False),
        ("GET", "/.well-known/change-password", BROWSER, False),
        ("GET", "/../x", BROWSER, False),
        ("GET", "/a%5cb", BROWSER, False),
    ],
)
def test_which_requests_ask_for_a_page(method: str, target: str, accept: str | None, expected: bool) -> None:
    fields = {} if accept is None else {"HTTP_ACCEPT": accept}
    assert is_page(Head(method, target, FieldSection(fields))) is expected
