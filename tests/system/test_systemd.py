"""Sockets that systemd has opened, and what it is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tpserver.system.systemd import Notifier, take_sockets

needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this Python has no unix sockets")

PIDS = {"own": str(os.getpid()), "other": str(os.getppid())}


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket that systemd listens on; the environment names it."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("notify")
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield sock


@pytest.mark.parametrize(
    ("pid", "count", "expected"),
    [
        ("own", "2", [3, 4]),
        ("own", "0", []),
        ("own", "-1", []),
        ("own", "two", []),
        ("own", "", []),
        ("other", "2", []),
        ("", "2", []),
    ],
)
def test_sockets_are_taken_once_and_only_by_the_process_that_they_are_for(
    monkeypatch: pytest.MonkeyPatch, pid: str, count: str, expected: list[int]
) -> None:
    monkeypatch.setattr(os, "set_inheritable", lambda *_: None)  # they may be files of this process
    monkeypatch.setenv("LISTEN_PID", PIDS.get(pid, pid))
    monkeypatch.setenv("LISTEN_FDS", count)
    monkeypatch.setenv("LISTEN_FDNAMES", "web:web")
    assert take_sockets() == expected
    assert take_sockets() == []
    assert ("LISTEN_FDS" in os.environ) == (pid != "own")


@needs_unix
def test_a_message_has_a_line_for_each_assignment(systemd: socket.socket) -> None:
    notifier = Notifier()
    notifier.tell("READY=1", "STATUS=serving")
    assert systemd.recv(100) == b"READY=1\nSTATUS=serving"
    notifier.tell_reloading()
    first, second = systemd.recv(100).decode().split("\n")
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdecimal()
    assert "NOTIFY_SOCKET" not in os.environ, "what the application starts would tell it as well"
    notifier.close()


@needs_unix
@pytest.mark.skipif(not os.path.exists("/proc/net/unix"), reason="only Linux has abstract names")
def test_an_abstract_name_is_told_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"tpserver-notify-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        notifier = Notifier()
        notifier.tell("READY=1")
        assert sock.recv(100) == b"READY=1"
        notifier.close()


@needs_unix
def test_a_reader_that_is_slow_or_gone_holds_nothing_up(systemd: socket.socket) -> None:
    notifier = Notifier()
    for _ in range(5000):
        notifier.tell("WATCHDOG=1")
    systemd.close()
    notifier.tell("STOPPING=1")
    notifier.close()


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "notify"])
def test_without_a_unix_socket_nothing_is_told(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    notifier = Notifier()
    notifier.tell("READY=1")
    assert notifier.interval == 0
    notifier.close()


@needs_unix
@pytest.mark.parametrize(
    ("microseconds", "pid", "interval"),
    [
        ("3000000", "own", 1.5),
        ("3000000", None, 1.5),
        ("3000000", "other", 0),
        ("soon", None, 0),
        (None, None, 0),
    ],
)
def test_signs_of_life_are_given_twice_as_often_as_they_are_waited_for(
    systemd: object, monkeypatch: pytest.MonkeyPatch, microseconds: str | None, pid: str | None, interval: float
) -> None:
    for name, value in (("WATCHDOG_USEC", microseconds), ("WATCHDOG_PID", pid)):
        if value is not None:
            monkeypatch.setenv(name, PIDS.get(value, value))
    notifier = Notifier()
    assert notifier.interval == interval
    notifier.close()
