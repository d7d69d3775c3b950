"""A folder as a zip archive, with --archive: what is in it, and that it holds nobody up."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import inside
from tests.client import CLOSE, Client, ask, request
from tests.files.links import link
from tests.rounds import rounds
from tests.running import Running, Start
from tests.waiting import eventually
from tpserver.files import archive_responder

ZIP = "?archive=zip"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with files and folders in it, some of which are never served, and something outside."""
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a.txt").write_bytes(b"a")
    (root / "sub" / "b.png").write_bytes(b"b" * 300_000)
    (root / "sub" / "deep" / "\u00e9.txt").write_bytes(b"c" * 300_000)
    for name in (".env", "page.py", "page.pyc", "sub/.hidden"):
        (root / name).write_bytes(b"secret")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_bytes(b"secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_bytes(b"secret")
    return root


def archive(running: Running, target: str = "/", **more: Any) -> dict[str, bytes]:
    with Client(running) as client:
        client.send(request(target + ZIP, **more))
        answer = client.response()
    assert answer.status == 200, answer.head
    assert answer.fields["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        names = found.namelist()
        assert len(names) == len(set(names))
        return {name: found.read(name) for name in names}


def listed(running: Running, target: str = "/") -> set[str]:
    """What the listings show, from `target` on."""
    names = set()
    for entry in json.loads(ask(running, target, "Accept: application/json", CLOSE).content):
        names.add(entry["url"])
        if entry["type"] == "directory":
            names |= {entry["url"] + name for name in listed(running, target + entry["url"])}
    return names


def test_an_archive_has_what_the_listings_show_and_nothing_else(start: Start, root: Path) -> None:
    (root / "sub" / "deep" / "\u00e9.txt").rename(root / "sub" / "deep" / "e.txt")
    running = start(root=root, listing=True, archive=True)
    found = archive(running)
    assert set(found) == listed(running)
    assert set(found) == {"a.txt", "empty/", "sub/", "sub/b.png", "sub/deep/", "sub/deep/e.txt"}
    assert found["sub/b.png"] == b"b" * 300_000
    assert set(archive(running, "/sub/")) == {"b.png", "deep/", "deep/e.txt"}
    assert archive(running, "/empty/") == {}


def test_the_listing_offers_it_by_a_button_which_no_program_follows(start: Start, root: Path) -> None:
    page = ask(start(root=root, archive=True), "/", CLOSE).content.decode()
    assert re.search(r'<form><button name="archive" value="zip">[^<]+</button></form>', page)
    assert "archive=zip" not in page


def test_without_the_option_there_is_none(start: Start, root: Path) -> None:
    running = start(root=root, listing=True)
    answer = ask(running, "/" + ZIP, CLOSE)
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert b"archive" not in answer.content.partition(b"<main>")[2]


@pytest.mark.parametrize("query", ["", "?archive", "?archive=tar", "?archive=zipx", "?xarchive=zip"])
def test_what_asks_for_no_archive_gets_the_listing(start: Start, root: Path, query: str) -> None:
    answer = ask(start(root=root, archive=True), "/" + query, CLOSE)
    assert answer.fields["content-type"] == "text/html; charset=utf-8"


def test_its_name_is_the_folders(start: Start, root: Path) -> None:
    (root / 'M\u00fcll "2"' if sys.platform != "win32" else root / "M\u00fcll _2_").mkdir()
    running = start(root=root, archive=True)
    name = "M%C3%BCll%20%222%22" if sys.platform != "win32" else "M%C3%BCll%20_2_"
    field = ask(running, f"/{name}/{ZIP}", CLOSE).fields["content-disposition"]
    assert field == f"attachment; filename=\"M_ll _2_.zip\"; filename*=UTF-8''{name}.zip"
    assert 'filename="files.zip"' in ask(running, "/" + ZIP, CLOSE).fields["content-disposition"]


def test_a_folder_with_an_index_gives_its_index_and_no_more(start: Start, root: Path) -> None:
    (root / "sub" / "index.html").write_bytes(b"index")
    running = start(root=root, archive=True)
    assert set(archive(running)) == {"a.txt", "empty/", "sub/", "sub/index.html"}
    assert ask(running, "/sub/" + ZIP, CLOSE).content == b"index"


def test_links_out_and_links_round_are_not_followed(start: Start, root: Path, tmp_path: Path) -> None:
    link(root / "out", "../outside")
    link(root / "secret.txt", "../outside/secret.txt")
    link(root / "code.txt", "page.py")
    link(root / "sub" / "up", "..")
    link(root / "sub" / "self", ".")
    link(root / "again.txt", "a.txt")
    (root / "other").mkdir()
    (root / "other" / "o.txt").write_bytes(b"o")
    link(root / "sub" / "other", "../other")
    link(root / "other" / "back", "../sub")
    running = start(root=root, archive=True)
    found = archive(running)
    assert b"secret" not in found.values()
    assert found["again.txt"] == b"a"
    assert {"other/o.txt", "sub/b.png"} <= set(found)
    assert not any(name.startswith(("out", "sub/up", "sub/self")) for name in found)
    # Where what a link leads to is not in the archive by itself, the link is followed.
    assert set(archive(running, "/sub/")) >= {"other/", "other/o.txt"}


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_head_and_old_clients(start: Start, root: Path, version: str) -> None:
    running = start(root=root, archive=True)
    head = ask(running, "/" + ZIP, CLOSE, method="HEAD", version=version)
    assert (head.status, head.content) == (200, b"")
    assert set(archive(running, version=version)) > {"a.txt"}


def test_a_connection_goes_on_after_an_archive(start: Start, root: Path) -> None:
    with Client(start(root=root, archive=True)) as client:
        assert client.ask("/" + ZIP).status == 200
        assert client.ask("/a.txt").content == b"a"


@pytest.fixture
def large(root: Path) -> Path:
    """Much more than sockets and the outbox hold."""
    with open(root / "large.png", "wb") as file:
        file.truncate(64 * 1024 * 1024)
    return root


def test_clients_that_do_not_read_archives_hold_nobody_up(start: Start, large: Path) -> None:
    running = start(root=large, archive=True, threads=4)
    with ExitStack() as stack:
        lagging = [stack.enter_context(Client(running)) for _ in range(archive_responder.AT_ONCE)]
        for number, client in enumerate(lagging):
            client.send(request("/" + ZIP))
            eventually(lambda wanted=number + 1: inside.running(running.server) == wanted, "it is not made")  # type: ignore[misc]
        refused = ask(running, "/" + ZIP, CLOSE)
        assert (refused.status, refused.fields["retry-after"]) == (503, "30")
        for _ in range(3):
            assert ask(running, "/a.txt", CLOSE).content == b"a"
            assert ask(running, "/", CLOSE).status == 200
        for client in lagging:
            client.reset()
        eventually(lambda: not inside.running(running.server), "an archive has not ended")
    assert len(archive(running)["large.png"]) == 64 * 1024 * 1024


def test_the_memory_of_an_archive_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = rounds(2000)
    monkeypatch.setattr(archive_responder, "IN_MEMORY", 50 * count)
    root = tmp_path / "root"
    root.mkdir()
    for number in range(count):
        os.close(os.open(root / f"{number:06}-with-a-name-that-takes-some-room", os.O_CREAT | os.O_WRONLY))
    with open(root / "large.png", "wb") as file:
        file.truncate(32 * 1024 * 1024)
    from tpserver.files.folder import Folder
    from tpserver.files.found import Listing

    folder = Folder(root, listing=True)
    found = folder.find("/", 1)
    assert isinstance(found, Listing)
    responder = archive_responder.ArchiveResponder(folder, found, archive_responder.Archives())
    tracemalloc.start()
    try:
        total = sum(len(piece) for piece in archive_responder._joined(responder._pieces()))
        assert total > 32 * 1024 * 1024
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_an_archive_that_fails_half_way_does_not_look_complete(
    start: Start, large: Path, monkeypatch: pytest.MonkeyPatch, log: Any
) -> None:
    def failing(file: Any, size: int) -> Iterator[bytes]:
        yield b"x" * 100_000
        raise OSError("of this test")

    monkeypatch.setattr(archive_responder, "_read", failing)
    running = start(root=large, archive=True)
    with Client(running) as client, pytest.raises((AssertionError, ConnectionError)):
        client.ask("/" + ZIP)
    eventually(lambda: "broken off: of this test" in log.text, "the cause is not logged")
    monkeypatch.undo()
    assert "large.png" in archive(running), "its place was not given back"


def test_a_file_that_is_removed_meanwhile_is_left_out(
    start: Start, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start(root=root, archive=True)
    real = archive_responder.entry_of

    def removing(folder: Any, names: Any, parent: str, found: Any) -> Any:
        entry = real(folder, names, parent, found)
        if found.name == "b.png":
            (root / "sub" / "b.png").unlink()
        return entry

    monkeypatch.setattr(archive_responder, "entry_of", removing)
    assert set(archive(running)) == {"a.txt", "empty/", "sub/", "sub/deep/", "sub/deep/\u00e9.txt"}


def test_a_tree_with_too_many_folders_is_broken_off(
    start: Start, root: Path, monkeypatch: pytest.MonkeyPatch, log: Any
) -> None:
    monkeypatch.setattr(archive_responder, "MAX_PENDING", 1)
    running = start(root=root, archive=True)
    with Client(running) as client, pytest.raises((AssertionError, ConnectionError)):
        client.ask("/" + ZIP)
    eventually(lambda: "too many folders" in log.text, "the cause is not logged")
