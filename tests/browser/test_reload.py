"""What `--reload` does for a page that is open in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import PATIENCE
from tests.console import Console, tpserver
from tests.reload.test_reload import write

pytestmark = pytest.mark.browser

APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b'<link rel="stylesheet" href="/static/style.css"><p>%s</p>']
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "static").mkdir()
    write(tmp_path / "static", "p { color: rgb(1, 1, 1) }", "style.css")
    write(tmp_path, APP % "one", "main.py")
    return tmp_path


@pytest.fixture
def served(site: Path, browser: Any) -> Iterator[Console]:
    """Serves the site, whose page is open, and marked: a page that is loaded again has no mark."""
    with tpserver("main:app", "--reload", "--mount", "/static=static", "--access-log", "none", cwd=site) as console:
        browser.get(console.url)
        until(browser, "document.querySelector('p').textContent == 'one'")
        until(browser, "tpserverReload == 1 && performance.getEntriesByType('resource').length >= 1")
        browser.execute_script("window.marked = true")
        yield console
        browser.get("about:blank")
        assert console.stop().status == 0


def until(browser: Any, condition: str) -> None:
    """Waits until an expression of JavaScript is true."""
    waiting = pytest.importorskip("selenium.webdriver.support.ui")

    def holds(browser: Any) -> bool:
        return bool(browser.execute_script(f"try {{ return {condition} }} catch (error) {{ return false }}"))

    errors = pytest.importorskip("selenium.common.exceptions")  # of a page that is just being left
    patient = waiting.WebDriverWait(browser, PATIENCE, 0.05, ignored_exceptions=[errors.WebDriverException])
    patient.until(holds, condition)


def test_a_page_shows_an_edit_by_itself(site: Path, served: Console, browser: Any) -> None:
    for text in ("two", "three"):
        write(site, APP % text, "main.py")
        until(browser, f"document.querySelector('p').textContent == '{text}'")


def test_a_style_sheet_changes_without_loading_the_page(site: Path, served: Console, browser: Any) -> None:
    for number in (2, 3):
        write(site / "static", f"p {{ color: rgb({number}, 0, 0) }}", "style.css")
        until(browser, f"getComputedStyle(document.querySelector('p')).color == 'rgb({number}, 0, 0)'")
        assert browser.execute_script("return window.marked") is True


def test_an_error_is_shown_until_it_is_mended(site: Path, served: Console, browser: Any) -> None:
    write(site, "import nowhere", "main.py")
    until(browser, "document.body.textContent.includes(\"No module named 'nowhere'\")")
    write(site, APP % "mended", "main.py")
    until(browser, "document.querySelector('p').textContent == 'mended'")
