"""The server's log when the stream that it goes to stands still, and when it moves again."""

from __future__ import annotations

import io
import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import PATIENCE, Client, salvage
from tests.failures.limited import get, limited
from tpserver.logs import server_log
from tpserver.logs.server_log import LogWriter, SafeFormatter
from tpserver.logs.streams import LogStream
from tpserver.logs.writing_thread import WritingThread
from tpserver.system.clock import clock


class Stream(io.StringIO):
    """Stands still until `open` is set; `entered`: a thread writes."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.open = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.open.wait(PATIENCE)
        return super().write(text)


@pytest.fixture
def stream() -> Iterator[Stream]:
    stream = Stream()
    yield stream
    stream.open.set()


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("tpserver", logging.INFO, "", 0, text, None, None)


def test_what_waits_is_written_in_its_order_and_what_was_lost_is_said(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_log, "_BACKLOG", 3)
    log = LogWriter(LogStream(stream))
    log.handle(record("1"))
    assert stream.entered.wait(PATIENCE)
    for number in "234567":
        log.handle(record(number))
    stream.open.set()
    assert log.finish(PATIENCE)
    lines = stream.getvalue().splitlines()
    assert lines[:4] == ["1", "2", "3", "4"]
    assert lines[4].startswith("3 log lines lost")
    assert len(lines) == 5


def test_a_log_that_stands_still_to_the_end_is_left_behind(stream: Stream) -> None:
    log = LogWriter(LogStream(stream))
    log.handle(record("1"))
    assert not log.finish(timeout=0.01)


def test_a_log_goes_on_when_its_thread_can_be_started_at_last(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    stream.open.set()
    with monkeypatch.context() as none:
        none.setattr(threading.Thread, "start", refuse)
        log = LogWriter(LogStream(stream))
        log.handle(record("1"))
    log.handle(record("2"))
    assert log.finish(PATIENCE)
    assert stream.getvalue() == "1\n2\n"


def refuse(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


# Fills a pipe with few requests.
FAILING = """
import threading

def app(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        print("inside", flush=True)
        threading.Event().wait()
    if environ["PATH_INFO"] == "/fail":
        raise ValueError("x" * 10_000)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
LOGGING = "import logging\nlogging.basicConfig()\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe there holds more than is written here")
@pytest.mark.parametrize("first", ["", LOGGING], ids=["", "and the application logs there as well"])
def test_a_stderr_that_is_not_read_holds_up_nothing_not_even_the_end(tmp_path: Path, first: str) -> None:
    (tmp_path / "a.txt").write_text("file", encoding="utf-8")
    options = ("--root", ".", "--access-log", "none", "--slow-request", "0.01", "--drain-timeout", "0.1")
    with limited("", first + FAILING, tmp_path, *options) as console:
        assert console.port
        for _ in range(20):
            assert salvage(console, get("/fail")).startswith(b"HTTP/1.1 500 ")
        with Client(console) as hanging:
            hanging.send(get("/hang"))
            assert console.read_line() == "inside\n"
            for _ in range(20):
                assert salvage(console, get("/fail")).startswith(b"HTTP/1.1 500 ")
                assert salvage(console, get("/a.txt")).endswith(b"file")
            console.send()
            assert console.process.wait(30) == 0


def test_what_is_logged_last_is_there_at_the_end(tmp_path: Path) -> None:
    with limited("", FAILING, tmp_path, "--access-log", "none") as console:
        for _ in range(30):
            assert salvage(console, get("/fail")).startswith(b"HTTP/1.1 500 ")
        with console.process.stderr as said:  # type: ignore[union-attr]
            console.send()
            assert said.read().count("\nValueError: xxx") == 30
            assert console.process.wait(30) == 0


@pytest.mark.parametrize("now", [-1e10, 1e11])
def test_a_line_is_written_whatever_the_clock_says(now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows knows the local time from 1970 to 3000 only."""

    def converter(seconds: float | None) -> time.struct_time:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(SafeFormatter, "converter", staticmethod(converter))
    monkeypatch.setattr(clock, "time", lambda: now)
    stream = io.StringIO()
    log = LogWriter(LogStream(stream))
    log.setFormatter(SafeFormatter("%(asctime)s %(message)s"))
    log.emit(record("something"))
    assert log.finish()
    assert stream.getvalue() in ("1653-02-10T06:13:20Z something\n", "5138-11-16T09:46:40Z something\n")


def test_a_signal_handler_that_logs_while_the_thread_is_started_starts_no_second_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) == 1:
            writing.wake()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    writing = WritingThread("writing", lambda: None)
    writing.wake()
    assert writing.finish(PATIENCE)
    assert len(started) == 1
