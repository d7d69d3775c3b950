"""python -m tpserver compress DIR: what it writes, what it leaves alone, what it says, and how it complains."""

from __future__ import annotations

import gzip
import io
import os
import random
import re
import shutil
import signal
import stat
import sys
import threading
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from console import WINDOWS, failing, python
from running import Running

from tpserver.compress import command, files
from tpserver.compress.command import compress
from tpserver.compress.output import columns, end_of, percent, printable, readable
from tpserver.errors import UsageError
from tpserver.files.coders import Coder, coded, decoded, thorough_coders

TEXT = b"a line of text that comes again and again\n" * 200
GZIP = {"gzip": thorough_coders()["gzip"]}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def only_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "thorough_coders", lambda: GZIP)


def run(folder: Path, **how: Any) -> tuple[int, str]:
    """The exit status, and what was said."""
    said = io.StringIO()
    return compress(str(folder), output=said, **how), said.getvalue()


def coded_files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in (".gz", ".br", ".zst", ".tmp")
    )


# -- what it writes


def test_every_coding_that_there_is_is_written_whole_and_like_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    os.utime(path, ns=(10**18 + 123, 10**18 + 456))
    path.chmod(0o640)
    assert run(tmp_path)[0] == 0
    extensions = {"gzip": ".gz", "br": ".br", "zstd": ".zst"}
    assert coded_files(tmp_path) == sorted("a.txt" + extensions[coding] for coding in thorough_coders())
    for name in coded_files(tmp_path):
        status = (tmp_path / name).stat()
        assert status.st_mtime_ns == path.stat().st_mtime_ns
        assert WINDOWS or stat.S_IMODE(status.st_mode) == 0o640
        assert 0 < status.st_size < len(TEXT)
    assert gzip.decompress((tmp_path / "a.txt.gz").read_bytes()) == TEXT
    assert sorted(os.listdir(tmp_path)) == sorted(["a.txt", *coded_files(tmp_path)])


def test_folders_below_are_included(tmp_path: Path, only_gzip: None) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".well-known").mkdir()
    for name in ("a/b/deep.css", ".well-known/security.txt"):
        (tmp_path / name).write_bytes(TEXT)
    assert run(tmp_path)[0] == 0
    assert coded_files(tmp_path) == [".well-known/security.txt.gz", "a/b/deep.css.gz"]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.txt",
        ".git/config.txt",
        "a.png",
        "a.woff2",
        "a.bin",
        "a",
        "a.py",
        "a.txt.gz",
        "a.txt.br",
        "a.txt.zst",
        "B.GZ",
    ],
)
def test_some_files_are_left_alone(tmp_path: Path, only_gzip: None, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(TEXT)
    assert run(tmp_path)[0] == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]


@pytest.mark.parametrize(("size", "written"), [(0, False), (1023, False), (1024, True)])
def test_small_files_are_left_alone(tmp_path: Path, only_gzip: None, size: int, written: bool) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * size)
    run(tmp_path)
    assert bool(coded_files(tmp_path)) is written


