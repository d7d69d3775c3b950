"""The folder changes while it is served: what is there now is what a client gets, at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.apps import plain_app
from tests.client import Client, ask, request
from tests.files.links import link
from tests.running import Start
from tests.waiting import eventually

SMALL, LARGE = 100, 200_000
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE])


def rewrite(path: Path, content: bytes) -> None:
    """As an editor does that writes into the file; its date changes for certain."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.write(content)
        stream.truncate()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))


def replace(path: Path, content: bytes) -> None:
    """As an editor does that writes another file and renames it; size and date stay the same."""
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, path)


def remake(path: Path, content: bytes) -> None:
    """Deleted and written again."""
    path.unlink()
    path.write_bytes(content)


@SIZES
@pytest.mark.parametrize("change", [rewrite, replace, remake])
def test_an_edited_file_is_sent_as_it_is_now(
    start: Start, tmp_path: Path, change: Callable[[Path, bytes], None], size: int
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"1" * size)
    running = start(root=str(tmp_path))
    for digit in (b"1", b"2", b"3"):
        change(path, digit * size)
        assert ask(running, "/a.txt").content == digit * size


@SIZES
def test_it_shows_on_a_connection_that_is_kept(start: Start, tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"1" * size)
    with Client(start(root=str(tmp_path))) as client:
        for digit in (b"1", b"2", b"3"):
            replace(path, digit * size)
            assert client.ask("/a.txt").content == digit * size


@SIZES
@pytest.mark.parametrize("new_size", [0, 1, 70_000, 300_000])
def test_a_file_that_grows_or_shrinks_has_its_new_length(
    start: Start, tmp_path: Path, size: int, new_size: int
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"1" * size)
    running = start(root=str(tmp_path))
    assert len(ask(running, "/a.txt").content) == size
    path.write_bytes(b"2" * new_size)
    answer = ask(running, "/a.txt")
    assert answer.content == b"2" * new_size
    assert answer.fields["content-length"] == str(new_size)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no time of the last change of any kind")
def test_an_edit_shows_though_size_and_date_are_put_back(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"1")
    before = path.stat()
    running = start(root=str(tmp_path))
    assert ask(running, "/a.txt").content == b"1"

    def written_later() -> bool:
        with path.open("r+b") as stream:
            stream.write(b"2")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return path.stat().st_ctime_ns != before.st_ctime_ns

    eventually(written_later, "the file system's clock stands still")
    assert ask(running, "/a.txt").content == b"2"


@SIZES
def test_a_deleted_file_is_404(start: Start, tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"1" * size)
    running = start(root=str(tmp_path))
    assert ask(running, "/a.txt").status == 200
    path.unlink()
    assert ask(running, "/a.txt").status == 404
    assert ask(running, "/a.txt", method="HEAD").status == 404


def test_a_deleted_file_is_the_applications(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"file")
    running = start(plain_app, root=str(tmp_path))
    assert ask(running, "/a.txt").content == b"file"
    path.unlink()
    assert ask(running, "/a.txt").content == b"GET /a.txt "


def test_a_new_file_shows(start: Start, tmp_path: Path) -> None:
    running = start(plain_app, root=str(tmp_path))
    assert ask(running, "/a.txt").content == b"GET /a.txt "
    (tmp_path / "a.txt").write_bytes(b"file")
    assert ask(running, "/a.txt").content == b"file"
    (tmp_path / "sub").mkdir()
    assert ask(running, "/sub/").content == b"GET /sub/ "
    (tmp_path / "sub" / "index.html").write_bytes(b"page")
    assert ask(running, "/sub/").content == b"page"
    assert ask(running, "/sub").status == 301


def test_a_file_that_becomes_a_folder_and_a_folder_that_becomes_a_file(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"file")
    running = start(root=str(tmp_path))
    assert ask(running, "/a").content == b"file"
    path.unlink()
    path.mkdir()
    (path / "index.html").write_bytes(b"page")
    assert ask(running, "/a").status == 301
    assert ask(running, "/a/").content == b"page"
    (path / "index.html").unlink()
    path.rmdir()
    path.write_bytes(b"file again")
    assert ask(running, "/a").content == b"file again"
    assert ask(running, "/a/").status == 404


def test_a_link_that_is_set_to_another_file_shows(start: Start, tmp_path: Path) -> None:
    for name in "12":
        (tmp_path / name).write_text(name, "ascii")
        os.utime(tmp_path / name, (1, 1))
    link(tmp_path / "current", "1")
    running = start(root=str(tmp_path))
    assert ask(running, "/current").content == b"1"
    link(tmp_path / "next", "2")
    os.replace(tmp_path / "next", tmp_path / "current")
    assert ask(running, "/current").content == b"2"


def test_requests_in_one_packet_may_lie_on_both_sides_of_an_edit(start: Start, tmp_path: Path) -> None:
    """The application edits the file that is asked for before and behind it."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"1")

    def edit(environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
        replace(path, b"2")
        return plain_app(environ, start_response)

    with Client(start(edit, root=str(tmp_path))) as client:
        client.send(request("/a.txt") + request("/edit", method="POST") + request("/a.txt"))
        contents = [client.response().content for _ in range(3)]
    assert contents == [b"1", b"POST /edit ", b"2"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_release_that_is_renamed_below_its_link_is_sent_on(start: Start, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "large.bin").write_bytes(b"x" * 200_000)
    link(tmp_path / "current", tmp_path / "one")
    running = start(root=str(tmp_path / "current"))
    assert ask(running, "/large.bin").status == 200
    (tmp_path / "one").rename(tmp_path / "two")
    (tmp_path / "current").unlink()
    link(tmp_path / "current", tmp_path / "two")
    assert ask(running, "/large.bin").status == 200
