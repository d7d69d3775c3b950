"""What the server says is not read any more (EPIPE), or no thread can write it: requests are served all the same."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.client import exchange, salvage
from tests.failures.limited import get, limited
from tests.running import Start

HELLO = """
def app(environ, start_response):
    if environ["PATH_INFO"] == "/fail":
        raise ValueError("for the log")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""


def test_the_reader_of_the_access_log_on_stdout_has_gone(tmp_path: Path) -> None:
    with limited("", HELLO, tmp_path) as console:
        port = console.port
        console.process.stdout.close()  # type: ignore[union-attr]
        for _ in range(20):
            assert salvage(console, get("/")).endswith(b"hello")
        assert console.port == port
        console.process.stdout = None
        ended = console.stop()
    assert "cannot write the access log" in ended.stderr
    assert ended.stderr.count("cannot write the access log") == 1
    assert "Traceback" not in ended.stderr


def test_the_reader_of_stderr_has_gone(tmp_path: Path) -> None:
    with limited("", HELLO, tmp_path) as console:
        assert console.port
        console.process.stderr.close()  # type: ignore[union-attr]
        for _ in range(20):
            assert salvage(console, get("/fail")).startswith(b"HTTP/1.1 500 ")
            assert salvage(console, get("/")).endswith(b"hello")
        console.process.stderr = None
        ended = console.stop()
    assert ended.status == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo") or not hasattr(os, "O_NONBLOCK"), reason="there are no such pipes here")
def test_the_program_behind_a_named_pipe_ends(start: Start, tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    running = start(root=str(tmp_path), access_log=str(tmp_path / "pipe"))
    assert exchange(running, get("/none")).startswith(b"HTTP/1.1 404 ")
    os.close(reading)
    for _ in range(20):
        assert exchange(running, get("/none")).startswith(b"HTTP/1.1 404 ")
    running.stop()
    assert log.text.count("cannot write the access log") == 1


def test_the_thread_that_writes_it_cannot_be_started_at_first(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = threading.Thread.start
    refused = threading.Event()
    possible = threading.Event()

    def start_thread(thread: threading.Thread) -> None:
        if thread.name == "tpserver-access-log" and not possible.is_set():
            refused.set()
            raise RuntimeError("can't start new thread")
        really(thread)

    monkeypatch.setattr(threading.Thread, "start", start_thread)
    running = start(root=str(tmp_path), access_log=str(tmp_path / "log.txt"))
    assert exchange(running, get("/early")).startswith(b"HTTP/1.1 404 ")
    assert refused.wait(20)
    possible.set()
    assert exchange(running, get("/late")).startswith(b"HTTP/1.1 404 ")
    running.stop()
    assert [line.split(" ")[6] for line in (tmp_path / "log.txt").read_text().splitlines()] == ["/early", "/late"]
