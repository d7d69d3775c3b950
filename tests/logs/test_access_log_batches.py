"""When lines of the access log are written: some at once, seldom, in their order, and as many as there is room for."""

from __future__ import annotations

import threading

import pytest

from tests.client import PATIENCE
from tpserver.http.head import Head
from tpserver.http.section import FieldSection
from tpserver.logs import access_log
from tpserver.logs.access_log import AccessLog


class Stream:
    """Keeps each text that is written to it, and tells of it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.told = threading.Semaphore(0)

    def write(self, text: str) -> None:
        self.texts.append(text)
        self.told.release()

    def targets(self) -> list[list[str]]:
        """Those of the lines, text by text."""
        return [[line.split('"')[1].split()[1] for line in text.splitlines()] for text in self.texts]


def add(log: AccessLog, *targets: str) -> None:
    for target in targets:
        log.add(784111777.9, ("192.0.2.1", 50000), Head("GET", target, FieldSection({})), 200, 5)


def test_lines_that_come_soon_after_a_write_are_written_together() -> None:
    stream = Stream()
    log = AccessLog(stream.write, pause=PATIENCE * 10)
    add(log, "/1")
    log.ring()
    assert stream.told.acquire(timeout=PATIENCE)
    for target in ("/2", "/3", "/4"):
        add(log, target)
        log.ring()
    assert log.close(PATIENCE)  # it does not wait for the end of the pause
    assert stream.targets() == [["/1"], ["/2", "/3", "/4"]]


def test_lines_are_written_after_a_pause_although_no_more_come() -> None:
    stream = Stream()
    log = AccessLog(stream.write)
    for target in ("/1", "/2", "/3"):
        add(log, target)
        log.ring()
        assert stream.told.acquire(timeout=PATIENCE)
    assert stream.targets() == [["/1"], ["/2"], ["/3"]]
    assert log.close(PATIENCE)


def test_a_log_that_was_closed_and_goes_on_is_written() -> None:
    stream = Stream()
    log = AccessLog(stream.write)
    for target in ("/1", "/2"):
        add(log, target)
        log.ring()
        assert log.close(PATIENCE)
    add(log, "/3")
    assert log.close(PATIENCE)
    assert stream.targets() == [["/1"], ["/2"], ["/3"]]


def test_the_oldest_lines_are_dropped_where_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "_BACKLOG", 3)
    stream = Stream()
    log = AccessLog(stream.write)
    add(log, "/1", "/2", "/3", "/4", "/5")
    assert log.close(PATIENCE)
    assert stream.targets() == [["/3", "/4", "/5"]]


def test_long_lines_that_wait_are_bounded_in_all(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access_log, "_LONG_LINES", 20_000)
    stream = Stream()
    log = AccessLog(stream.write)
    targets = [f"/{number}-" + "x" * 1500 for number in range(50)]
    add(log, "/first", *targets)
    assert log.close(PATIENCE)
    (kept,) = stream.targets()
    assert kept == targets[-len(kept) :]
    assert 10 < len(kept) < 20_000 / 1500
    assert [entry.getMessage() for entry in caplog.records] == [
        "the access log is written too slowly; its oldest lines are dropped"
    ]
    add(log, *targets[:5])
    assert log.close(PATIENCE)
    assert stream.targets()[1:] == [targets[:5]]
    assert len(caplog.records) == 1


def test_a_line_there_is_no_memory_for_is_lost_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> str:
        raise MemoryError("none left")

    stream = Stream()
    log = AccessLog(stream.write)
    with monkeypatch.context() as shortage:
        shortage.setattr(access_log, "combined", fail)
        add(log, "/1", "/2")
    add(log, "/3")
    assert log.close(PATIENCE)
    assert stream.targets() == [["/3"]]
    assert [entry.getMessage() for entry in caplog.records] == [
        "cannot write the access log: none left; lines are lost until it can be written"
    ]
