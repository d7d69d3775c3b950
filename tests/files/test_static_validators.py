"""Last-Modified and ETag, and what a client does with them: 304 when it has the file, 412 when it has another."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.client import Client, ask, request
from tests.files.links import link
from tests.running import Start
from tpserver.files.file import File
from tpserver.files.folder import Folder
from tpserver.http.dates import format_date
from tpserver.system.clock import clock

MODIFIED = 784111777
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
SAME = "Sun, 06 Nov 1994 08:49:37 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"


@pytest.fixture(params=["small", "large"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with one file of a known date: one that is kept in memory, and one that is not."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * (100 if request.param == "small" else 200_000))
    os.utime(path, (MODIFIED, MODIFIED))
    return tmp_path


@pytest.fixture
def size(root: Path) -> int:
    return (root / "a.txt").stat().st_size


def test_a_file_has_a_date_and_a_strong_tag(start: Start, root: Path) -> None:
    fields = ask(start(root=str(root)), "/a.txt").fields
    assert fields["last-modified"] == SAME
    assert fields["etag"].startswith('"')
    assert fields["etag"].endswith('"')
    assert len(fields["etag"]) > 2


def test_a_file_that_has_not_changed_keeps_its_tag_in_another_server(start: Start, root: Path) -> None:
    one, other = (ask(start(root=str(root)), "/a.txt").fields for _ in range(2))
    assert one["etag"] == other["etag"]


in_place = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no time of the last change of any kind")


@pytest.mark.parametrize("more", [pytest.param(0, marks=in_place), 1])
def test_a_file_that_changes_changes_its_tag(start: Start, root: Path, size: int, more: int) -> None:
    running = start(root=str(root))
    before = ask(running, "/a.txt").fields["etag"]
    (root / "a.txt").write_bytes(b"y" * (size + more))
    os.utime(root / "a.txt", (MODIFIED, MODIFIED))
    assert ask(running, "/a.txt").fields["etag"] != before
    assert ask(running, "/a.txt", f"If-None-Match: {before}").status == 200


def test_a_small_file_that_gets_another_date_keeps_its_tag(start: Start, root: Path, size: int) -> None:
    running = start(root=str(root))
    before = ask(running, "/a.txt").fields["etag"]
    os.utime(root / "a.txt", ns=(MODIFIED * 10**9, MODIFIED * 10**9 + 1000))
    assert (ask(running, "/a.txt").fields["etag"] == before) is (size < 1000)


def test_releases_of_one_size_and_date_that_are_switched_are_told_apart(start: Start, root: Path) -> None:
    """Reproducible builds set all dates to one (SOURCE_DATE_EPOCH); a link is switched from one to the next."""
    content = (root / "a.txt").read_bytes()
    for name, data in (("1", content), ("2", b"z" + content[1:])):
        (root / name).mkdir()
        (root / name / "a.txt").write_bytes(data)
        os.utime(root / name / "a.txt", (1, 1))
    link(root / "current", "1")
    running = start(root=str(root))
    first = ask(running, "/current/a.txt").fields["etag"]
    link(root / "next", "2").replace(root / "current")
    answer = ask(running, "/current/a.txt", f"If-None-Match: {first}")
    assert (answer.status, answer.content[:1]) == (200, b"z")
    # The beginning of one and the end of the other would make a third file.
    assert ask(running, "/current/a.txt", "Range: bytes=50-", f"If-Range: {first}").status == 200
    assert ask(running, "/current/a.txt", f"If-None-Match: {answer.fields['etag']}").status == 304


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("If-None-Match: {etag}", 304),
        ("If-None-Match: W/{etag}", 304),
        ('If-None-Match: "other", {etag}', 304),
        ('If-None-Match: "other" ,W/{etag} , "third"', 304),
        ("If-None-Match: *", 304),
        ('If-None-Match: "other"', 200),
        ("If-None-Match: nonsense", 200),
        (f"If-Modified-Since: {SAME}", 304),
        (f"If-Modified-Since: {AFTER}", 304),
        ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 304),
        ("If-Modified-Since: Tuesday, 06-Nov-01 08:49:37 GMT", 304),
        ("If-Modified-Since: Sun Nov  6 08:49:37 1994", 304),
        (f"If-Modified-Since: {BEFORE}", 200),
        ("If-Modified-Since: yesterday", 200),
        (f'If-None-Match: "other"\r\nIf-Modified-Since: {SAME}', 200),
        ("If-None-Match: {etag}\r\nIf-Modified-Since: " + BEFORE, 304),
        ('If-None-Match: "other"\r\nIf-None-Match: {etag}', 304),
        ("If-Match: {etag}", 200),
        ('If-Match: "other", {etag}', 200),
        ("If-Match: *", 200),
        ('If-Match: "other"', 412),
        ("If-Match: W/{etag}", 412),
        (f"If-Unmodified-Since: {SAME}", 200),
        (f"If-Unmodified-Since: {BEFORE}", 412),
        ("If-Match: {etag}\r\nIf-Unmodified-Since: " + BEFORE, 200),
        ('If-Match: "other"\r\nIf-None-Match: *', 412),
    ],
)
def test_a_condition_decides(start: Start, root: Path, size: int, line: str, status: int, method: str) -> None:
    running = start(root=str(root))
    etag = ask(running, "/a.txt").fields["etag"]
    answer = ask(running, "/a.txt", line.format(etag=etag), method=method)
    assert answer.status == status
    if status == 200:
        assert answer.fields["content-length"] == str(size)
        assert len(answer.content) == (size if method == "GET" else 0)
    elif status == 304:
        assert answer.content == b""


def test_not_modified_says_what_the_file_is_and_not_how_long(start: Start, root: Path) -> None:
    running = start(root=str(root))
    whole = ask(running, "/a.txt").fields
    fields = ask(running, "/a.txt", "If-None-Match: *").fields
    assert {name: fields[name] for name in ("etag", "last-modified", "server")} == {
        name: whole[name] for name in ("etag", "last-modified", "server")
    }
    assert "date" in fields
    assert not {"content-length", "content-type", "transfer-encoding"} & set(fields)


def test_the_connection_goes_on_after_not_modified_and_precondition_failed(start: Start, root: Path, size: int) -> None:
    with Client(start(root=str(root))) as client:
        client.send(request("/a.txt", "If-None-Match: *"))
        assert client.head().status == 304
        client.send(request("/a.txt", 'If-Match: "x"'))
        failed = client.head()
        assert failed.status == 412
        client.stream.read(int(failed.fields["content-length"]))
        client.send(request("/a.txt"))
        assert int(client.head().fields["content-length"]) == len(client.stream.read(size))


def test_a_condition_does_not_make_a_file(start: Start, root: Path) -> None:
    running = start(root=str(root))
    assert ask(running, "/nothing", "If-None-Match: *").status == 404
    assert ask(running, "/nothing", "If-Match: *").status == 404


def test_what_cannot_be_written_is_405_under_any_condition(start: Start, root: Path) -> None:
    assert ask(start(root=str(root)), "/a.txt", 'If-Match: "x"', method="PUT", content=b"x").status == 405


@pytest.mark.parametrize("seconds", [0, -1, 2**33])
def test_a_file_with_an_odd_date_is_served(start: Start, tmp_path: Path, seconds: int) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    try:
        os.utime(path, (seconds, seconds))
    except (OSError, OverflowError):
        pytest.skip("this file system knows no such date")
    running = start(root=str(tmp_path))
    answer = ask(running, "/a.txt")
    assert answer.content == b"old"
    again = ask(running, "/a.txt", f"If-None-Match: {answer.fields['etag']}")
    assert again.status == 304


# -- a date that lies in the future (RFC 9110 section 8.8.2.1)


@pytest.fixture
def future(root: Path) -> int:
    """The file's date, in an hour."""
    date = int(time.time()) + 3600
    os.utime(root / "a.txt", (date, date))
    return date


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_date_that_lies_in_the_future_is_not_told(start: Start, root: Path, future: int, method: str) -> None:
    answer = ask(start(root=str(root)), "/a.txt", method=method)
    assert answer.status == 200
    assert "last-modified" not in answer.fields
    same = ask(start(root=str(root)), "/a.txt", f"If-None-Match: {answer.fields['etag']}")
    assert (same.status, "last-modified" in same.fields) == (304, False)


