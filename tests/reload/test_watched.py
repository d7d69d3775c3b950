"""What `--reload` watches, and what it takes for a change."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from time import time
from types import ModuleType

import pytest

from tests.files.links import link
from tpserver.reload import watched as module_under_test
from tpserver.reload.watched import Changes, Watched, described, files_of, module_files
from tpserver.reload.watcher import pause_after


def write(path: Path, text: str = "x", when: int = 1_700_000_000) -> str:
    """Writes a file with this time, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    os.utime(path, (when, when))
    return str(path)


def names(changes: Changes, folder: Path) -> tuple[list[str], list[str]]:
    code, pages = (sorted(Path(path).relative_to(folder).as_posix() for path in some) for some in changes)
    return code, pages


@pytest.fixture(autouse=True)
def few_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of these tests are all there are: pytest has hundreds, which take seconds under wine."""

    def files() -> list[str]:
        return [module.__file__ or "" for name, module in sys.modules.copy().items() if name.startswith("imported_")]

    monkeypatch.setattr(module_under_test, "module_files", files)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that is imported, as far as its file shows."""
    path = tmp_path / "imported.py"
    write(path)
    one = ModuleType("imported_by_a_test")
    one.__file__ = str(path)
    monkeypatch.setitem(sys.modules, one.__name__, one)
    return path


def test_nothing_has_changed_at_first(tmp_path: Path, module: Path) -> None:
    watched = Watched(str(tmp_path))
    assert [watched.look(), watched.look()] == [Changes([], [])] * 2


@pytest.mark.parametrize(("text", "when"), [("x", 1_700_000_001), ("longer", 1_700_000_000), ("x", 1_600_000_000)])
def test_a_module_changes_with_its_time_or_its_size(tmp_path: Path, module: Path, text: str, when: int) -> None:
    watched = Watched(str(tmp_path))
    watched.look()
    write(module, text, when)
    assert names(watched.look(), tmp_path) == (["imported.py"], [])
    assert watched.look() == Changes([], [])


def test_a_module_that_is_imported_later_is_watched_from_then_on(tmp_path: Path, module: Path) -> None:
    watched = Watched(str(tmp_path))
    watched.look()
    other = ModuleType("imported_later")
    other.__file__ = write(tmp_path / "later.py")
    sys.modules[other.__name__] = other
    try:
        assert watched.look() == Changes([], [])
        write(tmp_path / "later.py", "changed")
        assert names(watched.look(), tmp_path) == (["later.py"], [])
    finally:
        del sys.modules[other.__name__]


def test_a_file_that_is_replaced_is_not_missed_and_one_that_stays_away_counts(tmp_path: Path, module: Path) -> None:
    watched = Watched(str(tmp_path))
    watched.look()
    module.unlink()
    assert watched.look() == Changes([], [])
    write(module, "back again")
    assert names(watched.look(), tmp_path) == (["imported.py"], [])
    module.unlink()
    assert watched.look() == Changes([], [])
    assert names(watched.look(), tmp_path) == (["imported.py"], [])
    assert watched.look() == Changes([], [])


def test_an_edit_between_the_import_and_the_first_look_is_seen(tmp_path: Path, module: Path) -> None:
    now = int(time())
    write(module, when=now - 50)
    template = write(tmp_path / "templates" / "a.html", when=now - 50)
    watched = Watched(str(tmp_path), since=now - 51)
    assert {str(module), template} <= set(watched.look().code)
    assert watched.look() == Changes([], [])
    assert not {str(module), template} & set(Watched(str(tmp_path), since=now - 49).look().code)


def test_a_file_of_the_future_does_not_start_it_again_and_again(tmp_path: Path, module: Path) -> None:
    write(module, when=4_000_000_000)
    assert str(module) not in Watched(str(tmp_path), since=time() - 51).look().code


