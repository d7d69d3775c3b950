"""A file system with the habits of Windows: any case will do, and files have a second, short name. By a fake of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.logged import errors
from tpserver.files import folder
from tpserver.files.file import File
from tpserver.files.folder import Folder
from tpserver.files.found import Redirect
from tpserver.files.listing_entries import entry_of
from tpserver.files.rules import FileRules, parse_header

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows needs no fake")

# Short names, as Windows makes them of long ones, and as an administrator may set them (fsutil file setshortname).
SHORT = {"LONGNA~1.HTM": "long name of a page.html", "GITDIR": ".git", "PROG.TXT": "program.py", "HIDDEN~1": ".hidden"}


class Insensitive:
    """Finds names below `top` whatever their case, and by their short names; puts itself before the real calls."""

    def __init__(self, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._top = str(top)
        for module, name in (
            (os, "access"),
            (os, "stat"),
            (os, "lstat"),
            (os, "scandir"),
            (os, "open"),
            (os.path, "realpath"),
        ):
            monkeypatch.setattr(module, name, self._before(getattr(module, name)))

    def _before(self, call: Any) -> Any:
        def resolved(name: Any, *how: Any, **more: Any) -> Any:
            return call(self.resolve(name) if isinstance(name, str) else name, *how, **more)

        return resolved

    def resolve(self, name: str) -> str:
        """What is really there under that name; the rest of it as it is where there is nothing."""
        if not name.startswith(self._top + os.sep):
            return name
        found = self._top
        for part in name[len(self._top) + 1 :].split(os.sep):
            long = SHORT.get(part.upper(), part)
            try:
                names = os.listdir(found)
            except OSError:
                names = []
            found += os.sep + next((one for one in names if one.lower() == long.lower()), part)
        return found


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "Root"
    for path in ("Page.html", "Sub/index.html", "long name of a page.html", ".git/config", ".hidden", "program.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path, "utf-8")
    Insensitive(tmp_path, monkeypatch)
    return root


def find(root: Path | str, path: str) -> Any:
    """What a folder finds twice: looked up, and remembered."""
    served = Folder(root, windows=True)
    first, second = served.find(path, 1), served.find(path, 2)
    assert type(first) is type(second)
    return second


@pytest.mark.parametrize("path", ["/Page.html", "/page.html", "/PAGE.HTML", "/pAgE.hTmL"])
def test_a_file_is_found_in_any_case(root: Path, path: str) -> None:
    found = find(root, path)
    assert isinstance(found, File)
    assert found.content == b"Page.html"
    assert found.media_type == "text/html; charset=utf-8"


def test_a_folder_is_found_in_any_case(root: Path) -> None:
    assert find(root, "/sub/INDEX.HTML").content == b"Sub/index.html"
    assert find(root, "/SUB/").content == b"Sub/index.html"
    assert find(root, "/SUB") == Redirect(("SUB",))


def test_a_root_is_found_in_any_case(root: Path) -> None:
    assert find(str(root.parent / "ROOT"), "/page.html").content == b"Page.html"


def test_a_long_name_is_found_by_itself_and_not_by_its_short_one(root: Path) -> None:
    assert find(root, "/Long Name Of A Page.HTML").content == b"long name of a page.html"
    for path in ("/LONGNA~1.HTM", "/longna~1.htm"):
        assert os.path.exists(str(root) + path)
        assert find(root, path) is None


@pytest.mark.parametrize(
    "path", ["/GITDIR/config", "/gitdir/Config", "/HIDDEN~1", "/.GIT/config", "/.Hidden", "/sub/../.git/config"]
)
def test_what_is_hidden_is_so_under_each_of_its_names(root: Path, path: str) -> None:
    assert os.path.exists(str(root) + path)
    assert find(root, path) is None


@pytest.mark.parametrize("path", ["/program.py", "/PROGRAM.PY", "/Program.pY", "/PROG.TXT", "/prog.txt"])
def test_a_program_is_sent_under_none_of_its_names(root: Path, path: str) -> None:
    assert os.path.exists(str(root) + path)
    assert find(root, path) is None


def test_spellings_of_one_name_cannot_fill_the_memory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "ENTRIES", 10)
    served = Folder(root, windows=True)
    for number in range(2**8):
        name = "".join(letter.upper() if number >> at & 1 else letter.lower() for at, letter in enumerate("pagehtml"))
        assert served.find(f"/{name[:4]}.{name[4:]}", number) is not None
    assert len(served._files) == 10


def test_an_edit_shows_under_every_spelling(root: Path) -> None:
    served = Folder(root, windows=True)
    for number, content in enumerate((b"one", b"two, longer")):
        (root / "Page.html").write_bytes(content)
        for path in ("/page.html", "/PAGE.HTML"):
            found = served.find(path, number)
            assert isinstance(found, File)
            assert found.content == content


@pytest.mark.parametrize("path", ["/Sub/index.html", "/SUB/index.HTML", "/sub/", "/Sub/Index.html"])
def test_a_rule_holds_for_every_spelling_of_a_name(root: Path, path: str) -> None:
    rules = FileRules([parse_header("Sub/*.html=X-Private: yes")])
    found = Folder(root, rules=rules, windows=True).find(path, 1)
    assert isinstance(found, File)
    assert found.fields == (("X-Private", "yes"),)


def test_a_rule_for_another_spelling_than_the_stored_one_is_for_no_file(root: Path) -> None:
    found = Folder(root, rules=FileRules([parse_header("sub/*=X-Private: yes")]), windows=True).find("/sub/", 1)
    assert isinstance(found, File)
    assert found.fields == ()


def test_what_windows_hides_is_hidden(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("desktop.ini", "$Recycle.Bin/inside.txt", "Sub/desktop.ini"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("content", "utf-8")
    original = os.lstat

    def with_attributes(path: Any) -> Any:
        hidden = {"desktop.ini": 2, "$Recycle.Bin": 4}.get(os.path.basename(path), 0x20)
        status = original(path)
        return SimpleNamespace(st_file_attributes=hidden, st_mode=status.st_mode)

    monkeypatch.setattr(os, "lstat", with_attributes)
    for path in ("/desktop.ini", "/Sub/desktop.ini", "/$Recycle.Bin/inside.txt"):
        assert find(root, path) is None
    assert isinstance(find(root, "/Page.html"), File)


def test_a_path_too_long_for_windows_is_said_once_and_not_listed(
    root: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    name = "n" * (260 - len(str(root)) - 1)
    for one in (name, name[1:]):
        (root / one).write_text("content", "utf-8")
    access, lexists = os.access, os.path.lexists
    monkeypatch.setattr(os, "access", lambda path, mode: len(path) < 260 and access(path, mode))
    monkeypatch.setattr(os.path, "lexists", lambda path: lexists(path.removeprefix("\\\\?\\")))
    assert find(root, f"/{name}") is None
    assert find(root, f"/{name[1:]}").content == b"content"
    assert ["a path of 260 characters" in one for one in errors(log)] == [True]
    served = Folder(root, windows=True)
    with os.scandir(root) as entries:
        listed = {entry[0] for entry in (entry_of(served, (), str(root), one) for one in entries) if entry}
    assert (name in listed, name[1:] in listed) == (False, True)
