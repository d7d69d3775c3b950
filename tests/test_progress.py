"""What is told of a server's life, and when."""

from __future__ import annotations

import pytest

from tests.clock import Clock
from tpserver.engine.life import Life
from tpserver.progress import Progress


class FakeNotifier:
    """Remembers what it is told."""

    interval = 2.0

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, *assignments: str) -> None:
        self.told += assignments


class FakeServer:
    """With a mailbox whose leader comes when the test calls `lead`; with requests and connections to be waited for."""

    def __init__(self) -> None:
        self.life = Life.SERVING
        self.timing = self.tasks = self.connections = self.mailbox = self
        self.drain_timeout = 30.0
        self.requests: list[str] = []
        self.awaited = 0
        self.posts: list[object] = []

    def everything(self) -> list[str]:
        return self.requests

    def post(self, function, argument) -> None:
        self.posts.append((function, argument))

    def lead(self) -> None:
        for function, argument in self.posts:
            function(argument)
        self.posts = []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def progress(server: FakeServer) -> Progress:
    told = Progress(server)
    told.notifier = FakeNotifier()
    return told


def test_a_sign_of_life_is_the_leaders_own(clock: Clock, server: FakeServer, progress: Progress) -> None:
    progress.check()
    assert progress.notifier.told == []  # no leader has come yet
    for _ in range(10):
        clock.now += 5
        progress.check()
    assert len(server.posts) == 1  # nor are more of them left for it
    server.lead()
    assert progress.notifier.told == ["WATCHDOG=1"]


def test_signs_of_life_come_once_in_each_interval(clock: Clock, server: FakeServer, progress: Progress) -> None:
    for _ in range(8):
        progress.check()
        server.lead()
        clock.now += 0.5
    assert progress.notifier.told == ["WATCHDOG=1"] * 2


def test_without_a_watchdog_the_leader_is_left_alone(server: FakeServer, progress: Progress) -> None:
    progress.notifier.interval = 0.0
    progress.check()
    progress.notifier = None
    progress.check()
    assert server.posts == []


def test_what_a_drain_waits_for_is_told_once_a_second(
    clock: Clock, server: FakeServer, progress: Progress, log: pytest.LogCaptureFixture
) -> None:
    server.life, server.requests, server.awaited = Life.DRAINING, ["one"], 3
    for _ in range(4):
        progress.check()
        clock.now += 0.5
    server.requests, server.awaited = [], 1
    clock.now += 1
    progress.check()
    server.awaited = 0
    clock.now += 1
    progress.check()
    assert log.messages == [
        "stopping: waiting for 1 request and 3 connections, 29 s at most; a second signal ends at once",
        "stopping: waiting for 1 connection, 27 s at most; a second signal ends at once",
    ]
    told = progress.notifier.told
    assert told.count("STOPPING=1") == 1
    assert told.count("EXTEND_TIMEOUT_USEC=10000000") == 3


def test_a_drain_that_is_over_at_once_is_told_as_well(server: FakeServer, progress: Progress) -> None:
    progress.check()
    server.life = Life.STOPPING
    progress.check()
    assert progress.notifier.told[0] == "STOPPING=1"