def test_links_are_left_alone(tmp_path: Path, only_gzip: None) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / "a.txt").write_bytes(TEXT)
    try:
        (root / "a.txt").symlink_to(outside / "a.txt")
        (root / "folder").symlink_to(outside, target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    assert run(root)[0] == 0
    assert coded_files(tmp_path) == []


def test_what_gets_no_smaller_is_not_written(tmp_path: Path, only_gzip: None) -> None:
    (tmp_path / "a.txt").write_bytes(os.urandom(5000))
    status, said = run(tmp_path)
    assert (status, coded_files(tmp_path)) == (0, [])
    assert "a.txt.gz: no smaller, not written\n" in said


def test_what_it_wrote_is_what_the_server_sends(tmp_path: Path, start: Any) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    run(tmp_path)
    running: Running = start(root=tmp_path, compress="sidecars")
    answer = running.exchange(b"GET /a.txt HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
    assert b"\r\nContent-Encoding: gzip\r\n" in answer
    assert gzip.decompress(answer.partition(b"\r\n\r\n")[2]) == TEXT


# -- a second time


def test_what_is_up_to_date_is_not_written_again(tmp_path: Path, only_gzip: None) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    run(tmp_path)
    before = (tmp_path / "a.txt.gz").stat()
    status, said = run(tmp_path)
    assert (status, (tmp_path / "a.txt.gz").stat().st_ino) == (0, before.st_ino)
    assert "a.txt.gz:" not in said


@pytest.mark.parametrize("seconds", [-1000, 1000])
def test_an_archive_that_somebody_else_has_written_is_left_alone_and_told_of(
    tmp_path: Path, only_gzip: None, seconds: int
) -> None:
    path, archive = tmp_path / "data.csv", tmp_path / "data.csv.gz"
    path.write_bytes(TEXT)
    (tmp_path / "other.csv").write_bytes(TEXT)
    archive.write_bytes(gzip.compress(b"what is nowhere else"))
    os.utime(archive, (path.stat().st_mtime + seconds,) * 2)
    status, said = run(tmp_path)
    assert gzip.decompress(archive.read_bytes()) == b"what is nowhere else"
    told = f"{archive} is left unchanged: it was not written by this command; remove it to have it written"
    assert (status, said.splitlines().count(told), said.count("left unchanged")) == (0, 1, 1)
    assert coded_files(tmp_path) == ["data.csv.gz", "other.csv.gz"]
    archive.unlink()
    assert "left unchanged" not in run(tmp_path)[1]
    assert gzip.decompress(archive.read_bytes()) == TEXT


@pytest.mark.parametrize("damage", ["older", "newer", "empty"])
def test_what_is_not_up_to_date_is_written_again(tmp_path: Path, only_gzip: None, damage: str) -> None:
    path, coded = tmp_path / "a.txt", tmp_path / "a.txt.gz"
    path.write_bytes(TEXT * 2)
    run(tmp_path)
    path.write_bytes(TEXT)
    if damage == "empty":
        coded.write_bytes(b"")
    # Newer: an earlier version has been put back with its own time, as `cp -p` does.
    seconds = {"older": -2, "newer": 2, "empty": 0}[damage]
    os.utime(coded, ns=(0, path.stat().st_mtime_ns + seconds * 10**9))
    assert run(tmp_path)[0] == 0
    assert gzip.decompress(coded.read_bytes()) == TEXT
    assert coded.stat().st_mtime_ns == path.stat().st_mtime_ns


def put_back(path: Path, content: bytes) -> None:
    """An earlier version with its own time, as `cp -p`, rsync and tar put it back."""
    path.write_bytes(content)
    os.utime(path, ns=(0, 10**18))


def test_a_changed_file_that_kept_its_time_is_compressed_again(tmp_path: Path, start: Any) -> None:
    path = tmp_path / "a.css"
    put_back(path, TEXT)
    run(tmp_path)
    put_back(path, TEXT.upper())  # another build, with the same SOURCE_DATE_EPOCH
    assert run(tmp_path)[0] == 0
    running: Running = start(root=tmp_path, compress="sidecars")
    for coding in thorough_coders():
        answer = running.exchange(f"GET /a.css HTTP/1.1\r\nHost: h\r\nAccept-Encoding: {coding}\r\n\r\n".encode())
        head, _, content = answer.partition(b"\r\n\r\n")
        assert f"\r\nContent-Encoding: {coding}\r\n".encode() in head
        assert b"".join(decoded(coding, [content])) == TEXT.upper()


@pytest.mark.parametrize("told", [True, False], ids=["changed later", "not told"])
def test_a_tree_that_was_copied_with_its_times_is_not_compressed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    path = tmp_path / "a.css"
    put_back(path, TEXT)
    run(tmp_path)
    before = {name: (tmp_path / name).stat().st_ino for name in coded_files(tmp_path)}
    put_back(path, TEXT)
    monkeypatch.setattr(files, "CHANGE_TIMES", told and files.CHANGE_TIMES)
    status, said = run(tmp_path)
    assert status == 0
    assert {name: (tmp_path / name).stat().st_ino for name in coded_files(tmp_path)} == before
    for row, coding in zip(said.splitlines()[1:], thorough_coders(), strict=False):
        assert row.split()[:6] == [coding, "0", "1", "0", "8.2", "KiB"]


def test_a_stale_pair_that_was_copied_is_found_out_by_its_size(tmp_path: Path, only_gzip: None) -> None:
    path, target = tmp_path / "a.css", tmp_path / "a.css.gz"
    put_back(path, TEXT)
    run(tmp_path)
    put_back(path, TEXT * 2)
    put_back(target, target.read_bytes())
    run(tmp_path)
    assert gzip.decompress(target.read_bytes()) == TEXT * 2


@pytest.mark.parametrize(("inside", "left"), [(TEXT, False), (TEXT.upper(), True)])
def test_an_archive_of_somebody_elses_with_the_same_time_is_looked_into(
    tmp_path: Path, only_gzip: None, inside: bytes, left: bool
) -> None:
    archive = tmp_path / "a.csv.gz"
    put_back(archive, gzip.compress(inside))
    put_back(tmp_path / "a.csv", TEXT)
    status, said = run(tmp_path)
    assert (status, gzip.decompress(archive.read_bytes())) == (0, inside)
    assert ("is left unchanged: it was not written by this command" in said) is left


RANDOM = random.Random(7).randbytes(5000)


@pytest.mark.parametrize("earlier", [b"a{color:red}\n" * 50, RANDOM], ids=["small", "no smaller"])
def test_after_a_rollback_the_later_version_is_not_sent_to_who_takes_codings(
    tmp_path: Path, start: Any, earlier: bytes
) -> None:
    path = tmp_path / "a.css"
    path.write_bytes(TEXT)
    run(tmp_path)
    put_back(path, earlier)
    status, said = run(tmp_path)
    assert (status, coded_files(tmp_path)) == (0, [])
    assert "a.css.gz: removed: it held another version of its file" in said
    assert f"\n{len(thorough_coders())} coded files removed: " in said
    running: Running = start(root=tmp_path, compress="sidecars")
    answer = running.exchange(b"GET /a.css HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br, zstd, gzip\r\n\r\n")
    assert answer.partition(b"\r\n\r\n")[2] == earlier
    assert "removed" not in run(tmp_path)[1]


def test_a_small_file_keeps_the_coded_files_that_hold_it(tmp_path: Path) -> None:
    path, small = tmp_path / "a.css", b"a{color:red}\n" * 50
    path.write_bytes(TEXT[:1000] + small)
    run(tmp_path)
    written = coded_files(tmp_path)
    for name in written:  # as if another tool had compressed so small a file
        (tmp_path / name).unlink()
    path.write_bytes(small)
    for coding, coder in thorough_coders().items():
        target = files.Task(str(path), len(small), coding).target
        Path(target).write_bytes(b"".join(coded([small], coder(), len(small))))
    status, said = run(tmp_path)
    assert (status, coded_files(tmp_path)) == (0, written)
    assert "a.css." not in said


def test_no_coded_file_is_removed_because_its_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()  # opening it fails everywhere, and for everybody
    target = tmp_path / "a.txt.br"
    target.write_bytes(b"Brotli")
    task = files.Task(str(tmp_path / "a.txt"), 900, "br", is_small=True)
    with pytest.raises(OSError, match=r"a\.txt"):
        files.run_task(task, GZIP["gzip"], threading.Event())
    assert target.exists()


@pytest.mark.parametrize("earlier", [b"x" * 900, RANDOM], ids=["small", "no smaller"])
def test_a_rollback_removes_nobody_elses_archive(tmp_path: Path, only_gzip: None, earlier: bytes) -> None:
    path, archive = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    put_back(path, earlier)
    archive.write_bytes(gzip.compress(b"y" * len(earlier)))
    status, said = run(tmp_path)
    assert (status, gzip.decompress(archive.read_bytes())) == (0, b"y" * len(earlier))
    assert said.count(f"{archive} is left unchanged: it was not written by this command; remove it") == 1


@pytest.mark.parametrize(("plain", "coded"), [(10**18 + 5, 10**18), (10**18, 10**18 + 5)])
def test_a_time_without_a_fraction_is_compared_by_seconds(
    tmp_path: Path, only_gzip: None, plain: int, coded: int
) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    run(tmp_path)
    for name, time in (("a.txt", plain), ("a.txt.gz", coded)):
        os.utime(tmp_path / name, ns=(time, time))
    run(tmp_path)
    assert (tmp_path / "a.txt.gz").stat().st_mtime_ns == coded


@pytest.mark.parametrize(("beginning", "replaced"), [(b"\x28\xb5\x2f\xfd", True), (b"not zstd", False)])
def test_what_is_no_zstd_is_not_replaced_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beginning: bytes, replaced: bool
) -> None:
    monkeypatch.setattr(command, "thorough_coders", lambda: {"zstd": GZIP["gzip"], **GZIP})
    (tmp_path / "a.txt").write_bytes(TEXT)
    there = tmp_path / "a.txt.zst"
    there.write_bytes(beginning)
    os.utime(there, (1, 1))
    assert ("left unchanged" in run(tmp_path)[1]) is not replaced
    assert (there.read_bytes() == beginning) is not replaced


def test_the_mark_of_the_command_is_a_comment_and_the_same_file_gives_the_same_bytes(
    tmp_path: Path, only_gzip: None
) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(TEXT)
    run(tmp_path)
    written = (tmp_path / "a.txt.gz").read_bytes()
    assert written == (tmp_path / "b.txt.gz").read_bytes()
    # RFC 1952 section 2.3: no field but a comment, and no time.
    assert (written[3], written[4:8], written[10:19]) == (16, bytes(4), b"tpserver\0")


@pytest.mark.parametrize("length", [252, 253, 255])
def test_a_name_that_leaves_no_room_for_an_extension_is_left_alone(
    tmp_path: Path, only_gzip: None, length: int
) -> None:
    name = "n" * (length - 4) + ".txt"
    try:
        (tmp_path / name).write_bytes(TEXT)
    except OSError:
        pytest.skip("this file system takes no such names")
    status, said = run(tmp_path)
    assert (status, "failed" in said) == (0, False)
    assert bool(coded_files(tmp_path)) is (length == 252)


# -- what it says


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


# -- what goes wrong


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        compress(str(tmp_path / "none"))
    ended = failing("compress", "none", cwd=tmp_path)
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr == "tpserver: error: compress none: there is no such folder\n"


@pytest.mark.parametrize("arguments", [[], ["--jobs", "0", "."], ["--jobs", "x", "."], ["--job", "1", "."], [".", "."]])
def test_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    ended = failing("compress", *arguments, cwd=tmp_path)
    assert (ended.status, ended.stdout) == (2, "")
    assert re.fullmatch(r"tpserver: error: .*\n", ended.stderr)


def test_help(tmp_path: Path) -> None:
    ended = failing("compress", "--help", cwd=tmp_path)
    assert (ended.status, ended.stderr) == (0, "")
    assert "usage: tpserver compress" in ended.stdout
    assert "tpserver compress DIR" in failing("--help", cwd=tmp_path).stdout


def test_the_command_as_a_person_gives_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    ended = failing("compress", ".", "--jobs", "2", cwd=tmp_path)
    assert (ended.status, ended.stderr) == (0, "")
    assert "a.txt.gz: 8.2 KiB -> " in ended.stdout
    assert gzip.decompress((tmp_path / "a.txt.gz").read_bytes()) == TEXT


@pytest.mark.parametrize("screen", [io.StringIO, Terminal])
def test_a_line_for_each_file_that_cannot_be_written_and_the_rest_is(
    tmp_path: Path, only_gzip: None, capsys: pytest.CaptureFixture[str], screen: type[io.StringIO]
) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_bytes(TEXT)
    for name in ("a.txt.gz", "b.txt.gz"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    said = screen()
    assert compress(str(tmp_path), jobs=1, output=said) == 1
    assert ("a.txt.gz: failed\n" in said.getvalue()) is (screen is io.StringIO)
    errors = capsys.readouterr().err.splitlines()
    for error, name in zip(errors, ("a.txt.gz", "b.txt.gz"), strict=True):
        assert error.startswith(f"tpserver: error: cannot write {tmp_path / name}: ")
    assert gzip.decompress((tmp_path / "c.txt.gz").read_bytes()) == TEXT
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("failures", "last"), [(20, "19.txt"), (21, "and 1 more failures"), (50, "and 30 more")])
def test_a_thousand_failures_do_not_fill_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failures: int, last: str
) -> None:
    def coder() -> Coder:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "thorough_coders", lambda: {"gzip": coder})
    for number in range(failures):
        (tmp_path / f"{number:02}.txt").write_bytes(TEXT)
    assert run(tmp_path, jobs=1)[0] == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == min(failures, 21)
    assert all(line.startswith("tpserver: error: ") for line in errors)
    assert last in errors[-1]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_a_folder_that_may_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    tmp_path.chmod(0o500)
    try:
        assert run(tmp_path)[0] == 1
    finally:
        tmp_path.chmod(0o700)
    assert "Permission denied" in capsys.readouterr().err


