"""What the parent says of its workers, by a clock that the test turns: to the log, and to systemd."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tpserver.serving import reports
from tpserver.serving.reports import Reports
from tpserver.workers.supervisor import Supervisor

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd is not for this system")

RELOADING = ["RELOADING=1", "STATUS=replacing 2 workers"]
SERVING = ["READY=1", "STATUS=serving at http://a/, unix:b"]


class FakeClock:
    """Stands still but for the test."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Parent:
    """A supervisor, what is said of it, and the time."""

    def __init__(self, systemd: socket.socket, clock: FakeClock) -> None:
        self.supervisor = Supervisor(2, drain_timeout=30)
        self.reports = Reports(self.supervisor, "worker {}".format, ["http://a/", "unix:b"], 30)
        self._systemd = systemd
        self._clock = clock

    def at(self, now: float, *events: tuple[Any, ...]) -> list[str]:
        """What systemd hears when these events come at a time."""
        self._clock.now = now
        for name, *numbers in (*events, ("tick",)):
            getattr(self.supervisor, name)(*numbers, now)
        self.reports.check()
        heard: list[str] = []
        while True:
            try:
                heard += self._systemd.recv(4096).decode().split("\n")
            except BlockingIOError:
                return [line for line in heard if not line.startswith("MONOTONIC_USEC=")]

    def serve(self) -> None:
        """Both workers begin at 0."""
        self.at(0)
        self.at(0, ("ready", 0), ("ready", 1))


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Parent]:
    caplog.set_level(logging.INFO, "tpserver")
    monkeypatch.chdir(tmp_path)
    clock = FakeClock()
    monkeypatch.setattr(reports, "clock", clock)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("notify")
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000000")
        made = Parent(systemd, clock)
        yield made
        made.reports.close()


def test_it_is_ready_once_when_all_serve(parent: Parent) -> None:
    assert parent.at(0) == []
    assert parent.at(0.2, ("ready", 0)) == []
    assert parent.at(0.4, ("ready", 1)) == [*SERVING, "WATCHDOG=1"]
    assert parent.at(0.6, ("exited", 1)) == []


def test_a_reload_is_ready_when_the_last_worker_is_replaced(parent: Parent, caplog: pytest.LogCaptureFixture) -> None:
    parent.serve()
    assert parent.at(2, ("replace_all",)) == RELOADING
    assert parent.at(3, ("ready", 2)) == []
    assert parent.at(4, ("exited", 0)) == []
    assert parent.at(5, ("ready", 3)) == SERVING
    assert caplog.messages == ["replacing 2 workers", "2 workers replaced"]


def test_a_reload_that_came_before_all_served_follows_the_start(parent: Parent) -> None:
    assert parent.at(0) == []
    assert parent.at(0, ("ready", 0), ("replace_all",)) == []
    assert parent.at(1, ("ready", 1)) == [*SERVING, *RELOADING, "WATCHDOG=1"]


@pytest.mark.parametrize(
    ("replaced", "left"), [(0, "2 of 2 workers are"), (1, "1 of 2 workers is")], ids=["the first", "the second"]
)
def test_a_reload_that_ends_early_says_how_many_are_old(
    parent: Parent, caplog: pytest.LogCaptureFixture, replaced: int, left: str
) -> None:
    parent.serve()
    parent.at(2, ("replace_all",))
    for number in range(2, 2 + replaced):
        parent.at(3, ("ready", number))
    assert parent.at(4, ("exited", 2 + replaced)) == SERVING
    expected = f"the replacement has ended early: {left} still of the old version; SIGHUP tries again"
    assert caplog.messages == ["replacing 2 workers", expected]


def test_an_import_that_takes_long_is_logged_now_and_then(parent: Parent, caplog: pytest.LogCaptureFixture) -> None:
    parent.serve()
    parent.at(2, ("replace_all",))
    for now in (31, 32, 33, 61, 62):
        parent.at(now)
    text = "worker 2 has been importing the application for {} s".format
    assert caplog.messages == ["replacing 2 workers", text(30), text(60)]


def test_it_lives_as_long_as_any_worker_does(parent: Parent) -> None:
    parent.serve()
    for now in range(1, 30):
        assert parent.at(now, ("heard", 1)) == (["WATCHDOG=1"] if now in (10, 20) else [])
    for now in range(30, 60):
        assert parent.at(now) == (["WATCHDOG=1"] if now == 30 else [])  # it was heard at 29


def test_a_stop_says_what_it_waits_for(parent: Parent, caplog: pytest.LogCaptureFixture) -> None:
    parent.serve()
    parent.at(2, ("heard", 0), ("heard", 1))
    parent.supervisor.stop(2)
    parent.reports.tell_stopping()
    assert parent.at(2.2) == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=45000000"]
    waiting = "STATUS=stopping: waiting for {}, {} s at most".format
    assert parent.at(3.2, ("heard", 0)) == [waiting("2 workers", 39)]
    assert caplog.messages == []
    assert parent.at(4.9, ("heard", 0)) == [waiting("2 workers", 37)]
    assert parent.at(5.5, ("exited", 0)) == []
    assert parent.at(6, ("heard", 1)) == [waiting("1 worker", 36)]
    assert caplog.messages == []
    for now in (7, 8, 9, 9.5, 10):
        parent.at(now)
    who = "1 worker without a sign of life"
    assert caplog.messages == [f"stopping: waiting for {who}, 32 s at most; a second signal ends at once"]
