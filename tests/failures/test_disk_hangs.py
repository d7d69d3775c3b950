"""A disk that does not answer: what is on it gets 503, all else is answered, however many requests wait for it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import inside
from tests.client import CLOSE, PATIENCE, Client, request, several
from tests.clock import Clock
from tests.gates import Gates
from tests.logged import errors
from tests.running import Running, Start
from tests.waiting import turns, until, until_left, until_settled
from tpserver.engine import hanging
from tpserver.engine.hanging import MOST
from tpserver.engine.leadership import Leadership

MANY = 80
LARGE = 4_000_000


# The threads that wait for a disk.
WAITING: set[int] = set()


class Disk:
    """A folder whose disk can be made to hang: every look at a path below it, and every read of a file from it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._answers = threading.Event()
        self._answers.set()
        self._devices: set[int] = set()
        for name in ("access", "stat", "lstat", "open"):
            monkeypatch.setattr(os, name, self._hanging(getattr(os, name)))
        close = os.close

        def close_file(file: int) -> None:
            if os.fstat(file).st_ino in self._devices:
                self.wait()
            close(file)

        monkeypatch.setattr(os, "close", close_file)
        if hasattr(os, "sendfile"):
            send = os.sendfile

            def sendfile(out: int, file: int, offset: int, count: int) -> int:
                if os.fstat(file).st_ino in self._devices:
                    self.wait()
                return send(out, file, offset, count)

            monkeypatch.setattr(os, "sendfile", sendfile)

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._devices.add(path.stat().st_ino)

    def wait(self) -> None:
        """What a thread does that looks at it, or reads from it."""
        thread = threading.get_ident()
        WAITING.add(thread)
        try:
            self._answers.wait(PATIENCE)
        finally:
            WAITING.discard(thread)

    def hang(self) -> None:
        self._answers.clear()

    def answer(self) -> None:
        self._answers.set()

    def _hanging(self, call: Any) -> Any:
        def hung(path: Any, *given: Any, **more: Any) -> Any:
            if isinstance(path, str) and path.startswith(str(self.folder)):
                self.wait()
            return call(path, *given, **more)

        return hung


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(monkeypatch, tmp_path / "mount")
    yield disk
    disk.answer()


@pytest.fixture(autouse=True)
def others_are_not_relieved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what waits for a disk is relieved, and nothing because the machine is busy: it would be counted too."""
    relieve = Leadership.relieve

    def relieve_what_waits(self: Leadership, attention_id: int, hand_on: Any) -> int | None:
        return relieve(self, attention_id, hand_on) if self.thread in WAITING else None

    monkeypatch.setattr(Leadership, "relieve", relieve_what_waits)


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is taken to hang at once."""
    monkeypatch.setattr(hanging, "PATIENCE", 0.0)


@pytest.fixture
def site(tmp_path: Path, disk: Disk) -> str:
    (tmp_path / "other").mkdir()
    for number in range(MANY):
        disk.write(f"{number}.txt", b"%d" % number)
        disk.write(f"sub{number}/file.txt", b"%d" % number)
        (tmp_path / "other" / f"{number}.txt").write_bytes(b"other %d" % number)
    return str(tmp_path)


def detours(running: Running) -> int:
    return len(running.server.tasks.detours)


def until_still(running: Running) -> None:
    """Until the clients' sockets take nothing more of their files."""

    def left() -> list[int]:
        outboxes = [one.outbox for one in running.server.connections.by_fd.copy().values()]
        return [part.remaining for outbox in outboxes if outbox for part in list(outbox._parts)]  # type: ignore[union-attr]

    seen: list[list[int]] = []
    until_settled(running)
    while len(seen) < 3 or not seen[-3] == seen[-2] == seen[-1]:
        turns(running, 10)
        seen.append(left())
    until_settled(running)


def until_hung(running: Running, count: int) -> None:
    until(running, lambda: detours(running) == count <= len(WAITING))  # other threads may wait to close files


