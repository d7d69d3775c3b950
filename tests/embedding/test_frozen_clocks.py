"""Test libraries that freeze or move the clock: the application sees their time, the server goes by its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.embedding.embedded import DAEMON, run

pytest.importorskip("freezegun")

# What a response says of the time, and what a request takes whose thread is relieved.
CHECK = """
import datetime
from freezegun import freeze_time

YEAR = str(datetime.datetime.now().year)
inner = app

def app(environ, start_response):
    if environ["PATH_INFO"] == "/frozen":
        with freeze_time("2020-01-01", tick=True):
            return [*inner(environ, start_response), str(datetime.date.today()).encode()]
    return inner(environ, start_response)

def check(path):
    response = ask(server, path)
    assert response.content.startswith("hello " + path), response.content
    assert YEAR in response.headers["Date"], response.headers["Date"]
    return response.content
"""


def test_a_clock_that_is_frozen_around_requests_stops_nothing(tmp_path: Path) -> None:
    text = """
check("/slow")
with freeze_time("2020-01-01"):
    for _ in range(3):
        check("/x")
        check("/slow")
for _ in range(3):
    check("/x")
    check("/slow")
"""
    assert run(tmp_path, CHECK, DAEMON, text) == (0, "", "")


def test_a_clock_that_is_moved_stops_nothing(tmp_path: Path) -> None:
    text = """
kept = send(server, "/x")
assert kept.getresponse().read() == b"hello /x"
with freeze_time("2020-01-01") as frozen:
    for move in (lambda: frozen.tick(3600), lambda: frozen.move_to("2030-01-01"), lambda: frozen.move_to("1990-01-01")):
        move()
        check("/x")
        check("/slow")
        kept.request("GET", "/y")
        assert kept.getresponse().read() == b"hello /y"
check("/slow")
"""
    assert run(tmp_path, CHECK, DAEMON, text) == (0, "", "")


def test_an_application_may_freeze_the_clock_of_its_requests(tmp_path: Path) -> None:
    text = """
for _ in range(3):
    assert check("/frozen") == "hello /frozen2020-01-01"
    check("/slow")
"""
    assert run(tmp_path, CHECK, DAEMON, text) == (0, "", "")


def test_a_server_that_starts_and_stops_with_a_frozen_clock_keeps_its_deadlines(tmp_path: Path) -> None:
    text = """
with freeze_time("2020-01-01"):
    with make_server("127.0.0.1", 0, app, drain_timeout=0.1, idle_timeout=0.1) as server:
        thread = in_thread(server.serve_forever)
        kept = send(server, "/x")
        assert kept.getresponse().read() == b"hello /x"
        assert kept.sock.recv(1) == b""  # the end of the idle connection
        hanging = send(server, "/hang")
        check("/x")
        assert sys.stdin.readline() == ""
        server.shutdown()
        thread.join()
print("stopped")
"""
    ended = run(tmp_path, CHECK, text, stdin=None)
    assert ended.status == 0, ended
    assert ended.stdout == "inside\nstopped\n"
    assert "1 request still runs" in ended.stderr


def test_logs_have_the_real_time(tmp_path: Path) -> None:
    text = """
import signal
import socket

with socket.create_server(("127.0.0.1", 0)) as listening:
    port = listening.getsockname()[1]

class server:
    server_port = port

def work():
    with socket.socket() as sock:
        while sock.connect_ex(("127.0.0.1", port)):
            threading.Event().wait(0.01)
    with freeze_time("2020-01-01"):
        check("/x")
        assert ask(server, "/fail").status == 500
    signal.raise_signal(signal.SIGINT)

in_thread(work)
serve(app, port=port)
print(YEAR)
"""
    ended = run(tmp_path, CHECK, text)
    assert ended.status == 0, ended
    *lines, _, year = ended.stdout.splitlines()[1:]
    assert [line.split('"')[1].removesuffix(" HTTP/1.1") for line in lines] == ["GET /x", "GET /fail"]
    assert all(f"/{year}:" in line for line in lines), lines
    assert ended.stderr.startswith(f"{year}-")
    assert "2020" not in ended.stderr
