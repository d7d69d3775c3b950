"""python -m tpserver compress DIR: what it writes, and what it leaves alone."""

from __future__ import annotations

import gzip
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.client import exchange
from tests.compress.compressing import TEXT, coded_files, run
from tests.console import WINDOWS
from tests.files.links import link
from tests.running import Running
from tpserver.files.coders import thorough_coders


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
    link(root / "a.txt", outside / "a.txt")
    link(root / "folder", outside)
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
    answer = exchange(running, b"GET /a.txt HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
    assert b"\r\nContent-Encoding: gzip\r\n" in answer
    assert gzip.decompress(answer.partition(b"\r\n\r\n")[2]) == TEXT


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
