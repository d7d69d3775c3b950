"""The charset of text files: claimed where it is true, so that a page in another one decides for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import ask
from tests.running import Start
from tpserver.files.folder import SMALL

PAGE = '<!doctype html><meta charset="gbk"><title>\u4e2d\u6587</title>'


@pytest.mark.parametrize("padding", [0, 2 * SMALL], ids=["small", "large"])
def test_a_page_in_gbk_decides_by_its_own_meta(start: Start, tmp_path: Path, padding: int) -> None:
    (tmp_path / "gbk.html").write_bytes(PAGE.encode("gbk") + b" " * padding)
    (tmp_path / "utf8.html").write_bytes(PAGE.replace("gbk", "utf-8").encode() + b" " * padding)
    running = start(root=str(tmp_path))
    assert ask(running, "/gbk.html").fields["content-type"] == "text/html"
    assert ask(running, "/utf8.html").fields["content-type"] == "text/html; charset=utf-8"


def test_a_file_that_is_written_anew_in_another_charset_is_looked_at_again(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\u00e4".encode())
    running = start(root=str(tmp_path))
    assert ask(running, "/a.txt").fields["content-type"] == "text/plain; charset=utf-8"
    (tmp_path / "a.txt").write_bytes("\u00e4!".encode("latin-1"))
    assert ask(running, "/a.txt").fields["content-type"] == "text/plain"


@pytest.mark.parametrize(("charset", "shown"), [("none", "text/html"), ("Shift_JIS", "text/html; charset=Shift_JIS")])
def test_the_charset_can_be_fixed(start: Start, tmp_path: Path, charset: str, shown: str) -> None:
    (tmp_path / "a.html").write_bytes(b"page")
    running = start(root=str(tmp_path), charset=charset, mime=["txt=text/plain; charset=koi8-r"])
    (tmp_path / "a.txt").write_bytes(b"text")
    assert ask(running, "/a.html").fields["content-type"] == shown
    assert ask(running, "/a.txt").fields["content-type"] == "text/plain; charset=koi8-r"