@pytest.mark.parametrize("name", ["templates/a.html", "shop/templates/shop/b.txt", "jinja2/c.j2"])
def test_templates_are_code(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    watched = Watched(str(tmp_path))
    watched.look()
    write(tmp_path / name, "changed")
    assert names(watched.look(), tmp_path) == ([name], [])


def test_a_new_template_counts_and_what_an_editor_writes_beside_it_does_not(tmp_path: Path) -> None:
    write(tmp_path / "templates" / "a.html")
    watched = Watched(str(tmp_path))
    watched.look()
    for name in (".a.html.swp", "a.html~", "#a.html#", "4913", "a.html___jb_tmp___", "b.html"):
        write(tmp_path / "templates" / name)
    os.utime(tmp_path / "templates", (1, 1))  # a disk may know whole seconds only
    assert names(watched.look(), tmp_path) == (["templates/b.html"], [])


def test_globs_name_further_files(tmp_path: Path) -> None:
    for name in ("conf/a.toml", "conf/a.txt", "data/deep/b.json"):
        write(tmp_path / name)
    watched = Watched(str(tmp_path), ["conf/*.toml", "data/**/*.json"])
    watched.look()
    for name in ("conf/a.toml", "conf/a.txt", "data/deep/b.json"):
        write(tmp_path / name, "changed")
    assert names(watched.look(), tmp_path) == (["conf/a.toml", "data/deep/b.json"], [])
    write(tmp_path / "conf" / "new.toml")
    os.utime(tmp_path / "conf", (1, 1))
    assert names(watched.look(), tmp_path) == (["conf/new.toml"], [])


def test_files_that_are_served_are_pages_if_a_browser_shows_them(tmp_path: Path) -> None:
    shown, others = ("html/index.html", "html/css/a.css", "html/a.js"), ("html/access.log", "html/.hidden.html")
    for name in (*shown, *others):
        write(tmp_path / name)
    watched = Watched(str(tmp_path), served=[str(tmp_path / "html")])
    watched.look()
    for name in (*shown, *others):
        write(tmp_path / name, "changed")
    assert names(watched.look(), tmp_path) == ([], sorted(shown))


def test_python_files_count_that_no_import_has_reached(tmp_path: Path) -> None:
    write(tmp_path / "package" / "one.py")
    write(tmp_path / "venv" / "pyvenv.cfg")
    write(tmp_path / "venv" / "installed.py")
    for all_code, expected in ((False, []), (True, ["package/one.py"])):
        write(tmp_path / "package" / "one.py")
        watched = Watched(str(tmp_path), all_code=all_code)
        watched.look()
        write(tmp_path / "package" / "one.py", "changed")
        write(tmp_path / "venv" / "installed.py", "changed")
        assert names(watched.look(), tmp_path) == (expected, [])


def test_what_an_application_serves_by_itself_is_pages(tmp_path: Path) -> None:
    shown = ("shop/static/a.css", "shop/static/deep/a.js", "static/a.html")
    others = ("static/a.log", "static/node_modules/b/b.js", "shop/a.css")
    for name in (*shown, *others):
        write(tmp_path / name)
    watched = Watched(str(tmp_path))
    watched.look()
    for name in (*shown, *others):
        write(tmp_path / name, "changed")
    assert names(watched.look(), tmp_path) == ([], sorted(shown))
    write(tmp_path / "static" / "new.css")
    os.utime(tmp_path / "static", (1, 1))
    assert names(watched.look(), tmp_path) == ([], ["static/new.css"])


def test_a_linked_folder_of_templates_is_watched_and_a_circle_of_links_has_an_end(tmp_path: Path) -> None:
    shared = write(tmp_path / "shared" / "a.html")
    write(tmp_path / "app" / "templates" / "b.html")
    data = write(tmp_path / "data" / "static" / "c.html")
    link(tmp_path / "app" / "templates" / "linked", tmp_path / "shared")
    link(tmp_path / "app" / "templates" / "above", tmp_path / "app")
    link(tmp_path / "app" / "data", tmp_path / "data")
    watched = Watched(str(tmp_path / "app"))
    watched.look()
    write(Path(shared), "changed")
    write(Path(data), "changed")
    assert names(watched.look(), tmp_path) == (["app/templates/linked/a.html"], [])


def test_applications_elsewhere_have_templates_too(tmp_path: Path) -> None:
    for name in ("elsewhere/templates/a.html", "elsewhere/b.py"):
        write(tmp_path / name)
    for all_code, expected in ((False, ["templates/a.html"]), (True, ["b.py", "templates/a.html"])):
        watched = Watched(str(tmp_path / "here"), folders=[str(tmp_path / "elsewhere")], all_code=all_code)
        watched.look()
        for name in ("elsewhere/templates/a.html", "elsewhere/b.py"):
            write(tmp_path / name, f"changed {expected}")
        assert names(watched.look(), tmp_path / "elsewhere") == (expected, [])


def test_files_that_an_import_has_failed_in_are_watched_wherever_they_are(tmp_path: Path) -> None:
    now = int(time())
    path = write(tmp_path / "library" / "part.py", when=now - 50)
    watched = Watched(str(tmp_path / "here"), files=[path], since=now - 49)
    assert watched.look() == Changes([], [])
    write(Path(path), "changed")
    assert watched.look() == Changes([path], [])
    assert Watched(str(tmp_path), files=[path], since=0).look() == Changes([path], [])


def test_the_files_of_an_exception_are_those_of_its_causes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    first = write(tmp_path / "failing_first.py", "try:\n    import failing_second\nexcept SyntaxError:\n    1 / 0\n")
    second = write(tmp_path / "failing_second.py", "def (")
    with pytest.raises(ZeroDivisionError) as raised:
        import_module("failing_first")
    assert {first, second} <= {*files_of(raised.value)}
    assert all(map(os.path.isfile, files_of(raised.value)))


@pytest.mark.parametrize(
    ("present", "gone", "expected"),
    [
        ("a", "", "a.py has changed"),
        ("ab", "", "a.py, b.py have changed"),
        ("abcde", "", "a.py, b.py, c.py and 2 more have changed"),
        ("", "x", "x.py is gone"),
        ("a", "xy", "a.py has changed and x.py, y.py are gone"),
    ],
)
def test_what_has_changed_is_said(tmp_path: Path, present: str, gone: str, expected: str) -> None:
    paths = [write(tmp_path / f"{name}.py") for name in present] + [str(tmp_path / f"{name}.py") for name in gone]
    assert described(paths, str(tmp_path)) == expected


def test_what_is_elsewhere_is_said_by_its_whole_path(tmp_path: Path) -> None:
    path = write(tmp_path / "a.py")
    assert described([path], str(tmp_path / "here")) == f"{path} has changed"


def test_the_modules_are_all_that_are_imported_from_a_file() -> None:
    assert {os.path.abspath(module_under_test.__file__), os.path.abspath(os.__file__)} <= set(module_files())


def test_folders_are_those_of_all_files(tmp_path: Path, module: Path) -> None:
    write(tmp_path / "templates" / "a.html")
    watched = Watched(str(tmp_path))
    watched.look()
    assert {str(tmp_path), str(tmp_path / "templates")} <= watched.folders


@pytest.mark.parametrize(("cost", "pause"), [(0.0, 0.25), (0.002, 0.4), (0.01, 0.75)])
def test_looks_cost_half_a_percent_and_come_within_a_second(cost: float, pause: float) -> None:
    assert pause_after(cost) == pytest.approx(pause)
