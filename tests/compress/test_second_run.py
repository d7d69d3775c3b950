"""What the command does with coded files that are there: its own, outdated ones, and those of others."""

from __future__ import annotations

import gzip
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.client import exchange
from tests.compress.compressing import GZIP, TEXT, coded_files, put_back, run
from tests.running import Running
from tpserver.compress import command, files
from tpserver.files.coders import coded, decoded, thorough_coders


def test_what_is_up_to_date_is_not_written_again(tmp_path: Path, only_gzip: None) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    run(tmp_path)
    before = (tmp_path / "a.txt.gz").stat()
    status, said = run(tmp_path)
    assert (status, (tmp_path / "a.txt.gz").stat().st_ino) == (0, before.st_ino)
    assert "a.txt.gz:" not in said


@pytest.mark.parametrize("seconds", [-1000, 1000])
def test_an_archive_that_another_program_has_written_is_left_alone_and_told_of(
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


def test_a_changed_file_that_kept_its_time_is_compressed_again(tmp_path: Path, start: Any) -> None:
    path = tmp_path / "a.css"
    put_back(path, TEXT)
    run(tmp_path)
    put_back(path, TEXT.upper())  # another build, with the same SOURCE_DATE_EPOCH
    assert run(tmp_path)[0] == 0
    running: Running = start(root=tmp_path, compress="sidecars")
    for coding in thorough_coders():
        answer = exchange(running, f"GET /a.css HTTP/1.1\r\nHost: h\r\nAccept-Encoding: {coding}\r\n\r\n".encode())
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
def test_an_archive_of_another_program_with_the_same_time_is_looked_into(
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
    answer = exchange(running, b"GET /a.css HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br, zstd, gzip\r\n\r\n")
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
    (tmp_path / "a.txt").mkdir()  # opening it fails everywhere, and for every user
    target = tmp_path / "a.txt.br"
    target.write_bytes(b"Brotli")
    task = files.Task(str(tmp_path / "a.txt"), 900, "br")
    with pytest.raises(OSError, match=r"a\.txt"):
        files.run_task(task, GZIP["gzip"], threading.Event())
    assert target.exists()


@pytest.mark.parametrize("earlier", [b"x" * 900, RANDOM], ids=["small", "no smaller"])
def test_a_rollback_removes_no_other_programs_archive(tmp_path: Path, only_gzip: None, earlier: bytes) -> None:
    path, archive = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    put_back(path, earlier)
    archive.write_bytes(gzip.compress(b"y" * len(earlier)))
    status, said = run(tmp_path)
    assert (status, gzip.decompress(archive.read_bytes())) == (0, b"y" * len(earlier))
    assert said.count(f"{archive} is left unchanged: it was not written by this command; remove it") == 1


@pytest.mark.parametrize(("plain", "coded"), [(10**18 + 500, 10**18), (10**18, 10**18 + 500)])
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