def hang_one_after_another(running: Running, clients: list[Client], target: str) -> int:
    """How many hang of so many that ask for a file: the others got 503."""
    hung = 0
    for number, client in enumerate(clients):
        client.send(request(target.format(number)))
        if hung < MOST:
            hung += 1
            until_hung(running, hung)
    refused = [client.response() for client in clients[MOST:]]
    assert {one.status for one in refused} == {503}
    assert {one["Retry-After"] for one in refused} == {"5"}
    return hung


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("target", ["/mount/{}.txt", "/mount/sub{}/file.txt"], ids=["one folder", "many folders"])
def test_others_are_answered_however_many_requests_hang(
    start: Start, disk: Disk, site: str, gates: Gates, target: str, log: pytest.LogCaptureFixture
) -> None:
    running = start(gates, root=site)
    with several(running, MANY) as clients, Client(running) as other:
        assert other.ask("/other/0.txt").content == b"other 0"
        disk.hang()
        assert hang_one_after_another(running, clients, target) == MOST
        for number in range(MANY):
            assert other.ask(f"/other/{number}.txt").content == b"other %d" % number
        assert other.ask("/application").content == b"/application "
        assert other.ask("/mount/new.txt").status == 503
        assert other.ask("/mount/new.txt", method="POST", content=b"x").content == b"/mount/new.txt x"
        disk.answer()
        for number, client in enumerate(clients[:MOST]):
            assert client.response().content == b"%d" % number
        until_hung(running, 0)
        assert other.ask(target.format(MANY - 1)).content == b"%d" % (MANY - 1)
    assert running.server.stats()["refused"]["disk hangs"] == MANY - MOST + 1
    assert len([line for line in errors(log) if "/mount/" in line]) == 1


@pytest.mark.usefixtures("no_patience")
def test_an_application_goes_on_where_the_whole_folder_hangs(start: Start, disk: Disk, gates: Gates) -> None:
    disk.write("known.txt", b"known")
    disk.write("large.bin", b"x" * 200_000)
    running = start(gates, root=str(disk.folder))
    with several(running, MANY) as clients, Client(running) as other:
        assert other.ask("/known.txt").content == b"known"
        assert len(other.ask("/large.bin").content) == 200_000
        until_settled(running)  # it is closed
        disk.hang()
        for number, client in enumerate(clients):
            client.send(request(f"/page{number}"))
            if number < MOST:
                until(running, lambda hung=number + 1: detours(running) == hung)  # type: ignore[misc]
        for number, client in list(enumerate(clients))[MOST:]:
            assert client.response().content == b"/page%d " % number
        assert other.ask("/known.txt").content == b"known"  # from memory
        assert other.ask("/large.bin").status == 503
        disk.answer()
        for number, client in enumerate(clients[:MOST]):
            assert client.response().content == b"/page%d " % number


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("mounted", [False, True])
def test_what_is_in_memory_stays_protected_and_marked_where_its_disk_hangs(
    start: Start, disk: Disk, tmp_path: Path, mounted: bool
) -> None:
    disk.write("known.txt", b"known")
    disk.write("free.txt", b"free")
    key = hashlib.scrypt(b"right", salt=b"s" * 16, n=2, r=8, p=1, dklen=32)
    users = tmp_path / "users.txt"
    users.write_text(f"ann:scrypt$2$8$1${b64encode(b's' * 16).decode()}${b64encode(key).decode()}\n", "utf-8")
    ann = "Authorization: Basic " + b64encode(b"ann:right").decode()
    prefix = "/m" if mounted else ""
    where: dict[str, Any] = {"mount": [f"/m={disk.folder}"]} if mounted else {"root": str(disk.folder)}
    running = start(**where, auth=[f"known.txt={users}"], cors=["*"], redirect=[f"{prefix}/old={prefix}/new"])
    with several(running, MANY) as clients, Client(running) as other:
        assert other.ask(f"{prefix}/free.txt").content == b"free"
        assert other.ask(f"{prefix}/known.txt", ann).content == b"known"
        disk.hang()
        hang_one_after_another(running, clients, prefix + "/{}.txt")
        free = other.ask(f"{prefix}/free.txt")
        assert (free.content, free["Access-Control-Allow-Origin"]) == (b"free", "*")
        assert other.ask(f"{prefix}/known.txt").status == 401
        assert other.ask(f"{prefix}/known.txt", ann).content == b"known"
        assert other.ask(f"{prefix}/old").status == 302
        disk.answer()


