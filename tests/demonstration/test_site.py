"""html/ and wsgiPy/ together, as the README's first command serves them."""

from __future__ import annotations

import hashlib
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin

import pytest
import requests


@pytest.fixture(scope="module")
def site(start):
    return start("-m", "tpserver", "--port", "0", "--root", "html", "--app", "wsgiPy.demo:app")


@pytest.fixture
def browser():
    with requests.Session() as session:
        yield session


class Links(HTMLParser):
    """The addresses that a page refers to."""

    def __init__(self, page: requests.Response) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._base = page.url
        self.feed(page.text)

    def handle_starttag(self, tag, attrs):
        self.found |= {urldefrag(urljoin(self._base, value))[0] for name, value in attrs if name in {"href", "src"}}


def test_no_link_of_the_site_is_broken_but_the_one_that_is_meant_to(site, browser):
    waiting, seen, broken = [f"{site}/"], set(), []
    while waiting:
        url = waiting.pop()
        seen.add(url)
        with browser.get(url, timeout=20, stream=True) as page:
            if not page.ok:
                broken.append(url.removeprefix(site))
            elif page.headers["Content-Type"].startswith("text/html"):
                waiting += [link for link in Links(page).found if link.startswith(site) and link not in seen]
    assert broken == ["/no/such/page"]


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html"),
        ("/style.css", "text/css"),
        ("/script.js", "text/javascript"),
        ("/lighthouse.svg", "image/svg+xml"),
        ("/icon.png", "image/png"),
        ("/sub/notes.txt", "text/plain"),
    ],
)
def test_each_kind_of_file_has_its_type(site, browser, path, content_type):
    assert browser.get(site + path, timeout=20).headers["Content-Type"].split(";")[0] == content_type


def test_a_folder_without_its_slash_sends_the_reader_to_it(site, browser):
    answer = browser.get(f"{site}/sub", timeout=20)
    assert answer.url == f"{site}/sub/"
    assert "A folder below" in answer.text


def test_what_no_file_matches_is_the_applications_404(site, browser):
    answer = browser.get(f"{site}/no/such/page", timeout=20)
    assert answer.status_code == 404
    assert "There is no page at this address." in answer.text


def test_a_form_arrives(site, browser):
    answer = browser.post(f"{site}/form", data={"name": "Ada <3"}, timeout=20)
    assert "<td>Ada &lt;3</td>" in answer.text


def test_an_upload_of_20_megabytes_arrives_whole(site, browser):
    content = bytes(range(250)) * 80_000
    answer = browser.post(f"{site}/upload", files={"file": ("large.bin", content)}, timeout=40)
    assert hashlib.sha256(content).hexdigest() in answer.text


def test_a_stream_arrives_line_by_line(site, browser):
    with browser.get(f"{site}/stream?lines=3&pause=1", timeout=20, stream=True) as answer:
        lines = list(answer.iter_lines(decode_unicode=True))
    assert lines == ["line 1 of 3", "line 2 of 3", "line 3 of 3"]


def test_the_beginning_of_a_stream_arrives_before_its_end(site, browser):
    # 100 pauses of a second: who waits for the end waits in vain.
    with browser.get(f"{site}/stream?lines=100&pause=1000", timeout=20, stream=True) as answer:
        assert next(answer.iter_lines(decode_unicode=True)) == "line 1 of 100"
