"""A folder by itself: what is kept in memory and how much of it, and the rules of Windows on any system."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from tests.files.links import link
from tpserver.files import file as files
from tpserver.files import folder
from tpserver.files.file import File
from tpserver.files.folder import Folder
from tpserver.files.found import Redirect
from tpserver.files.responder import FileResponder
from tpserver.http.dates import parse_date
from tpserver.http.head import take_head
from tpserver.http.section import Limits, SectionMemory
from tpserver.system.clock import clock


class Turns:
    """Asks a folder, each time in a turn of its own."""

    def __init__(self, root: Path, *, windows: bool = False) -> None:
        self.folder = Folder(root, windows=windows)
        self.turn = 0

    def find(self, path: str) -> File | Redirect | None:
        self.turn += 1
        return self.folder.find(path, self.turn)

    def file(self, path: str) -> File:
        found = self.find(path)
        assert isinstance(found, File)
        return found

    @property
    def kept(self) -> dict[str, File]:
        return self.folder._files

    @property
    def memory(self) -> int:
        """The bytes of content that are kept; what the folder counts has to be that."""
        counted = sum(len(file.content or b"") for file in self.kept.values())
        assert self.folder._memory == counted
        return counted


@pytest.fixture
def turns(tmp_path: Path) -> Turns:
    return Turns(tmp_path)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has just been written is taken for old: it will not change again without another time."""
    monkeypatch.setattr(folder, "_MTIME_STEP_NS", 0)


def test_a_small_file_is_read_once(turns: Turns, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"text")
    first = turns.file("/a.txt")
    assert first.content == b"text"
    assert turns.file("/a.txt") is first