class Meddling:
    """A coder in whose time something happens."""

    def __init__(self, happens: Any) -> None:
        self._happens = happens

    def compress(self, data: bytes, /) -> bytes:
        self._happens()
        return b"z"

    def flush(self) -> bytes:
        return b""


@pytest.mark.parametrize("what", ["changed", "broken", "full"])
def test_nothing_half_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)

    def happens() -> None:
        if what == "changed":
            path.write_bytes(TEXT + b"!")
        elif what == "broken":
            raise ValueError("the compressor is broken")
        else:
            raise OSError(28, "No space left on device")

    def coder() -> Coder:
        return Meddling(happens)

    monkeypatch.setattr(command, "thorough_coders", lambda: {"gzip": coder})
    assert run(tmp_path)[0] == 1
    expected = {
        "changed": "the file was changed while it was read",
        "broken": "the compressor is broken",
        "full": "No space left",
    }
    assert expected[what] in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_is_told_to_stop_does_so_in_the_middle_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    stop = threading.Event()
    stop.set()
    with pytest.raises(files.Stopped):
        files.write(files.Task(str(path), len(TEXT), "gzip"), GZIP["gzip"], stop)
    assert os.listdir(tmp_path) == ["a.txt"]


def test_nobody_reads_what_it_says(tmp_path: Path, only_gzip: None) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    (tmp_path / "a.txt").write_bytes(TEXT)
    assert compress(str(tmp_path), output=Closed()) == 0
    assert coded_files(tmp_path) == ["a.txt.gz"]


