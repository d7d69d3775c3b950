"""--spa: a route may have a dot, as /user/john.doe; a missing picture or script is still missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import ask
from tests.running import Start

PAGE = b"<div id=app></div>"
BROWSER = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PICTURE = "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.mark.parametrize(
    ("target", "fields", "status"),
    [
        ("/user/john.doe", [BROWSER, "Sec-Fetch-Dest: document"], 200),
        ("/user/john.doe", [BROWSER, "Sec-Fetch-Dest: iframe"], 200),
        ("/user/john.doe", [BROWSER], 200),
        ("/user/john.doe", ["Accept: text/html"], 200),
        ("/@scope/pkg@1.2.3", [BROWSER], 200),
        ("/mail/me@host.com", [BROWSER], 200),
        ("/docs/readme.md", [BROWSER, "Sec-Fetch-Dest: document"], 200),
        ("/user/john.doe", [], 404),
        ("/user/john.doe", ["Accept: */*"], 404),
        ("/user/john.doe", ["Accept: application/json, text/html;q=0.5"], 404),
        ("/user/john.doe", ["Accept: text/html;q=0"], 404),
        ("/user/john.doe", [BROWSER, "Sec-Fetch-Dest: empty"], 404),
        ("/user/john.doe", ["Accept: application/json", "Sec-Fetch-Dest: document"], 404),
        ("/missing.png", [PICTURE, "Sec-Fetch-Dest: image"], 404),
        ("/missing.png", [PICTURE], 404),
        ("/missing.png", [BROWSER], 404),
        ("/missing.js", ["Accept: */*", "Sec-Fetch-Dest: script"], 404),
        ("/missing.css", ["Accept: text/css,*/*;q=0.1"], 404),
        ("/main.py", [BROWSER, "Sec-Fetch-Dest: document"], 404),
        ("/.env", [BROWSER, "Sec-Fetch-Dest: document"], 404),
        ("/a/.git/config.x", [BROWSER, "Sec-Fetch-Dest: document"], 404),
        ("/.well-known/a.b", [BROWSER, "Sec-Fetch-Dest: document"], 404),
    ],
)
def test_which_paths_with_a_dot_get_the_page(
    start: Start, tmp_path: Path, target: str, fields: list[str], status: int
) -> None:
    (tmp_path / "index.html").write_bytes(PAGE)
    answer = ask(start(root=tmp_path, spa="index.html"), target, *fields)
    assert (answer.status, answer.content == PAGE) == (status, status == 200)
