"""Large folders: nothing waits while one is listed, and a slow client does not hold the thread that lists it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests import inside
from tests.client import CLOSE, PATIENCE, Client, ask, request
from tests.running import Running, Start
from tests.waiting import eventually
from tpserver.files import listing_entries
from tpserver.files import listing_responder as listing

JSON = "Accept: application/json"


class Gate:
    """Stops the threads that list a folder in the middle of it, until it is opened."""

    def __init__(self) -> None:
        self.waiting = 0
        self._open = threading.Event()
        self._lock = threading.Lock()

    def listed(self, name: str, *, windows: bool, dot_files: bool) -> bool:
        """Stands where a name is judged."""
        if name == "-gate" and not self._open.is_set():
            with self._lock:
                self.waiting += 1
            assert self._open.wait(PATIENCE)
        return True

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(listing_entries, "allowed", gate.listed)
    yield gate
    gate.open()


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that any file makes a large folder."""
    monkeypatch.setattr(listing, "LARGE", 0)


def fill(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        os.close(os.open(folder / f"{number:06}-with-a-name-that-takes-some-room", os.O_CREAT | os.O_WRONLY))
    return folder


def gated(folder: Path) -> Path:
    folder.mkdir()
    (folder / "-gate").touch()
    return folder


def open_at(running: Running, target: str, *lines: str, version: str = "1.1") -> Client:
    client = Client(running)
    client.send(request(target, *lines, version=version))
    return client


def finished(running: Running) -> Callable[[], bool]:
    """Whether no thread of the server is at a request."""
    return lambda: not inside.running(running.server)


@pytest.fixture
def huge(tmp_path: Path) -> Iterator[Path]:
    """Taken away at once: what tests leave is kept for a while, and 100 000 files are many."""
    yield fill(tmp_path / "huge", 100_000)
    shutil.rmtree(tmp_path / "huge")


@pytest.mark.slow
def test_100_000_entries_are_listed_while_a_quick_request_is_answered(
    start: Start, tmp_path: Path, gate: Gate, huge: Path
) -> None:
    (huge / "-gate").touch()
    (tmp_path / "quick.txt").write_bytes(b"quick")
    running = start(root=tmp_path, listing=True)
    with open_at(running, "/huge/?order=desc", JSON) as client:
        eventually(lambda: gate.waiting == 1, "the folder is not being listed")
        assert ask(running, "/quick.txt", CLOSE).content == b"quick"
        gate.open()
        response = client.response()
        assert ask(running, "/quick.txt", CLOSE).content == b"quick"
        found = [entry["name"] for entry in json.loads(response.content)]
        assert (response.status, len(found)) == (200, 100_001)
        assert found == sorted(found, reverse=True)
        assert client.ask("/quick.txt").content == b"quick", "the connection does not go on"


def test_two_large_listings_are_made_at_once_and_a_third_gets_503(
    start: Start, tmp_path: Path, gate: Gate, small_limits: None
) -> None:
    gated(tmp_path / "large")
    (tmp_path / "quick.txt").write_bytes(b"quick")
    running = start(root=tmp_path, listing=True)
    with open_at(running, "/large/", JSON, CLOSE) as one, open_at(running, "/large/", JSON, CLOSE) as two:
        eventually(lambda: gate.waiting == 2, "the folder is not being listed twice")
        refused = ask(running, "/large/", CLOSE)
        assert (refused.status, refused.fields["retry-after"]) == (503, "2")
        assert ask(running, "/quick.txt", CLOSE).content == b"quick"
        gate.open()
        for client in (one, two):
            assert json.loads(client.response().content)[0]["name"] == "-gate"
    eventually(finished(running), "a listing has not ended")
    assert ask(running, "/large/", CLOSE).status == 200


def test_small_folders_are_listed_whatever_large_ones_are(start: Start, tmp_path: Path, gate: Gate) -> None:
    gated(tmp_path / "waits")
    fill(tmp_path / "small", 3)
    running = start(root=tmp_path, listing=True)
    with ExitStack() as stack:
        for number in range(listing.AT_ONCE + 1):
            stack.enter_context(open_at(running, "/waits/", CLOSE))
            eventually(lambda wanted=number + 1: gate.waiting == wanted, "the folder is not being listed")  # type: ignore[misc]
        assert ask(running, "/small/", CLOSE).status == 200
        gate.open()


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch, small_limits: None) -> list[Any]:
    """Listings are larger than sockets hold, and wait on disk; their connections are listed here."""
    stored: list[Any] = []
    remember = listing.LargeListings.add_on_disk

    def add_on_disk(self: listing.LargeListings, wire: Any) -> None:
        remember(self, wire)
        stored.append(wire)

    monkeypatch.setattr(listing.LargeListings, "add_on_disk", add_on_disk)
    monkeypatch.setattr(listing, "json_list", lambda entries, view: (b"x" * 65536 for _ in range(400)))
    return stored


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_client_that_does_not_read_holds_no_thread_and_gets_all_later(
    start: Start, tmp_path: Path, stored: list[Any], version: str
) -> None:
    fill(tmp_path / "large", 3)
    running = start(root=tmp_path, listing=True)
    with open_at(running, "/large/", JSON, version=version) as client:
        eventually(lambda: bool(stored), "nothing was stored")
        eventually(finished(running), "the thread waits for the client")
        response = client.response()
    assert (response.status, response.content == b"x" * 65536 * 400) == (200, True)
    assert response.fields["content-length"] == str(65536 * 400)


