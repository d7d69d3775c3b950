"""Symbolic links: served where they lead to a file in the folder, and only there; the folder itself may be one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client import ask
from tests.files.links import link
from tests.running import Start
from tpserver.files.folder import Folder
from tpserver.files.opening import CAREFUL


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "html"
    for path in ("html/a.txt", "html/sub/index.html", "html/..data/b.txt", "outside/secret.txt", "html-two/secret.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path, "utf-8")
    (tmp_path / "outside" / "index.html").write_bytes(b"outside")
    return root


@pytest.mark.parametrize(
    ("name", "to", "target", "content"),
    [
        ("link.txt", "a.txt", "/link.txt", b"html/a.txt"),
        ("sub/link.txt", "../a.txt", "/sub/link.txt", b"html/a.txt"),
        ("other", "sub", "/other/", b"html/sub/index.html"),
        ("sub/up", "..", "/sub/up/a.txt", b"html/a.txt"),
        ("round", "../html", "/round/a.txt", b"html/a.txt"),
        ("b.txt", "..data/b.txt", "/b.txt", b"html/..data/b.txt"),  # as Kubernetes lays out what it mounts
    ],
)
def test_a_link_to_a_file_in_the_folder_is_that_file(
    start: Start, root: Path, name: str, to: str, target: str, content: bytes
) -> None:
    link(root / name, to)
    running = start(root=str(root))
    assert ask(running, target).content == content
    assert ask(running, target).content == content


def test_a_link_has_the_type_of_its_own_name(start: Start, root: Path) -> None:
    link(root / "page.html", "a.txt")
    assert ask(start(root=str(root)), "/page.html").fields["content-type"] == "text/html; charset=utf-8"


def test_a_link_by_its_whole_path_is_as_good(start: Start, root: Path) -> None:
    link(root / "link.txt", root / "a.txt")
    assert ask(start(root=str(root)), "/link.txt").content == b"html/a.txt"


@pytest.mark.parametrize(
    ("name", "to", "target"),
    [
        ("link.txt", "../outside/secret.txt", "/link.txt"),
        ("link", "../outside", "/link/secret.txt"),
        ("link", "../outside", "/link/"),
        ("link", "../outside", "/link"),
        ("link.txt", "../html-two/secret.txt", "/link.txt"),
        ("index.html", "../outside/index.html", "/"),
        ("link", "..", "/link/outside/secret.txt"),
        ("link.txt", "nothing.txt", "/link.txt"),
        ("link.txt", "link.txt", "/link.txt"),
        ("link", "link", "/link/"),
    ],
)
def test_a_link_that_leads_out_or_nowhere_is_404(start: Start, root: Path, name: str, to: str, target: str) -> None:
    link(root / name, to)
    running = start(root=str(root))
    assert ask(running, target).status == 404
    assert ask(running, target, method="HEAD").status == 404


def test_a_link_out_of_the_folder_by_its_whole_path_is_404(start: Start, root: Path) -> None:
    link(root / "link.txt", root.parent / "outside" / "secret.txt")
    assert ask(start(root=str(root)), "/link.txt").status == 404


def test_a_file_that_becomes_a_link_out_of_the_folder_is_404(start: Start, root: Path) -> None:
    running = start(root=str(root))
    assert ask(running, "/a.txt").status == 200
    (root / "a.txt").unlink()
    link(root / "a.txt", "../outside/secret.txt")
    assert ask(running, "/a.txt").status == 404


def test_a_folder_that_becomes_a_link_out_of_the_folder_is_404(start: Start, root: Path) -> None:
    running = start(root=str(root))
    assert ask(running, "/sub/").status == 200
    (root / "sub").rename(root / "old")
    link(root / "sub", "../outside")
    assert ask(running, "/sub/").status == 404
    assert ask(running, "/sub/secret.txt").status == 404


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_root_that_is_a_link_is_followed_to_where_it_leads_now(start: Start, tmp_path: Path, size: int) -> None:
    for release in "12":
        (tmp_path / release).mkdir()
        (tmp_path / release / "a.txt").write_bytes(release.encode() * size)
    (tmp_path / "2" / "new.txt").write_bytes(b"new")
    current = link(tmp_path / "current", "1")
    running = start(root=str(current))
    assert ask(running, "/a.txt").content == b"1" * size
    assert ask(running, "/new.txt").status == 404
    link(tmp_path / "next", "2")
    os.replace(tmp_path / "next", current)
    assert ask(running, "/a.txt").content == b"2" * size
    assert ask(running, "/new.txt").content == b"new"


def test_a_root_that_goes_away_and_comes_back(start: Start, root: Path) -> None:
    running = start(root=str(root))
    assert ask(running, "/a.txt").status == 200
    root.rename(root.parent / "away")
    assert ask(running, "/a.txt").status == 404
    assert ask(running, "/").status == 404
    (root.parent / "away").rename(root)
    assert ask(running, "/a.txt").content == b"html/a.txt"


def test_a_relative_root_stays_where_it_was(start: Start, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    running = start(root="html")
    monkeypatch.chdir(root / "sub")
    assert ask(running, "/a.txt").content == b"html/a.txt"


@pytest.mark.parametrize(
    ("name", "to", "target", "content"),
    [
        ("link.txt", "../outside/secret.txt", "/link.txt", b"outside/secret.txt"),
        ("link", "../outside", "/link/secret.txt", b"outside/secret.txt"),
        ("link", "../outside", "/link/", b"outside"),
        ("link", "..", "/link/outside/secret.txt", b"outside/secret.txt"),
        ("link", "../html-two", "/link/secret.txt", b"html-two/secret.txt"),
        ("link", "sub", "/link/", b"html/sub/index.html"),
        ("index.html", "../outside/index.html", "/", b"outside"),
    ],
)
def test_links_are_followed_out_of_the_folder_where_that_is_wanted(
    start: Start, root: Path, name: str, to: str, target: str, content: bytes
) -> None:
    link(root / name, to)
    running = start(root=str(root), follow_links=True)
    for _ in range(2):
        assert ask(running, target).content == content


def test_a_folder_behind_a_followed_link_has_its_address_with_a_slash(start: Start, root: Path) -> None:
    link(root / "link", "../outside")
    answer = ask(start(root=str(root), follow_links=True), "/link?x")
    assert (answer.status, answer.fields["location"]) == (301, "link/?x")


@pytest.mark.parametrize(
    ("name", "to", "target"),
    [
        ("link.txt", "nothing.txt", "/link.txt"),
        ("link.txt", "link.txt", "/link.txt"),
        ("link", "link", "/link/"),
        ("link.txt", "../outside/program.py", "/link.txt"),
        ("link", "../outside", "/link/program.py"),
        ("link", "../outside", "/link/.hidden"),
        ("link", "../outside", "/link/../secret.txt"),
        ("link", "../outside", "/link/..%2f../secret.txt"),
        ("link", "../outside", "/../outside/secret.txt"),
    ],
)
def test_following_links_is_all_that_it_opens(start: Start, root: Path, name: str, to: str, target: str) -> None:
    for hidden in ("program.py", ".hidden"):
        (root.parent / "outside" / hidden).touch()
    (root.parent / "secret.txt").touch()
    link(root / name, to)
    assert ask(start(root=str(root), follow_links=True), target).status == 404


@pytest.mark.skipif(sys.platform == "win32", reason="there are no devices to be linked to")
@pytest.mark.parametrize("to", ["/dev/zero", "/dev/tty", "/dev/stdin", "/proc/self/mem"])
def test_a_followed_link_to_a_device_is_404(start: Start, root: Path, to: str) -> None:
    link(root / "link.txt", to)
    assert ask(start(root=str(root), follow_links=True), "/link.txt").status == 404


class Race:
    """Does `change` once, when a path has been looked at and is going to be opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.change: Callable[[], object] | None = None
        opened = Folder._open_real

        def open_real(folder: Folder, real: str) -> int:
            change, self.change = self.change, None
            if change is not None:
                change()
            return opened(folder, real)

        monkeypatch.setattr(Folder, "_open_real", open_real)


