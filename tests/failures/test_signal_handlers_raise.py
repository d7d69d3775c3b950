"""Signal handlers of the application that raise, as one that limits a request's time: they run in the watcher."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.failures.limited import exchange, get, limited
from tpserver import make_server

ALARMED = """
import os
import signal
import threading

released = threading.Event()

def too_late(*_):
    print("alarm", flush=True)
    raise TimeoutError("too late")

signal.signal(signal.SIGALRM, too_late)

def app(environ, start_response):
    if environ["PATH_INFO"] == "/alarm":
        os.kill(os.getpid(), signal.SIGALRM)
    if environ["PATH_INFO"] == "/hold":
        released.wait()
    if environ["PATH_INFO"] == "/release":
        released.set()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there is no such signal here")
def test_the_server_goes_on_and_says_so(tmp_path: Path) -> None:
    with limited("", ALARMED, tmp_path, "--access-log", "none") as console:
        with console.connect() as held:  # from which the watcher relieves the leader: it watches by now
            held.sendall(get("/hold"))
            assert exchange(console, get("/release")).endswith(b"hello")
            assert held.recv(65536).startswith(b"HTTP/1.1 200 ")
        for _ in range(5):
            assert exchange(console, get("/alarm")).endswith(b"hello")
            assert console.read_line() == "alarm\n"
            assert exchange(console, get("/")).endswith(b"hello")
        ended = console.stop()
    assert ended.status == 0
    assert ended.stdout == "stopped\n"
    # Perhaps not each time: what is raised while one is logged is lost.
    assert 1 <= ended.stderr.count("tpserver has a fault in its watcher, which goes on") <= 5
    assert "TimeoutError: too late" in ended.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_to_end_the_program_ends_the_server(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def interrupt() -> None:
        monkeypatch.undo()
        raise error

    with make_server("127.0.0.1", 0) as server:
        monkeypatch.setattr(server, "service_actions", interrupt)
        with pytest.raises(error):
            server.serve_forever()
