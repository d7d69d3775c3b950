"""Files are renamed, replaced and deleted while a slow client reads them, and logs while they are written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client import Client, ask, request
from tests.running import Start
from tests.waiting import eventually
from tpserver.files import opening
from tpserver.files.folder import Folder

SIZE = 8_000_000  # more than the sockets' buffers take


def rename(path: Path) -> None:
    path.rename(path.with_name("renamed"))


def delete(path: Path) -> None:
    path.unlink()


def put_aside_and_write_anew(path: Path) -> None:
    path.rename(path.with_name("old"))
    path.write_bytes(b"new")


@pytest.mark.parametrize("change", [rename, delete, put_aside_and_write_anew])
def test_a_slow_client_does_not_hold_a_file_and_gets_the_rest_of_it(
    start: Start, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * SIZE)
    running = start(root=tmp_path)
    with Client(running, receive_buffer=4096) as client:
        client.send(request("/large.bin"))
        assert client.head().status == 200
        change(path)
        assert ask(running, "/large.bin").status == (200 if path.exists() else 404)
        assert client.read(SIZE) == b"x" * SIZE


def test_the_access_log_is_renamed_while_it_is_written(start: Start, tmp_path: Path) -> None:
    log, old = tmp_path / "access.log", tmp_path / "access.log.1"
    (tmp_path / "site").mkdir()
    log.write_bytes(b"a line of before\n")
    running = start(root=tmp_path / "site", access_log=str(log))
    ask(running, "/one")
    eventually(lambda: b"/one" in log.read_bytes(), "the line is not written")
    log.rename(old)
    ask(running, "/two")
    eventually(lambda: b"/two" in old.read_bytes(), "the line is not written")
    assert old.read_bytes().startswith(b"a line of before\n")


@pytest.mark.skipif(
    sys.platform != "win32", reason="elsewhere each folder on the path is opened without following links"
)
def test_what_a_junction_leads_to_instead_is_not_sent(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a folder became a junction between the check of the path and the opening: another file is opened."""
    root = tmp_path / "root"
    for path in (root / "sub" / "page.txt", tmp_path / "secret" / "page.txt"):
        path.parent.mkdir(parents=True)
        path.write_bytes(str(path).encode())
    (root / "sub" / "large.bin").write_bytes(bytes(1_000_000))
    for name in ("open_to_read", "open_folder"):
        original = getattr(opening, name)

        def swapped(path: str, original: Callable[[str], int] = original) -> int:
            return original(path.replace("root\\sub", "secret"))

        monkeypatch.setattr(opening, name, swapped)
    running = start(root=root, listing=True)
    for target in ("/sub/page.txt", "/sub/large.bin", "/sub/"):
        answer = ask(running, target)
        assert (answer.status, b"secret" in answer.content) == (404, False)


@pytest.mark.skipif(sys.platform != "win32", reason="junctions are of Windows")
def test_a_junction_in_the_place_of_a_folder_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import _winapi

    root = tmp_path / "root"
    for path in (root / "sub" / "page.txt", tmp_path / "secret" / "page.txt"):
        path.parent.mkdir(parents=True)
        path.write_bytes(str(path).encode())
    junction = tmp_path / "junction"
    try:
        _winapi.CreateJunction(str(tmp_path / "secret"), str(junction))  # type: ignore[attr-defined]
    except OSError as error:
        pytest.skip(f"no junctions here: {error}")
    if not (junction / "page.txt").exists():
        pytest.skip("no junctions here: wine says that it has made one, and has not")
    resolve = Folder.real_path

    def then_swapped(self: Folder, name: str) -> str | None:
        real = resolve(self, name)
        if real and real.endswith("page.txt") and junction.exists():
            (root / "sub").rename(root / "away")
            junction.rename(root / "sub")
        return real

    monkeypatch.setattr(Folder, "real_path", then_swapped)
    assert Folder(root).find("/sub/page.txt", 1) is None


@pytest.mark.skipif(os.name != "nt", reason="Windows marks files as hidden, and has a longest path")
@pytest.mark.parametrize("attribute", [2, 4])
def test_a_file_or_folder_that_windows_hides_is_hidden(start: Start, tmp_path: Path, attribute: int) -> None:
    import ctypes

    for name in ("desktop.ini", "shown.ini", "$Recycle.Bin/inside.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"content")
    for name in ("desktop.ini", "$Recycle.Bin"):
        ctypes.WinDLL("kernel32").SetFileAttributesW(str(tmp_path / name), attribute)  # type: ignore[attr-defined]
        if not os.lstat(tmp_path / name).st_file_attributes & attribute:  # type: ignore[attr-defined]
            pytest.skip("no such attribute here")
    running = start(root=tmp_path, listing=True)
    assert [ask(running, target).status for target in ("/desktop.ini", "/$Recycle.Bin/inside.txt")] == [404, 404]
    assert ask(running, "/shown.ini").status == 200
    page = ask(running, "/").content
    assert (b"shown.ini" in page, b"desktop.ini" in page, b"Recycle" in page) == (True, False, False)
