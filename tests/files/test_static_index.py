"""--index and --try-html: which file answers for a folder, and for a path that no file has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps import plain_app
from tests.client import ask
from tests.running import Start


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("about.html", "both.html", "plain", "plain.html", "both/index.html", "only/index.html", "empty/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, "utf-8")
    return tmp_path


def test_of_several_index_names_the_first_that_is_there_answers(tmp_path: Path, start: Start) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.htm").write_bytes(b"htm")
    (tmp_path / "default.html").write_bytes(b"default")
    (tmp_path / "sub" / "default.html").write_bytes(b"sub default")
    running = start(root=tmp_path, index=["index.html", "index.htm", "default.html"])
    assert ask(running, "/").content == b"htm"
    assert ask(running, "/sub/").content == b"sub default"
    assert ask(running, "/sub").fields["location"] == "sub/"


def test_an_index_that_comes_before_is_seen_at_once_when_it_is_written(tmp_path: Path, start: Start) -> None:
    (tmp_path / "b.html").write_bytes(b"second")
    running = start(root=tmp_path, index=["a.html", "b.html"])
    assert ask(running, "/").content == b"second"
    (tmp_path / "a.html").write_bytes(b"first")
    assert ask(running, "/").content == b"first"
    (tmp_path / "a.html").unlink()
    assert ask(running, "/").content == b"second"


def test_other_names_than_those_given_are_no_index(tmp_path: Path, start: Start) -> None:
    (tmp_path / "index.html").write_bytes(b"home")
    running = start(root=tmp_path, index=["start.html"])
    assert ask(running, "/").status == 404
    assert ask(running, "/index.html").content == b"home"


@pytest.mark.parametrize(
    ("target", "content"),
    [
        ("/about", b"about.html"),
        ("/about.html", b"about.html"),
        ("/plain", b"plain"),
        ("/both", b"both.html"),
        ("/both/", b"both/index.html"),
        ("/only/", b"only/index.html"),
        ("/empty/x.txt", b"empty/x.txt"),
    ],
)
def test_a_page_is_found_without_its_extension(root: Path, start: Start, target: str, content: bytes) -> None:
    answer = ask(start(root=root, try_html=True), target)
    assert (answer.status, answer.content) == (200, content)


@pytest.mark.parametrize("target", ["/about/", "/nothing", "/empty", "/empty/", "/empty/x", "/.about", "/about%00"])
def test_no_other_path_becomes_a_page(root: Path, start: Start, target: str) -> None:
    assert ask(start(root=root, try_html=True), target).status in (400, 404)


def test_a_folder_without_a_page_beside_it_redirects_as_ever(root: Path, start: Start) -> None:
    answer = ask(start(root=root, try_html=True), "/only")
    assert (answer.status, answer.fields["location"]) == (301, "only/")


def test_a_page_has_the_media_type_of_its_file(root: Path, start: Start) -> None:
    assert ask(start(root=root, try_html=True), "/about").fields["content-type"] == "text/html; charset=utf-8"


def test_a_file_of_the_very_name_is_seen_at_once_when_it_is_written(root: Path, start: Start) -> None:
    running = start(root=root, try_html=True)
    assert ask(running, "/about").content == b"about.html"
    (root / "about").write_bytes(b"about")
    assert ask(running, "/about").content == b"about"


def test_without_the_option_the_extension_is_needed(root: Path, start: Start) -> None:
    running = start(plain_app, root=root)
    assert ask(running, "/about").content == b"GET /about "
    assert ask(start(plain_app, root=root, try_html=True), "/about").content == b"about.html"