def test_many_requests_at_once_are_not_taken_for_a_disk_that_hangs(
    start: Start, disk: Disk, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a second to answer one of them."""
    monkeypatch.setattr(hanging, "PATIENCE", 1e9)
    running = start(root=site)
    with several(running, 2 * MOST) as clients:
        disk.hang()
        for number, client in enumerate(clients):
            client.send(request(f"/mount/{number}.txt"))
        until_hung(running, 2 * MOST)
        disk.answer()
        assert [client.response().status for client in clients] == [200] * 2 * MOST


def test_there_is_a_bound_for_those_at_once_beyond_which_no_second_is_waited(
    start: Start, disk: Disk, site: str, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hanging, "PATIENCE", 1e9)
    running = start(gates, root=site)
    with several(running, MANY) as clients, Client(running) as other:
        disk.hang()
        for number, client in enumerate(clients):
            client.send(request(f"/mount/sub{number}/file.txt"))
        until_hung(running, hanging.MANY)
        until(running, lambda: running.server.stats()["refused"] == {"disk hangs": MANY - hanging.MANY})
        assert other.ask("/other/0.txt").content == b"other 0"
        assert other.ask("/application").content == b"/application "
        disk.answer()
        statuses = sorted(client.response().status for client in clients)
        assert statuses == [200] * hanging.MANY + [503] * (MANY - hanging.MANY)


@pytest.mark.usefixtures("no_patience")
def test_a_disk_of_which_one_has_come_back_gets_more(start: Start, disk: Disk, site: str) -> None:
    running = start(root=site)
    with several(running, MOST) as clients, Client(running) as other:
        disk.hang()
        for number, client in enumerate(clients):
            client.send(request(f"/mount/{number}.txt"))
            until_hung(running, number + 1)
        assert other.ask("/mount/20.txt").status == 503
        assert running.server.protocol.place_name() == ""  # a leader that refuses, and is relieved, waits for no disk
        running.server.hanging.note_answer("/mount/0.txt")  # as a leader does that comes back
        other.send(request("/mount/20.txt"))
        until_hung(running, MOST + 1)
        disk.answer()
        assert other.response().status == 200


@pytest.mark.usefixtures("no_patience")
def test_a_slow_disk_is_not_taken_for_one_that_hangs(start: Start, disk: Disk, site: str) -> None:
    """Many wait at once, but some are answered in the meantime."""
    running = start(root=site)
    with several(running, MOST - 1) as first, Client(running) as other, Client(running) as last:
        disk.hang()
        for number, client in enumerate(first):
            client.send(request(f"/mount/{number}.txt"))
            until_hung(running, number + 1)
        running.server.hanging.note_answer("/mount/79.txt")
        other.send(request("/mount/20.txt"))
        until_hung(running, MOST)
        last.send(request("/mount/21.txt"))
        until_hung(running, MOST + 1)
        disk.answer()
        for client in (*first, other, last):
            assert client.response().status == 200


@pytest.mark.usefixtures("no_patience")
@pytest.mark.skipif(not hasattr(os, "sendfile"), reason="this system has no sendfile")
def test_downloads_from_a_disk_that_hangs_are_reset_and_others_go_on(start: Start, disk: Disk, site: str) -> None:
    disk.write("large.bin", b"x" * LARGE)
    running = start(root=site)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(running, receive_buffer=4096)) for _ in range(MOST + 8)]
        for client in clients:
            client.send(request("/mount/large.bin", CLOSE))
            assert client.head().status == 200
        until_still(running)
        disk.hang()
        read: list[int | ConnectionResetError] = []
        readers = [threading.Thread(target=_read_all, args=(client, read)) for client in clients]
        for number, reader in enumerate(readers):
            reader.start()
            if number < MOST:
                until_hung(running, number + 1)
            else:
                reader.join(PATIENCE)
                assert isinstance(read[-1], ConnectionResetError)
        with Client(running) as other:
            assert other.ask("/other/1.txt").content == b"other 1"
        disk.answer()
        for reader in readers:
            reader.join(PATIENCE)
        assert read[8:] == [LARGE] * MOST
    assert running.server.stats()["ended"] == {"disk hangs": 8}
    until_left(running, 0)


def _read_all(client: Client, read: list[int | ConnectionResetError]) -> None:
    try:
        read.append(len(client.stream.read()))
    except ConnectionResetError as error:
        read.append(error)


@pytest.mark.usefixtures("no_patience")
def test_slow_readers_of_a_disk_that_hangs_are_ended_although_their_files_cannot_be_closed(
    start: Start, disk: Disk, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    disk.write("large.bin", b"x" * LARGE)
    running = start(root=site)
    count = MOST + 8
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(Client(running, receive_buffer=4096))
            client.send(request("/mount/large.bin"))
            assert client.head().status == 200
        until_still(running)
        disk.hang()
        clock.now += 40
        inside.check_deadlines_soon(running.server)
        until(running, lambda: running.server.stats()["ended"] == {"slow reader": count})
        with Client(running) as other:
            assert other.ask("/other/1.txt").content == b"other 1"
            until_hung(running, 1)  # the first one; from then on other threads close them
            disk.answer()
    until_left(running, 0)


@pytest.mark.usefixtures("no_patience")
def test_files_are_looked_for_no_more_when_almost_all_leaders_hang(
    start: Start, disk: Disk, site: str, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hanging, "MOST", 2)
    monkeypatch.setattr(hanging, "ALL", 3)
    running = start(gates, root=site)
    with several(running, 3) as clients, Client(running) as other:
        disk.hang()
        for number, client in enumerate(clients):
            client.send(request(f"/mount/sub{number}/file.txt"))
            until_hung(running, number + 1)
            running.server.hanging.note_answer("/mount/here")
        assert other.ask("/other/0.txt").status in (404, 200)  # an application answers what is not known
        assert other.ask("/application").content == b"/application "
        disk.answer()
        assert [client.response().status for client in clients] == [200] * 3
