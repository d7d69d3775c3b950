"""Downloads that break in the middle and are taken up again, by the programs that people use for it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import PATIENCE
from tests.running import Start

SIZE = 3_000_001
PART = 700_000


class Relay:
    """A way to a server that breaks off each connection after PART bytes, until it is `mended`."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.mended = False
        self.asked: list[bytes] = []  # what clients have sent
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/file.bin"
        self._sockets: list[socket.socket] = []  # closed at the end, when no thread can wait for one that has gone
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listening.accept()
            if not self._threads:
                client.close()
                return
            server = socket.create_connection(self._server, timeout=PATIENCE)
            client.settimeout(PATIENCE)
            self._sockets += client, server
            for work in ((self._up, client, server), (self._down, client, server)):
                self._threads.append(threading.Thread(target=work[0], args=work[1:]))
                self._threads[-1].start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(65536):
                self.asked.append(data)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        left = SIZE * 2 if self.mended else PART
        with contextlib.suppress(OSError):
            while left > 0 and (data := server.recv(min(left, 65536))):
                left -= len(data)
                client.sendall(data)
        for one in (client, server):
            with contextlib.suppress(OSError):  # it has gone already
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        threads, self._threads = self._threads, []
        socket.create_connection(self._listening.getsockname()).close()
        for thread in threads:
            thread.join(PATIENCE)
        for one in (*self._sockets, self._listening):
            one.close()


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return random.Random(SIZE).randbytes(SIZE)


@pytest.fixture
def relay(start: Start, tmp_path: Path, content: bytes) -> Iterator[Relay]:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file.bin").write_bytes(content)
    relay = Relay(start(root=str(tmp_path / "root"), drain_timeout=1.0).address)
    yield relay
    relay.close()


def run(*command: str, cwd: Path, **how: Any) -> int:
    """Runs a program, or skips the test where there is none of that name; its exit status."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**environment, "HOME": str(cwd)},
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        **how,
    )
    return done.returncode


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def check(relay: Relay, cwd: Path, content: bytes, broken: list[str], resumed: list[str]) -> None:
    """A program leaves a part; when the way is mended it gets the rest, and no more than that."""
    assert run(*broken, relay.url, cwd=cwd, stderr=subprocess.DEVNULL) != 0
    path = cwd / "file.bin"
    assert 0 < path.stat().st_size < SIZE
    relay.mended = True
    relay.asked.clear()
    assert run(*resumed, relay.url, cwd=cwd) == 0
    assert digest(path.read_bytes()) == digest(content)
    assert b"\r\nrange: bytes=" in b"".join(relay.asked).lower()


def test_wget_goes_on_where_it_was_broken_off(relay: Relay, tmp_path: Path, content: bytes) -> None:
    check(relay, tmp_path, content, ["wget", "-q", "--tries=1"], ["wget", "-q", "-c", "--tries=1"])
    # Once it has everything there is nothing beyond the end: 416, which it takes for that.
    assert run("wget", "-q", "-c", "--tries=1", relay.url, cwd=tmp_path) == 0
    assert digest((tmp_path / "file.bin").read_bytes()) == digest(content)


def test_wget_starts_anew_by_itself_and_goes_on_from_there(relay: Relay, tmp_path: Path, content: bytes) -> None:
    assert run("wget", "-q", "--tries=10", "--waitretry=0", relay.url, cwd=tmp_path) == 0
    assert digest((tmp_path / "file.bin").read_bytes()) == digest(content)
    assert b"".join(relay.asked).lower().count(b"\r\nrange: bytes=") >= 4


def test_curl_goes_on_where_it_was_broken_off(relay: Relay, tmp_path: Path, content: bytes) -> None:
    curl = ["curl", "-s", "-S", "-f", "-o", "file.bin"]
    check(relay, tmp_path, content, curl, [*curl, "-C", "-"])


def test_curl_gets_the_rest_as_a_range(relay: Relay, tmp_path: Path, content: bytes) -> None:
    assert run("curl", "-s", "-o", "file.bin", relay.url, cwd=tmp_path) != 0
    got = (tmp_path / "file.bin").read_bytes()
    assert 0 < len(got) < SIZE
    relay.mended = True
    assert run("curl", "-s", "-S", "-f", "-r", f"{len(got)}-", "-o", "rest.bin", relay.url, cwd=tmp_path) == 0
    assert digest(got + (tmp_path / "rest.bin").read_bytes()) == digest(content)


def test_curl_gets_a_file_in_parts(relay: Relay, tmp_path: Path, content: bytes) -> None:
    relay.mended = True
    step = 1_000_000
    for number in range(4):
        asked = f"{number * step}-{(number + 1) * step - 1}"
        assert run("curl", "-s", "-S", "-f", "-r", asked, "-o", str(number), relay.url, cwd=tmp_path) == 0
    assert digest(b"".join((tmp_path / str(number)).read_bytes() for number in range(4))) == digest(content)


def test_aria2_gets_a_file_in_parts_and_goes_on_where_they_were_broken_off(
    relay: Relay, tmp_path: Path, content: bytes
) -> None:
    aria2 = ["aria2c", "-q", "-x4", "-s4", "-k1M", "--file-allocation=none", "--max-tries=1", "--no-conf", "-c"]
    check(relay, tmp_path, content, aria2, aria2)
    assert b"".join(relay.asked).count(b"GET /file.bin ") >= 2
