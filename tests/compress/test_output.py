"""What the command says: lines, a table, and a bar that fits into its terminal."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path

import pytest

from tests.compress.compressing import TEXT, Terminal, run
from tpserver.compress.command import compress
from tpserver.compress.output import columns, end_of, percent, printable, readable


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


def test_a_bar_on_a_terminal(tmp_path: Path, only_gzip: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "79")
    for name in ("a.txt", "b" * 100 + ".txt"):
        (tmp_path / name).write_bytes(TEXT)
    said = Terminal()
    assert compress(str(tmp_path), jobs=1, output=said) == 0
    shown, _, table = said.getvalue().rpartition("\r")
    bars = [text for text in shown.split("\r") if text.strip()]
    assert [bar[:38] for bar in bars] == [
        "[" + "#" * 15 + "." * 15 + "]  50% ",
        "[" + "#" * 30 + "] 100% ",
    ]
    assert [bar[38:] for bar in bars] == ["a.txt.gz", ("b" * 100 + ".txt.gz")[-40:]]
    assert shown.endswith("\r" + " " * 78)
    assert table.lstrip().startswith("coding")


def columns_of(text: str) -> int:
    return sum(columns(char) for char in text)


@pytest.mark.parametrize("wide", [300, 80, 60, 40, 24, 10, 5, 2, 1])
@pytest.mark.parametrize("name", ["n" * 60, "\u65e5\u672c\u8a9e" * 20, "\U0001f600e\u0301" * 20, "x"])
def test_the_bar_never_takes_more_than_a_line(
    tmp_path: Path, only_gzip: None, monkeypatch: pytest.MonkeyPatch, wide: int, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(wide))
    try:
        (tmp_path / f"{name}.txt").write_bytes(TEXT)
    except OSError:
        pytest.skip("this file system takes no such names")
    said = Terminal()
    compress(str(tmp_path), jobs=1, output=said)
    shown, _, table = said.getvalue().rpartition("\r")
    assert "%" in shown or wide < 10
    assert max(columns_of(line) for line in shown.split("\r")) < wide
    assert table.lstrip().startswith("coding")
    if wide == 300:
        assert unicodedata.normalize("NFC", f"{name}.txt.gz") in unicodedata.normalize("NFC", shown)


def test_a_terminal_that_has_not_all_characters_gets_no_more_than_a_line(
    tmp_path: Path, only_gzip: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Old(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "60")
    (tmp_path / ("\u65e5\u672c\u8a9e" * 10 + ".txt")).write_bytes(TEXT)
    written = io.BytesIO()
    screen = Old(written, encoding="ascii", newline="")
    compress(str(tmp_path), jobs=1, output=screen)
    shown = written.getvalue().decode("ascii").rpartition("\r")[0]
    assert "\\u65e5\\u672c\\u8a9e.txt.gz" in shown
    assert max(map(len, shown.split("\r"))) < 60


@pytest.mark.parametrize(
    ("text", "width", "end"),
    [
        ("abc", 5, "abc"),
        ("abc", 3, "abc"),
        ("abc", 2, "bc"),
        ("abc", 0, ""),
        ("abc", -1, ""),
        ("", 3, ""),
        ("\u65e5\u672c", 4, "\u65e5\u672c"),
        ("\u65e5\u672c", 3, "\u672c"),
        ("\u65e5\u672c", 1, ""),
        ("abe\u0301", 2, "be\u0301"),
        ("abe\u0301c", 1, "c"),
    ],
)
def test_the_end_of_a_name_that_is_too_wide(text: str, width: int, end: str) -> None:
    assert end_of(text, width) == end


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
