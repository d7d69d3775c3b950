"""Folders without an index, with --listing: what is shown, to whom, and what is not."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.apps import plain_app
from tests.client import CLOSE, ask
from tests.files.links import link
from tests.running import Start
from tpserver.files.folder import Folder
from tpserver.files.found import Listing, Redirect

JSON = "Accept: application/json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a folder and three files in it, and something outside."""
    inside = tmp_path / "root"
    (inside / "sub").mkdir(parents=True)
    (inside / "a.txt").write_bytes(b"1")
    (inside / "b.txt").write_bytes(b"333")
    (inside / "c.txt").write_bytes(b"22")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return inside


def names(running: Any, target: str = "/") -> list[str]:
    """What the JSON of a folder names, in its order."""
    answer = ask(running, target, JSON, CLOSE)
    assert answer.status == 200, answer.head
    assert answer.fields["content-type"] == "application/json"
    return [entry["name"] for entry in json.loads(answer.content)]


def test_without_the_option_no_folder_is_listed(start: Start, root: Path) -> None:
    assert ask(start(root=root), "/").status == 404


def test_a_folder_is_listed_as_a_page_with_its_fields(start: Start, root: Path) -> None:
    answer = ask(start(root=root, listing=True), "/", CLOSE)
    assert answer.status == 200
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert answer.fields["content-length"] == str(len(answer.content))
    assert answer.fields["vary"] == "Accept"
    assert answer.fields["cache-control"] == "no-cache"
    assert "default-src 'none'" in answer.fields["content-security-policy"]
    assert answer.fields["x-content-type-options"] == "nosniff"
    assert b'<a href="sub/">' in answer.content


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["sub", "a.txt", "b.txt", "c.txt"]),
        ("?order=desc", ["sub", "c.txt", "b.txt", "a.txt"]),
        ("?sort=size", ["sub", "a.txt", "c.txt", "b.txt"]),
        ("?sort=size&order=desc", ["sub", "b.txt", "c.txt", "a.txt"]),
    ],
)
def test_json_and_page_have_the_same_order(start: Start, root: Path, query: str, expected: list[str]) -> None:
    running = start(root=root, listing=True)
    assert names(running, "/" + query) == expected
    page = ask(running, "/" + query, CLOSE).content.decode()
    assert re.findall(r'</svg><a href="([^/"?]+)', page) == expected


def test_who_asks_for_text_gets_the_names(start: Start, root: Path) -> None:
    running = start(root=root, listing=True)
    answer = ask(running, "/?order=desc", "Accept: text/plain", CLOSE)
    assert (answer.status, answer.content) == (200, b"sub/\nc.txt\nb.txt\na.txt\n")
    assert answer.fields["content-type"] == "text/plain; charset=utf-8"
    assert answer.fields["vary"] == "Accept"
    assert ask(running, "/sub/", "Accept: text/plain", CLOSE).content == b""


@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
def test_a_filter_is_applied_without_a_script(start: Start, root: Path, accept: str) -> None:
    running = start(root=root, listing=True)
    content = ask(running, "/?q=B.T", f"Accept: {accept}", CLOSE).content
    assert b"b.txt" in content
    assert b"a.txt" not in content
    assert b"sub/" not in content


def test_the_title_has_the_host_that_was_asked(start: Start, root: Path) -> None:
    running = start(root=root, listing=True)
    assert "<title>Index of /sub/ – server.example</title>" in ask(running, "/sub/", CLOSE).content.decode()


def test_dates_sort_and_are_utc(start: Start, root: Path) -> None:
    for name, second in (("a.txt", 300), ("b.txt", 100), ("c.txt", 200)):
        os.utime(root / name, (second, second))
    running = start(root=root, listing=True)
    assert names(running, "/?sort=date")[1:] == ["b.txt", "c.txt", "a.txt"]
    (found,) = [one for one in json.loads(ask(running, "/", JSON, CLOSE).content) if one["name"] == "b.txt"]
    assert found["modified"] == "1970-01-01T00:01:40Z"
    assert found["size"] == 3


