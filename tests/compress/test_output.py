"""What the command says: lines, a table, and a bar that fits into its terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compress.compressing import TEXT, Terminal, run
from tpserver.compress.command import compress
from tpserver.compress.output import percent, printable, readable


def test_lines_for_a_file_and_a_table_for_a_program(tmp_path: Path, only_gzip: None) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "sub/b.css"):
        (tmp_path / name).write_bytes(TEXT)
    (tmp_path / "small.txt").touch()
    (tmp_path / "a.png").touch()
    _, said = run(tmp_path, jobs=1)
    size = (tmp_path / "a.txt.gz").stat().st_size
    lines = said.splitlines()
    assert lines[:2] == [
        f"a.txt.gz: 8.2 KiB -> {size} B, 99 % saved",
        f"{Path('sub/b.css.gz')}: 8.2 KiB -> {size} B, 99 % saved",
    ]
    assert lines[2].split() == ["coding", "written", "up", "to", "date", "no", "smaller", "before", "after", "saved"]
    assert lines[3].split() == ["gzip", "2", "0", "0", "16.4", "KiB", f"{2 * size}", "B", "99", "%"]
    assert lines[4] == "4 files: 1 of types that do not get smaller, 1 smaller than 1024 bytes"
    assert lines[5].startswith("br is not written: the package brotli is not installed")
    assert lines[6].startswith("zstd is not written: ")
    _, again = run(tmp_path)
    assert again.splitlines()[1].split() == ["gzip", "0", "2", "0", "16.4", "KiB", f"{2 * size}", "B", "99", "%"]


@pytest.mark.parametrize("wide", [300, 80, 40])
def test_a_bar_on_a_terminal(tmp_path: Path, only_gzip: None, monkeypatch: pytest.MonkeyPatch, wide: int) -> None:
    monkeypatch.setenv("COLUMNS", str(wide))
    for name in ("a.txt", "b" * 100 + ".txt"):
        (tmp_path / name).write_bytes(TEXT)
    said = Terminal()
    assert compress(str(tmp_path), jobs=1, output=said) == 0
    shown, _, table = said.getvalue().rpartition("\r")
    assert shown.split("\r") == [
        "",
        "[" + "#" * 15 + "." * 15 + "]  50%",
        "[" + "#" * 30 + "] 100%",
        " " * 37,
    ]
    assert table.startswith("coding")


@pytest.mark.parametrize("wide", [38, 10, 1])
def test_lines_on_a_terminal_without_room_for_a_bar(
    tmp_path: Path, only_gzip: None, monkeypatch: pytest.MonkeyPatch, wide: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(wide))
    (tmp_path / "a.txt").write_bytes(TEXT)
    said = Terminal()
    compress(str(tmp_path), jobs=1, output=said)
    assert said.getvalue().startswith("a.txt.gz: ")


def test_a_folder_with_nothing_to_do(tmp_path: Path, only_gzip: None) -> None:
    said = Terminal()
    assert compress(str(tmp_path), output=said) == 0
    assert "\r" not in said.getvalue()
    assert said.getvalue().splitlines()[1].split() == ["gzip", "0", "0", "0", "0", "B", "0", "B", "-"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (5 * 1024**2, "5.0 MiB"),
        (2**41, "2048.0 GiB"),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert readable(size) == text


def test_shares_for_people() -> None:
    assert (percent(200, 50), percent(0, 0)) == ("75 %", "-")


def test_names_that_would_play_with_the_terminal() -> None:
    assert printable("a\x1b[2Jb\u00e9\udce9\n") == "a\\x1b[2Jb\u00e9\\udce9\\n"
