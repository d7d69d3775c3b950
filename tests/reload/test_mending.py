"""What is broken and mended elsewhere than in the current folder.

What is said goes to a file: tracebacks fill a pipe that nothing reads, on Windows after 4 KiB.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.console import HELLO, ROOT, Console
from tests.reload.developer import answer, serving, until, write

BROKEN = "def ("
APP = HELLO.replace('b"hello "', "TEXT.encode() + b' '")


def test_an_application_that_is_named_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    templates = tmp_path / "project" / "templates"
    templates.mkdir(parents=True)
    (templates / "a.txt").write_text("one", "utf-8")
    app = f"TEXT = open({str(templates / 'a.txt')!r}).read()\n{APP}"
    write(tmp_path / "project", app, "main.py")
    with (
        (tmp_path / "log").open("w") as log,
        serving(tmp_path / "here", app=str(tmp_path / "project" / "main.py"), stderr=log) as console,
    ):
        assert answer(console) == "200 one /"
        (templates / "a.txt").write_text("longer", "utf-8")
        until(console, lambda got: got == "200 longer /")
        break_and_mend(console, tmp_path / "project", app.replace("read()", "read() + '!'"), "main.py", "200 longer! /")
        write(tmp_path / "project", f"import missing\n{app}", "main.py")
        until(console, lambda got: "No module named &#x27;missing&#x27;" in got)
        write(tmp_path / "project", "", "missing.py")
        until(console, lambda got: got == "200 longer /")
        console.stop()
    assert f"{tmp_path / 'project' / 'main.py'} has changed; starting again" in (tmp_path / "log").read_text("utf-8")


@pytest.mark.parametrize("text", [BROKEN, "1 / 0"])
def test_a_library_elsewhere(tmp_path: Path, text: str) -> None:
    for name in ("here", "library"):
        (tmp_path / name).mkdir()
    write(tmp_path / "library", "TEXT = 'one'", "part.py")
    write(tmp_path / "here", f"from part import TEXT\n{APP}", "main.py")
    path = os.pathsep.join([str(ROOT), str(tmp_path / "library")])
    with serving(tmp_path / "here", env={"PYTHONPATH": path}) as console:
        assert answer(console) == "200 one /"
        break_and_mend(console, tmp_path / "library", "TEXT = 'mended'", "part.py", "200 mended /", text)
        assert console.stop().status == 0


def test_an_application_that_changes_the_current_folder(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    (tmp_path / "here" / "templates").mkdir()
    template = tmp_path / "here" / "templates" / "a.txt"
    template.write_text("one", "utf-8")
    moving = f"import os\nos.chdir({str(tmp_path / 'there')!r})\n"
    app = f"TEXT = open({str(template)!r}).read()\n{APP}"
    write(tmp_path / "here", moving + app, "main.py")
    with (tmp_path / "log").open("w") as log, serving(tmp_path / "here", stderr=log) as console:
        assert answer(console) == "200 one /"
        template.write_text("longer", "utf-8")
        until(console, lambda got: got == "200 longer /")
        write(tmp_path / "here", f"{moving}import missing\n{app}", "main.py")
        until(console, lambda got: "No module named &#x27;missing&#x27;" in got)
        write(tmp_path / "here", "", "missing.py")
        until(console, lambda got: got == "200 longer /")
        console.stop()
    assert f"{Path('templates', 'a.txt')} has changed; starting again" in (tmp_path / "log").read_text("utf-8")


def break_and_mend(console: Console, folder: Path, text: str, name: str, expected: str, broken: str = BROKEN) -> None:
    """Writes `broken` to a file, and `text` when the page shows the error, until the page is `expected`."""
    write(folder, broken, name)
    until(console, lambda got: got.startswith("500 "))
    write(folder, text, name)
    until(console, lambda got: got == expected)