def test_every_link_of_a_listing_leads_to_what_it_names(start: Start, root: Path) -> None:
    texts = ["100%.txt", "a b", "a&b;c", "q#", "'quote'", "\u65e5\u672c\u8a9e", "e\u0301\u00e9", "+plus", "~tilde"]
    if sys.platform != "win32":
        texts += ["a:b", "q?x=1", '"double"', "<script>", "new\nline", "x" * 255]
    for number, name in enumerate(texts):
        (root / "sub" / name).write_bytes(b"content %d" % number)
    running = start(root=root, listing=True)
    content = ask(running, "/sub/", CLOSE).content.decode()
    found = {
        ask(running, "/sub/" + unescape(href), CLOSE).content for href in re.findall(r'<a href="([^."][^"]*)"', content)
    }
    assert found == {b"content %d" % number for number in range(len(texts))}


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
def test_a_name_that_is_no_utf_8_is_shown_and_leads_to_its_file(start: Start, root: Path) -> None:
    with open(os.fsencode(root) + b"/caf\xe9.txt", "wb") as file:
        file.write(b"latin-1")
    running = start(root=root, listing=True)
    (entry,) = [one for one in json.loads(ask(running, "/", JSON, CLOSE).content) if one["name"] == "caf\ufffd.txt"]
    assert ask(running, "/" + entry["url"], CLOSE).content == b"latin-1"
    assert '<a href="caf%E9.txt">' in ask(running, "/", CLOSE).content.decode()


def test_what_is_never_served_is_not_shown(start: Start, root: Path) -> None:
    for name in (".hidden", ".env", "page.py", "page.PY", "page.pyc", "page.pyw"):
        (root / name).touch()
    (root / ".git").mkdir()
    (root / ".well-known").mkdir()
    (root / "folder.py").mkdir()
    running = start(root=root, listing=True)
    assert names(running) == [".well-known", "folder.py", "sub", "a.txt", "b.txt", "c.txt"]
    assert names(running, "/folder.py/") == []


@pytest.mark.skipif(sys.platform == "win32", reason="a backslash is a separator there")
def test_a_name_with_a_backslash_is_not_shown(start: Start, root: Path) -> None:
    (root / "a\\b").touch()
    assert names(start(root=root, listing=True)) == ["sub", "a.txt", "b.txt", "c.txt"]


def test_links_are_shown_when_they_are_served(start: Start, root: Path) -> None:
    (root / "code.py").touch()
    link(root / "out.txt", "../secret.txt")
    link(root / "up", "..")
    link(root / "broken", "nothing")
    link(root / "code.txt", "code.py")
    link(root / "in.txt", "b.txt")
    link(root / "inside", "sub")
    running = start(root=root, listing=True)
    found = {entry["name"]: entry for entry in json.loads(ask(running, "/", JSON, CLOSE).content)}
    assert set(found) == {"sub", "inside", "a.txt", "b.txt", "c.txt", "in.txt"}
    assert found["inside"]["type"] == "directory"
    assert found["in.txt"]["size"] == 3
    for name in ("out.txt", "up/", "broken", "code.txt"):
        assert ask(running, f"/{name}", CLOSE).status == 404, name


@pytest.mark.skipif(not (hasattr(os, "mkfifo") and hasattr(socket, "AF_UNIX")), reason="there are none here")
def test_a_fifo_and_a_socket_are_not_shown(start: Start, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "fifo")
    monkeypatch.chdir(root)  # a socket's path has to be short
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("socket")
    assert names(start(root=root, listing=True)) == ["sub", "a.txt", "b.txt", "c.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions there")