def test_clients_that_do_not_read_large_listings_cannot_fill_the_disk(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: list[Any]
) -> None:
    monkeypatch.setattr(listing, "MAX_ON_DISK", 2)
    fill(tmp_path / "large", 3)
    running = start(root=tmp_path, listing=True)
    with ExitStack() as lagging:
        clients = []
        for number in range(2):
            clients.append(lagging.enter_context(open_at(running, "/large/", JSON)))
            eventually(lambda wanted=number + 1: len(stored) == wanted, "nothing was stored")  # type: ignore[misc]
        assert ask(running, "/large/", CLOSE).status == 503
        assert len(clients[0].response().content) == 400 * 65536
        eventually(lambda: ask(running, "/large/", CLOSE).status == 200, "the one that has read all still counts")


def test_a_client_that_has_gone_does_not_count(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: list[Any]
) -> None:
    monkeypatch.setattr(listing, "MAX_ON_DISK", 1)
    fill(tmp_path / "large", 3)
    running = start(root=tmp_path, listing=True)
    client = open_at(running, "/large/", JSON)
    eventually(lambda: bool(stored), "nothing was stored")
    assert ask(running, "/large/", CLOSE).status == 503
    client.reset()
    eventually(lambda: ask(running, "/large/", CLOSE).status == 200, "the one that has left still counts")


def test_nothing_is_sent_of_a_listing_that_fails_half_way(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_limits: None, log: Any
) -> None:
    fill(tmp_path / "large", 3)

    def failing(entries: Any, view: Any) -> Iterator[bytes]:
        yield b"x"
        raise RuntimeError("of this test")

    monkeypatch.setattr(listing, "json_list", failing)
    running = start(root=tmp_path, listing=True)
    with open_at(running, "/large/", JSON) as client:
        received = b""
        with suppress(ConnectionResetError):
            received = client.sock.recv(65536)
    assert received == b""
    eventually(lambda: "of this test" in log.text, "the cause is not logged")
    monkeypatch.undo()
    assert ask(running, "/large/", CLOSE).status == 200, "its place was not given back"


def test_where_the_disk_is_full_a_large_listing_is_503(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: list[Any], log: Any
) -> None:
    def full(*how: Any, **more: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    fill(tmp_path / "large", 3)
    running = start(root=tmp_path, listing=True)
    assert ask(running, "/large/", JSON, CLOSE).status == 503
    assert "No space left on device" in log.text
    monkeypatch.undo()
    assert ask(running, "/large/", CLOSE).status == 200, "its place was not given back"


def test_a_folder_that_cannot_be_opened_for_want_of_descriptors_is_503(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    running = start(root=tmp_path, listing=True)
    failure = [errno.EMFILE]

    def failing(path: str) -> Any:
        raise OSError(failure[0], "of this test", path)

    monkeypatch.setattr(os, "scandir", failing)
    assert ask(running, "/sub/", CLOSE).status == 503
    failure[0] = errno.ENOENT
    assert ask(running, "/sub/", CLOSE).status == 404
