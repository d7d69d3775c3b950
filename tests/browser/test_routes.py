"""A single-page application in a real browser: its routes may have a dot, what is missing is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client import PATIENCE
from tests.running import Start

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><title>app</title><h1>app</h1><script src="/static/none.js"></script>
<img src="/pictures/missing.png" onerror="this.alt = 'missing'" alt="">"""
MODULE = "import('/main.x.js').then(() => arguments[0]('loaded'), () => arguments[0]('failed'))"


@pytest.mark.parametrize("path", ["/user/john.doe", "/files/photo.png", "/mail/me@host.com", "/plain/route"])
def test_a_route_with_a_dot_opens_the_application(
    browser: Any, serve: Start, folder: Path, asked: Callable[[], list[tuple[str, int]]], path: str
) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    folder.mkdir()
    (folder / "index.html").write_text(PAGE, "utf-8")
    browser.get(serve(spa="index.html").url + path)
    assert browser.find_element("tag name", "h1").text == "app"
    assert browser.find_element("tag name", "img").get_attribute("alt") == "missing"
    assert browser.execute_async_script(MODULE) == "failed"
    wanted = {(path, 200), ("/static/none.js", 404), ("/pictures/missing.png", 404), ("/main.x.js", 404)}
    WebDriverWait(browser, PATIENCE, poll_frequency=0.02).until(lambda _: wanted <= set(asked()))
