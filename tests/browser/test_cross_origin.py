"""What a script of another origin reads in a real browser: files, parts, errors, redirects and listings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.running import Start

pytestmark = pytest.mark.browser

# Fetches with a field that takes a preflight: what the script learns of the answer.
FETCH = """
const [address, more, done] = arguments;
fetch(address, {headers: {"X-Requested-With": "x", ...more}}).then(
  async answer => done([answer.status, answer.headers.get("Content-Length"), answer.headers.get("Content-Range"),
    answer.redirected, await answer.text()]),
  error => done(error.message));
"""


@pytest.fixture
def root(folder: Path) -> Path:
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"0123456789")
    (folder / "c.txt").write_bytes(b"0123456789")  # of which the browser has no part
    (folder / "inner" / "b.txt").write_bytes(b"b")
    return folder


def fetch(browser: Any, address: str, **more: str) -> Any:
    return browser.execute_async_script(FETCH, address, more)


@pytest.mark.parametrize("named", [False, True])
def test_a_script_of_another_origin_reads_every_answer(browser: Any, root: Path, start: Start, named: bool) -> None:
    page = start(root=root)
    url = start(root=root, listing=True, cors=[page.url.rstrip("/") if named else "*"]).url.rstrip("/")
    browser.get(page.url + "/a.txt")
    assert fetch(browser, url + "/a.txt") == [200, "10", None, False, "0123456789"]
    assert fetch(browser, url + "/a.txt", Range="bytes=2-3") == [206, "2", "bytes 2-3/10", False, "23"]
    status, _, content_range, _, text = fetch(browser, url + "/c.txt", Range="bytes=10-")
    assert (status, content_range) == (416, "bytes */10")
    assert "The file has 10 bytes" in text
    status, *_, text = fetch(browser, url + "/none.txt")
    assert (status, "There is nothing at this address." in text) == (404, True)
    status, _, _, redirected, text = fetch(browser, url + "/inner", Accept="application/json")
    assert (status, redirected) == (200, True)
    assert '"b.txt"' in text


def test_a_script_of_an_origin_that_is_not_named_reads_nothing(browser: Any, root: Path, start: Start) -> None:
    page = start(root=root)
    url = start(root=root, cors=["https://app.example"]).url.rstrip("/")
    browser.get(page.url + "/a.txt")
    assert fetch(browser, url + "/a.txt") == "Failed to fetch"