def test_what_may_not_be_read_is_neither_shown_nor_served(
    start: Start, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "b.txt").chmod(0)
    (root / "sub").chmod(0)
    real = os.access
    # Who runs the tests may be allowed everything.
    denied = {os.path.realpath(root / "b.txt"), os.path.realpath(root / "sub")}
    monkeypatch.setattr(os, "access", lambda path, how: (path not in denied or how == os.F_OK) and real(path, how))
    running = start(root=root, listing=True)
    assert names(running) == ["a.txt", "c.txt"]
    assert ask(running, "/sub/", CLOSE).status == 404
    (root / "sub").chmod(0o700)


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions there")
def test_a_folder_that_may_be_entered_but_not_listed_is_shown_for_its_index(
    start: Start, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "sub").chmod(0o711)
    real, closed = os.access, os.path.realpath(root / "sub")
    monkeypatch.setattr(os, "access", lambda path, how: not (path == closed and how & os.R_OK) and real(path, how))
    running = start(root=root, listing=True)
    assert "sub" not in names(running)
    assert ask(running, "/sub/", CLOSE).status == 404
    (root / "sub" / "index.html").write_bytes(b"index")
    assert "sub" in names(running)
    assert ask(running, "/sub/", CLOSE).content == b"index"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["If-Match: *"], 200),
        (['If-Match: "x"'], 412),
        (["If-None-Match: *"], 304),
        (['If-None-Match: "x"'], 200),
        (["If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"], 200),
        (["Range: bytes=0-1"], 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_preconditions_of_a_listing_which_has_no_validators(
    start: Start, root: Path, method: str, lines: list[str], status: int
) -> None:
    answer = ask(start(root=root, listing=True), "/", CLOSE, *lines, method=method)
    assert answer.status == status
    assert answer.fields["vary"] == "Accept"
    assert bool(answer.content) == (method == "GET" and status != 304)


def test_a_folder_outside_of_the_root_is_not_listed(start: Start, root: Path) -> None:
    link(root / "up", "..")
    running = start(root=root, listing=True)
    for target in ("/up/", "/up", "/../", "/%2e%2e/", "/sub/../", "/..%2f"):
        answer = ask(running, target, CLOSE)
        assert answer.status == 404, target
        assert b"secret" not in answer.content


def test_an_index_is_served_instead(start: Start, root: Path) -> None:
    (root / "index.html").write_bytes(b"index")
    running = start(root=root, listing=True)
    assert ask(running, "/", CLOSE).content == b"index"
    assert ask(running, "/", JSON, CLOSE).content == b"index"
    (root / "index.html").unlink()
    assert b'<a href="sub/">' in ask(running, "/", CLOSE).content


@pytest.mark.parametrize("target", ["../secret.txt", "nothing"])
def test_an_index_that_cannot_be_served_hides_the_folder(start: Start, root: Path, target: str) -> None:
    link(root / "index.html", target)
    assert ask(start(root=root, listing=True), "/", CLOSE).status == 404


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/sub", "sub/"),
        ("/sub?sort=size", "sub/?sort=size"),
        ("//sub/", "/sub/"),
        ("/sub//", "/sub/"),
        ("//", "/"),
        ("//evil.example%3A", "/evil.example%3A/"),
    ],
)
def test_a_folder_has_one_address(start: Start, root: Path, target: str, location: str) -> None:
    if ":" in location or "%3A" in location:
        if sys.platform == "win32":
            pytest.skip("no such name there")
        (root / "evil.example:").mkdir()
    answer = ask(start(root=root, listing=True), target, CLOSE)
    assert (answer.status, answer.fields["location"]) == (301, location)


def test_head_is_answered_without_content(start: Start, root: Path) -> None:
    running = start(root=root, listing=True)
    asked = ask(running, "/", CLOSE)
    answer = ask(running, "/", CLOSE, method="HEAD")
    assert (answer.status, answer.content) == (200, b"")
    for name in ("content-type", "vary", "cache-control", "content-security-policy"):
        assert answer.fields[name] == asked.fields[name]
    assert ask(running, "/", JSON, CLOSE, method="HEAD").fields["content-type"] == "application/json"


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 204), ("POST", 405), ("DELETE", 405), ("BREW", 501)])
def test_other_methods_are_answered_as_for_files(start: Start, root: Path, method: str, status: int) -> None:
    answer = ask(start(root=root, listing=True), "/sub/", CLOSE, method=method)
    assert answer.status == status
    assert answer.fields.get("allow") == ("GET, HEAD, OPTIONS" if status < 500 else None)


def test_an_http_1_0_client_keeps_its_connection(start: Start, root: Path) -> None:
    answer = ask(start(root=root, listing=True), "/", "Connection: keep-alive", version="1.0")
    assert answer.fields["connection"] == "keep-alive"
    assert int(answer.fields["content-length"]) == len(answer.content)


def test_a_folder_that_is_there_comes_before_the_application(start: Start, root: Path) -> None:
    running = start(plain_app, root=root, listing=True)
    assert b'<a href="sub/">' in ask(running, "/", CLOSE).content
    assert ask(running, "/nothing/", CLOSE).content == b"GET /nothing/ "
    assert ask(running, "/sub/", CLOSE, method="POST").content == b"POST /sub/ "


def test_a_change_shows_at_once(start: Start, root: Path) -> None:
    running = start(root=root, listing=True)
    assert "new.txt" not in names(running)
    (root / "new.txt").touch()
    assert "new.txt" in names(running)
    (root / "new.txt").unlink()
    assert "new.txt" not in names(running)


def test_names_that_mean_something_else_on_windows_are_not_shown_there(tmp_path: Path) -> None:
    folder = Folder(tmp_path, listing=True, windows=True)
    (tmp_path / "sub").mkdir()
    assert folder.find("/sub/", 1) == Listing(("sub",), os.path.realpath(tmp_path / "sub"))
    assert folder.find("/sub", 1) == Redirect(("sub",))
    assert folder.find("/nul/", 1) is None
    assert folder.find("/", 1) == Listing((), os.path.realpath(tmp_path))
