"""docs/static-files.md says what is so: its options are those that there are, and its figures what a server answers."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.scripts import DOCS, script
from tpserver.config import OPTIONS
from tpserver.options.files import FileOptions
from tpserver.options.option import option_name, options_table

TEXT = (DOCS / "static-files.md").read_text("utf-8")


def test_its_table_of_options_is_as_they_are_declared() -> None:
    make_options = script("make_options")
    table = options_table({name: OPTIONS[name] for name in FileOptions.__annotations__})
    expected = make_options.with_options(TEXT, table, make_options.FILES_BEGIN, make_options.FILES_END)
    assert expected == TEXT, "run python docs/make_options.py"


def test_it_names_no_option_that_there_is_not() -> None:
    known = {option_name(name) for name in OPTIONS}
    assert set(re.findall(r"--[a-z][a-z-]*[a-z]", TEXT)) <= known


def test_its_comparison_says_of_this_server_what_it_answers() -> None:
    compare = script("compare_static")
    said = [line.split(" | ")[:2] for line in TEXT.partition(compare.BEGIN)[2].partition(compare.END)[0].splitlines()]
    answers = compare.answers(compare.tpserver)
    here = dict(zip((case.what for case in compare.CASES), answers, strict=True))
    written = {what.removeprefix("| "): answer for what, answer in said[2:]}
    assert here.keys() == written.keys(), "run python docs/compare_static.py"
    assert {what: answer for what, answer in here.items() if answer != written[what]} == {}


@pytest.mark.skipif(os.name == "nt", reason="not all that the comparison makes exists on Windows")
def test_the_comparison_finds_what_it_asks_about(tmp_path: Path) -> None:
    compare = script("compare_static")
    (tmp_path / "root").mkdir()
    compare.make_folder(tmp_path / "root")
    compare.add_pipe(tmp_path / "root")
    assert {"link.txt", "pipe", ".env", "prog.py"} <= {path.name for path in (tmp_path / "root").iterdir()}


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", TEXT)
    assert "codings.md" in links
    assert [link for link in links if "://" not in link and not (DOCS / link).exists()] == []
