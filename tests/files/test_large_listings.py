"""Large folders: nothing waits while one is listed, and a slow client does not hold the thread that lists it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import inside
from tests.client import CLOSE, PATIENCE, Client, ask, request
from tests.running import Running, Start
from tests.waiting import eventually
from tpserver.files import listing_responder as listing

JSON = "Accept: application/json"


class Gate:
    """Stops the threads that list a folder in the middle of it, until it is opened."""

    def __init__(self) -> None:
        self.waiting = 0
        self._open = threading.Event()
        self._lock = threading.Lock()

    def listed(self, name: str, *, windows: bool) -> bool:
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
    monkeypatch.setattr(listing, "allowed", gate.listed)
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
        assert (response.status, response.fields["transfer-encoding"], len(found)) == (200, "chunked", 100_001)
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


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_client_that_does_not_read_holds_no_thread_and_gets_all_later(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_limits: None, version: str
) -> None:
    monkeypatch.setattr(listing, "IN_MEMORY", 64 * 1024)
    stored: list[int] = []
    real = listing._store

    def counted(*how: Any) -> int:
        stored.append(real(*how))
        return stored[-1]

    monkeypatch.setattr(listing, "_store", counted)
    fill(tmp_path / "large", 3)
    # More than sockets hold.
    monkeypatch.setattr(listing, "json_list", lambda entries, view: (b"x" * 65536 for _ in range(400)))
    running = start(root=tmp_path, listing=True)
    with open_at(running, "/large/", JSON, version=version) as client:
        eventually(lambda: bool(stored), "nothing was stored")
        eventually(finished(running), "the thread waits for the client")
        assert stored[0] > 10 * 65536
        response = client.response()
    assert (response.status, response.content == b"x" * 65536 * 400) == (200, True)
    assert ("transfer-encoding" in response.fields) == (version == "1.1")


def test_clients_that_do_not_read_large_listings_cannot_fill_the_disk(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_limits: None
) -> None:
    monkeypatch.setattr(listing, "IN_MEMORY", 64 * 1024)
    monkeypatch.setattr(listing, "MAX_ON_DISK", 2)
    fill(tmp_path / "large", 3)
    monkeypatch.setattr(listing, "json_list", lambda entries, view: (b"x" * 65536 for _ in range(400)))
    stored: list[Any] = []
    remember = listing.LargeListings.add_on_disk

    def lags(self: listing.LargeListings, wire: Any) -> None:
        remember(self, wire)
        stored.append(wire)

    monkeypatch.setattr(listing.LargeListings, "add_on_disk", lags)
    running = start(root=tmp_path, listing=True)
    with ExitStack() as lagging:
        clients = []
        for number in range(2):
            clients.append(lagging.enter_context(open_at(running, "/large/", JSON)))
            eventually(lambda wanted=number + 1: len(stored) == wanted, "nothing was stored")  # type: ignore[misc]
        assert ask(running, "/large/", CLOSE).status == 503
        assert len(clients[0].response().content) == 400 * 65536
        eventually(lambda: ask(running, "/large/", CLOSE).status == 200, "the one that has read all still counts")


def test_a_client_that_has_gone_ends_its_listing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_limits: None
) -> None:
    fill(tmp_path / "large", 3)
    made: list[int] = []
    gone = threading.Event()

    def endless(entries: Any, view: Any) -> Iterator[bytes]:
        assert gone.wait(PATIENCE)
        while True:
            made.append(1)
            yield b"x"  # it never ends, and so it must be ended

    monkeypatch.setattr(listing, "json_list", endless)
    running = start(root=tmp_path, listing=True)
    open_at(running, "/large/", JSON).reset()
    gone.set()
    eventually(lambda: bool(made) and not inside.running(running.server), "it is listed although its client has left")
    assert ask(running, "/large/", CLOSE).status == 200


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_listing_that_fails_half_way_does_not_pass_for_whole(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_limits: None, log: Any, version: str
) -> None:
    fill(tmp_path / "large", 3)

    def failing(entries: Any, view: Any) -> Iterator[bytes]:
        yield b"x"
        raise RuntimeError("of this test")

    monkeypatch.setattr(listing, "json_list", failing)
    running = start(root=tmp_path, listing=True)
    with open_at(running, "/large/", JSON, version=version) as client:
        received = b""
        try:
            while data := client.sock.recv(65536):
                received += data
            reset = False
        except ConnectionResetError:
            reset = True
    assert not received.endswith(b"0\r\n\r\n")
    assert reset or version == "1.1"
    eventually(lambda: "of this test" in log.text, "the cause is not logged")
    monkeypatch.undo()
    assert ask(running, "/large/", CLOSE).status == 200, "its place was not given back"


def test_a_full_disk_breaks_a_slow_clients_listing_off(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_limits: None, log: Any
) -> None:
    monkeypatch.setattr(listing, "IN_MEMORY", 0)

    def full(*how: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(listing, "_store", full)
    monkeypatch.setattr(listing, "json_list", lambda entries, view: (b"x" * 65536 for _ in range(400)))
    fill(tmp_path / "large", 3)
    running = start(root=tmp_path, listing=True)
    with Client(running) as client:
        client.send(request("/large/", JSON))
        eventually(lambda: "No space left on device" in log.text, "the cause is not logged")
        with pytest.raises((ConnectionResetError, AssertionError, ValueError)):
            client.response()


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