# None where the system has none.
SIGHUP: Any = getattr(signal, "SIGHUP", None)
SIGNALS = [signal.SIGINT] if WINDOWS else [signal.SIGINT, signal.SIGTERM, *([SIGHUP] if SIGHUP else [])]
# Where these tests run under nohup, so does what they start.
HUNG_UP = SIGHUP is not None and signal.getsignal(SIGHUP) is not signal.SIG_IGN


@pytest.mark.parametrize("ending", SIGNALS, ids=lambda ending: signal.Signals(ending).name)
def test_what_ends_a_run_leaves_no_half_files(tmp_path: Path, ending: int) -> None:
    if ending not in (signal.SIGINT, signal.SIGTERM) and not HUNG_UP:
        pytest.skip("SIGHUP is ignored here")
    content = os.urandom(150_000).hex().encode()
    for number in range(60):
        (tmp_path / f"{number:02}.txt").write_bytes(content)
    with python("-m", "tpserver", "compress", "--jobs", "2", ".", cwd=tmp_path) as console:
        console.read_line()
        ended = console.stop(ending)
    assert (ended.status, ended.stderr) == (130, "")
    assert ended.stdout.endswith("stopped; every file written so far is complete\n")
    names = coded_files(tmp_path)
    assert 0 < len(names) < 60
    for name in names:
        if name.endswith(".gz"):
            assert gzip.decompress((tmp_path / name).read_bytes()) == content
    assert not list(tmp_path.glob(".*"))