@pytest.fixture
def race(monkeypatch: pytest.MonkeyPatch, real_links: None) -> Race:
    if not CAREFUL:
        pytest.skip("this system opens a path as a whole")
    return Race(monkeypatch)


def put(path: Path, to: str) -> None:
    """A link takes the place of what is there, at once."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name("old"))
    os.replace(link(path.with_name("next"), to), path)


@pytest.mark.parametrize("size", [20, 200_000])
@pytest.mark.parametrize("asked_before", [False, True])
@pytest.mark.parametrize(
    ("name", "to", "target"),
    [
        ("a.txt", "../outside/secret.txt", "/a.txt"),
        ("sub", "../outside", "/sub/secret.txt"),
        ("sub", "../outside", "/sub/"),
    ],
)
def test_a_link_that_is_put_between_the_look_and_the_opening_gives_no_secret(
    start: Start, root: Path, race: Race, name: str, to: str, target: str, size: int, asked_before: bool
) -> None:
    for path in ("a.txt", "sub/secret.txt", "sub/index.html"):
        (root / path).write_bytes(b"g" * size)
    for path in ("secret.txt", "index.html"):
        (root.parent / "outside" / path).write_bytes(b"s" * size)
    running = start(root=str(root))
    if asked_before:
        assert ask(running, target).content == b"g" * size
    race.change = lambda: put(root / name, to)
    answer = ask(running, target)
    assert (answer.status, b"sss" in answer.content) in ((404, False), (200, False))
    assert asked_before or answer.status == 404


def test_a_link_within_the_root_that_is_put_meanwhile_is_followed_to_where_it_leads(
    start: Start, root: Path, race: Race
) -> None:
    running = start(root=str(root))
    race.change = lambda: put(root / "a.txt", "sub/index.html")
    assert ask(running, "/a.txt").content == b"html/sub/index.html"


def test_a_path_that_leads_elsewhere_at_each_look_is_404_in_the_end(start: Start, root: Path, race: Race) -> None:
    names = ["a.txt", "b.txt", "c.txt", "d.txt"]
    for name in names:
        (root / name).write_bytes(b"text")
    running = start(root=str(root))

    def change() -> None:
        name = names.pop(0)
        put(root / name, names[0])
        race.change = change

    race.change = change
    assert ask(running, "/a.txt").status == 404
    assert names == ["d.txt"]
    race.change = None
    assert ask(running, "/a.txt").content == b"text"


def test_a_link_that_takes_the_place_of_a_folder_just_when_it_is_listed_lists_nothing_outside(
    start: Start, root: Path, race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "sub" / "index.html").rename(root / "sub" / "page.html")
    (root.parent / "outside" / "index.html").unlink()
    running = start(root=str(root), listing=True)
    assert b"page.html" in ask(running, "/sub/").content
    scans = Folder.scan

    def scan(folder: Folder, real: str) -> Any:
        put(root / "sub", "../outside")
        return scans(folder, real)

    monkeypatch.setattr(Folder, "scan", scan)
    answer = ask(running, "/sub/")
    assert (answer.status, b"secret" in answer.content) == (404, False)


@pytest.mark.skipif(os.name == "nt", reason="folders have no such permissions there")
def test_a_folder_that_may_be_entered_and_not_read_is_no_hindrance(start: Start, root: Path) -> None:
    if not hasattr(os, "O_PATH") or os.geteuid() == 0:
        pytest.skip("not to be seen here")
    running = start(root=str(root))
    for place in (root, root / "sub"):
        place.chmod(0o111)
    try:
        assert ask(running, "/sub/index.html").content == b"html/sub/index.html"
    finally:
        for place in (root, root / "sub"):
            place.chmod(0o755)