@pytest.mark.parametrize("line", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize("later", [-7200, 0, 7200])
def test_no_precondition_counts_by_it(start: Start, root: Path, future: int, line: str, later: int) -> None:
    assert ask(start(root=str(root)), "/a.txt", f"{line}: {format_date(future + later)}").status == 200


def test_no_range_is_sent_by_it(start: Start, root: Path, future: int, size: int) -> None:
    answer = ask(start(root=str(root)), "/a.txt", "Range: bytes=1-2", f"If-Range: {format_date(future)}")
    assert (answer.status, len(answer.content)) == (200, size)


def test_the_date_is_told_when_its_time_has_come(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    now = [MODIFIED - 1.0]
    monkeypatch.setattr(clock, "time", lambda: now[0])
    folder = Folder(root)
    file = folder.find("/a.txt", 1)
    assert isinstance(file, File)
    assert b"Last-Modified" not in file.lines + file.unmodified
    assert file.validators.last_modified is None
    now[0] += 1
    file = folder.find("/a.txt", 2)
    assert isinstance(file, File)
    line = f"Last-Modified: {SAME}\r\n".encode()
    assert line in file.lines
    assert line in file.unmodified
    assert file.validators.last_modified == MODIFIED


def test_what_is_being_sent_stays_whole_while_another_thread_writes_the_lines_anew(root: Path) -> None:
    path = root / "a.txt"

    class Relieved(File):
        """What another thread does is done as soon as `response` has made what it sends."""

        __slots__ = ("kept",)

        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "dated" and value != (b"", b""):
                self.write_lines()

    file = Relieved(str(path), str(path), path.stat(), b"content")
    assert file.response(b"Date: x\r\n").endswith(b"Date: x\r\n\r\ncontent")
