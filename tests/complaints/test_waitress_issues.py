"""What users of waitress complain about, each by the number of its issue there."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client import PATIENCE, Client, request, several
from tests.console import HELLO, WAITING, get, tpserver
from tests.gates import Gates
from tests.running import Running, Start
from tests.waiting import until_waiting


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_198_sigterm_finishes_what_runs(tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    with tpserver("waiting:app", cwd=tmp_path) as console:
        with Client(console) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            while console.read_line() != "inside\n":
                pass
            console.send(signal.SIGTERM)
            console.process.stdin.write("the answer\n")  # type: ignore[union-attr]
            console.process.stdin.flush()  # type: ignore[union-attr]
            assert client.stream.read().endswith(b"\r\n\r\nthe answer\n")
        assert console.end().status == 0


def test_347_there_is_an_access_log_and_it_is_on(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(HELLO)
    with tpserver("hello:app", cwd=tmp_path) as console:
        assert get(console.url + "/seen") == "hello /seen"
        assert '"GET /seen HTTP/1.1" 200 ' in console.read_line()
        console.stop()


def test_182_the_load_can_be_asked_for(start: Start) -> None:
    with Gates() as gates:
        running = start(gates, threads=1)
        with several(running, 3) as clients:
            for number, client in enumerate(clients):
                client.send(request(f"/hold/{number}"))
            gates.arrived()
            until_waiting(running, 2)
            stats = running.server.stats()
            assert (stats["threads"]["busy"], stats["threads"]["limit"]) == (1, 1)
            assert stats["queue"]["waiting"] == 2
            for number in range(3):
                gates.open(str(number))
            for client in clients:
                assert client.response().status == 200


def test_301_many_connections_do_not_lock_it_up(start: Start) -> None:
    """At its limit waitress no longer read what it had; here those that are open are served, and the next is told."""
    running = start(Gates(), max_connections=200)
    with several(running, 200) as clients:
        for _ in range(3):
            for client in clients:
                client.send(request("/"))
            for client in clients:
                assert client.response().status == 200
        with Client(running) as one_more:
            assert one_more.response().status == 503
        assert clients[0].ask("/").status == 200
        clients.pop().close()
        until_accepted(running)


def until_accepted(running: Running) -> None:
    """A place that has become free is taken; it may be seen a moment later."""
    for _ in range(1000):
        with Client(running) as client:
            try:
                client.send(request("/"))
                if client.response().status == 200:
                    return
            except OSError:
                pass
    raise AssertionError("the place has not become free")


def test_349_streaming_does_not_block_the_others(start: Start) -> None:
    go_on = threading.Semaphore(0)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [])
        if environ["PATH_INFO"] != "/stream":
            return [b"quick"]
        return (b"%d" % number for number in range(9) if go_on.acquire(timeout=PATIENCE))

    running = start(app, threads=4)
    with several(running, 3) as streams, Client(running) as other:
        for stream in streams:
            stream.send(request("/stream"))
        for _ in range(9):
            for _ in streams:
                go_on.release()
            assert other.ask("/").content == b"quick"
        for stream in streams:
            assert stream.response().content == b"012345678"
