"""--auth in a real browser: a page behind a password, and what its script and its styles fetch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_browser import wait_for
from tests.running import Start
from tpserver.http.basic_auth import hash_password

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><title>Protected</title><link rel="stylesheet" href="style.css">
<p id="told">nothing</p><script src="script.js"></script>"""
SCRIPT = """
Promise.all(["data.json", "/app/"].map(async path => (await fetch(path)).text())).then(
  texts => { told.textContent = texts.join(" "); });
"""
# As a page with a form of its own for the password asks.
FETCH = """
const [path, credentials, done] = arguments;
fetch(path, {credentials: "omit", headers: {Authorization: "Basic " + btoa(credentials)}}).then(
  async answer => done([answer.status, await answer.text()]), error => done(error.message));
"""


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ.get("REMOTE_USER", "-").encode("latin-1")]


@pytest.fixture
def url(folder: Path, tmp_path: Path, start: Start) -> str:
    admin = folder / "admin"
    admin.mkdir(parents=True)
    (admin / "page.html").write_text(PAGE)
    (admin / "script.js").write_text(SCRIPT)
    (admin / "style.css").write_text("p { color: rgb(1, 2, 3) }")
    (admin / "data.json").write_text("read by")
    (folder / "open.html").write_text("<!doctype html><title>Open</title>")
    users = tmp_path / "users"
    users.write_text(f"ann:{hash_password(b'right', b's' * 16)}\n")
    auth = [f"admin={users}", f"app={users}"]
    return start(app, root=folder, drain_timeout=1.0, auth=auth, access_log=str(tmp_path / "access.log")).url


def test_a_page_and_what_its_script_fetches_come_with_one_password(browser: Any, url: str) -> None:
    browser.get(url.replace("//", "//ann:right@") + "/admin/page.html")
    # Again, as behind the browser's own question: a script fetches nothing while a password is in the page's address.
    browser.get(url + "/admin/page.html")
    paragraph = browser.find_element("id", "told")
    wait_for(browser, lambda: paragraph.text == "read by ann", "the script does not get what it asks for")
    assert paragraph.value_of_css_property("color") == "rgba(1, 2, 3, 1)"


def test_a_wrong_password_opens_nothing(browser: Any, url: str, asked: Callable[[], list[tuple[str, int]]]) -> None:
    browser.get(url.replace("//", "//ann:wrong@") + "/admin/page.html")
    assert browser.title == ""
    # Without the password, and with it.
    wait_for(browser, lambda: asked() == [("/admin/page.html", 401)] * 2, "the log has something else")


def test_a_script_is_told_of_a_wrong_password(browser: Any, url: str) -> None:
    browser.get(url + "/open.html")
    status, text = browser.execute_async_script(FETCH, "/admin/data.json", "ann:wrong")
    assert status == 401
    assert "a user&#x27;s name and a password." in text
    assert browser.execute_async_script(FETCH, "/admin/data.json", "ann:right") == [200, "read by"]