@pytest.mark.skipif(SIGHUP is None or shutil.which("nohup") is None, reason="there is no nohup")
def test_a_run_under_nohup_goes_on_when_its_terminal_is_closed(tmp_path: Path) -> None:
    content = os.urandom(150_000).hex().encode()
    for number in range(6):
        (tmp_path / f"{number:02}.txt").write_bytes(content)
    arguments = ("-m", "tpserver", "compress", "--jobs", "2", ".")
    with python(*arguments, cwd=tmp_path, command=("nohup",)) as console:
        console.read_line()
        ended = console.stop(SIGHUP)
    assert (ended.status, len(list(tmp_path.glob("*.gz")))) == (0, 6)


@pytest.mark.skipif(not HUNG_UP, reason="there is no SIGHUP, or it is ignored")
def test_the_second_sighup_of_a_closed_terminal_does_not_stop_the_tidying_up() -> None:
    before = signal.getsignal(SIGHUP)
    tidied = []

    def close_the_terminal() -> None:
        with command._signals_interrupt():
            try:
                signal.raise_signal(SIGHUP)
            finally:
                signal.raise_signal(SIGHUP)
                tidied.append(True)

    with pytest.raises(KeyboardInterrupt):
        close_the_terminal()
    assert tidied
    assert signal.getsignal(SIGHUP) == before