def test_a_large_file_is_not_kept_in_memory(turns: Turns, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x" * (folder.SMALL + 1))
    assert turns.file("/a.bin").content is None
    assert turns.memory == 0


def test_a_file_is_looked_at_once_a_turn(turns: Turns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_bytes(b"text")
    turns.find("/a.txt")
    looks = []
    real = os.stat

    def counted(*how: object, **more: object) -> os.stat_result:
        looks.append(how)
        return real(*how, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", counted)
    for _ in range(5):
        turns.folder.find("/a.txt", 1000)
    assert len(looks) == 1
    turns.folder.find("/a.txt", 1001)
    assert len(looks) == 2


def test_what_is_not_there_is_not_kept(turns: Turns) -> None:
    for number in range(100):
        assert turns.find(f"/{number}") is None
    assert turns.kept == {}


def test_the_memory_for_small_files_is_bounded(turns: Turns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MEMORY", 1000)
    for number in range(30):
        (tmp_path / str(number)).write_bytes(b"x" * 90)
        assert turns.file(f"/{number}").content == b"x" * 90
        assert turns.memory <= 1000
    assert turns.memory == 990
    (tmp_path / "whole").write_bytes(b"x" * 1000)
    assert turns.file("/whole").content == b"x" * 1000
    assert turns.memory == 1000


def test_the_number_of_files_that_are_remembered_is_bounded(
    turns: Turns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "ENTRIES", 5)
    for number in range(20):
        (tmp_path / str(number)).touch()
        turns.file(f"/{number}")
        assert len(turns.kept) <= 5
    assert "/19" in turns.kept


def test_spellings_of_one_path_cannot_fill_the_memory(turns: Turns, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    for number in range(1, 60_000, 997):
        assert turns.file("/" * number + "a").content == b"x"
    assert sum(len(path) for path in turns.kept) < 100_000


def test_a_file_that_changes_often_takes_its_memory_once(turns: Turns, tmp_path: Path) -> None:
    for number in range(1, 50):
        (tmp_path / "a").write_bytes(b"x" * number)
        assert turns.file("/a").size == number
        assert turns.memory == number
    (tmp_path / "a").unlink()
    assert turns.find("/a") is None
    assert turns.memory == 0


def test_two_threads_that_read_a_file_at_once_keep_it_once(
    turns: Turns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"text")
    both = threading.Barrier(2, timeout=20)
    real = files.media_type

    def wait_for_the_other(name: str) -> str:
        both.wait()
        return real(name)

    monkeypatch.setattr(files, "media_type", wait_for_the_other)
    threads = [threading.Thread(target=turns.folder.find, args=("/a", 1)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert turns.memory == 4


def test_head_and_content_are_joined_once_for_each_stamp(turns: Turns, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    file = turns.file("/a")
    one, other = b"Date: 1\r\n", b"Date: 2\r\n"
    found = take_head(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 0, Limits(), SectionMemory())
    assert found is not None
    head, _ = found

    def response(stamp: bytes) -> bytes | None:
        return FileResponder(turns.folder, None, file).ready_response(head, stamp)

    whole = response(one)
    assert whole == file.lines + one + b"\r\ntext"
    assert response(one) is whole
    assert response(other) == file.lines + other + b"\r\ntext"


def test_an_opened_file_is_described_as_it_is_now(turns: Turns, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"1" * 100_000)
    file = turns.file("/a.bin")
    descriptor, opened = turns.folder.open(file)
    os.close(descriptor)
    assert opened is file
    path.write_bytes(b"2" * 200_000)
    descriptor, opened = turns.folder.open(file)
    try:
        assert opened.size == 200_000
        assert b"Content-Length: 200000\r\n" in opened.lines
        assert opened.validators.etag != file.validators.etag
    finally:
        os.close(descriptor)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        turns.folder.open(file)


def test_the_date_of_a_file_is_that_of_its_last_change(turns: Turns, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.utime(tmp_path / "a", ns=(0, 784111777_999_999_999))
    file = turns.file("/a")
    assert file.validators.last_modified == 784111777
    assert parse_date(dict(file.about)["Last-Modified"], 2026) == 784111777


@pytest.mark.parametrize("root", [".", "sub/..", "./"])
def test_a_root_may_be_written_in_any_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert isinstance(Folder(root).find("/a.txt", 1), File)
    assert isinstance(Folder(str(tmp_path) + os.sep).find("/a.txt", 1), File)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has a root for every drive")
def test_the_root_of_everything_may_be_served(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert isinstance(Folder("/").find(str(tmp_path / "a.txt"), 1), File)


# What Windows would take for a device, another name of a file, or another place. Here these are plain names of files
# that do exist, so that a rule which is missing shows.
TRAPS = [
    "con",
    "NUL",
    "aux.txt",
    "Prn.tar.gz",
    "com1",
    "COM9.html",
    "com\u00b9",
    "lpt\u00b3.txt",
    "CONIN$",
    "conout$",
    "nul .txt",
    "a.txt.",
    "a.txt ",
    "a.txt. .",
    "a.txt::$DATA",
    "a.txt:stream",
    "C:",
    "SECRET~1.TXT",
    "secret.py.",
    "secret.py::$DATA",
    "a*",
    "a?",
    'a"',
    "a<",
    "a>",
    "a|",
    "a\tb",
]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let such files be made")
@pytest.mark.parametrize("name", TRAPS)
def test_a_name_that_windows_reads_otherwise_is_not_there_on_windows(tmp_path: Path, name: str) -> None:
    sub = tmp_path / "sub"
    sub.mkdir()
    for path in (tmp_path / name, sub / name):
        path.write_bytes(b"x")
    inside = tmp_path / "d" / name
    inside.mkdir(parents=True)
    (inside / "a.txt").write_bytes(b"x")
    (inside / "index.html").write_bytes(b"x")
    windows, posix = Turns(tmp_path, windows=True), Turns(tmp_path)
    text = name.encode("utf-8").decode("latin-1")
    for path in (f"/{text}", f"/sub/{text}", f"/d/{text}/a.txt", f"/d/{text}/", f"/d/{text}"):
        assert posix.find(path) is not None
        assert windows.find(path) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let such files be made")
@pytest.mark.parametrize("name", ["a\\b", "..\\a", "\\\\host\\share", "c:\\a"])
def test_a_name_with_a_backslash_is_not_there_anywhere(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    for windows in (True, False):
        assert Turns(tmp_path, windows=windows).find("/" + name) is None


@pytest.mark.parametrize(
    "path", ["/\\\\host\\share\\a", "//host/share/a", "/c:/a", "/c:\\a", "\\\\?\\c:\\a", "/\\\\.\\NUL"]
)
def test_what_windows_would_ask_another_machine_or_drive_for_is_refused_before_any_look(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(tmp_path, windows=True)
    looked_at: list[str] = []
    monkeypatch.setattr(os, "access", lambda name, _: looked_at.append(name))
    assert turns.find(path) is None
    assert [name for name in looked_at if not name.startswith(str(tmp_path) + os.sep + "host")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no names of odd bytes")
def test_a_name_that_is_no_utf_8_is_not_there_on_windows(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"\xff.txt")).touch()
    except (OSError, UnicodeError):
        pytest.skip("this file system wants names in UTF-8")
    assert Turns(tmp_path, windows=True).find("/\xff.txt") is None
    assert isinstance(Turns(tmp_path).find("/\xff.txt"), File)


def test_an_edit_within_one_tick_of_the_clock_shows(
    turns: Turns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_MTIME_STEP_NS", 2_000_000_000)
    monkeypatch.setattr(folder, "signature", lambda status: (status.st_mtime_ns // 10**10, 0, status.st_size, 0, 0))
    (tmp_path / "a.txt").write_bytes(b"one")
    assert turns.file("/a.txt").content == b"one"
    (tmp_path / "a.txt").write_bytes(b"two")
    assert turns.file("/a.txt").content == b"two"


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_folder_that_leads_out_of_the_root_since_is_seen_within_a_second(
    turns: Turns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    now = [100.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    outside = tmp_path_factory.mktemp("outside") / "d"
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_bytes(b"text")
    assert turns.find("/d/a.txt") is not None
    (tmp_path / "d").rename(outside)
    link(tmp_path / "d", outside)
    now[0] += 1.0
    assert turns.find("/d/a.txt") is None


def test_a_path_has_one_place_in_memory(turns: Turns, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"text")
    for path in ("/a.txt", "//a.txt", "/./a.txt"):
        turns.find(path)
    assert list(turns.kept) == ["/a.txt"]