@pytest.mark.parametrize(
    ("name", "seconds", "removed"),
    [
        (".tpserver-ab_01xyz.tmp", -60.0, True),
        (".tpserver-ab_01xyz.tmp", 60.0, False),
        (".tpserver-ab_01xyz", -60.0, False),
        (".tpserver-mine.tmp", -60.0, False),
        ("tpserver-ab_01xyz.tmp", -60.0, False),
    ],
)
def test_what_a_killed_run_left_is_removed_an_hour_later(
    tmp_path: Path, only_gzip: None, monkeypatch: pytest.MonkeyPatch, name: str, seconds: float, removed: bool
) -> None:
    left = tmp_path / "folder" / name
    left.parent.mkdir()
    left.write_bytes(b"half")
    assert "temporary" not in run(tmp_path)[1]
    assert left.exists()
    # So much younger than what is left behind, or older.
    monkeypatch.setattr(files, "LEFT_BEHIND", seconds)
    status, said = run(tmp_path)
    assert (status, left.exists()) == (0, not removed)
    assert ("1 temporary files of a killed run removed" in said) is removed


@pytest.mark.skipif(WINDOWS or shutil.which("sh") is None, reason="terminals of another kind")
def test_it_ends_well_when_its_reader_goes(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.txt").write_bytes(TEXT)
    script = f"{sys.executable} -m tpserver compress . | head -c 0; true"
    with python(command=("sh", "-c", script), cwd=tmp_path) as console:
        ended = console.end()
    assert (ended.status, ended.stderr) == (0, "")
