"""EMFILE for real: an application that leaks descriptors until there is none. Each way that needs one says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Client, salvage
from tests.console import Console
from tests.failures.limited import get, limited, posix, post

pytestmark = posix

# /leak takes every descriptor that there is, /give gives them back.
LEAKING = """
import os

leaked = []

def app(environ, start_response):
    path = environ["PATH_INFO"]
    content = environ["wsgi.input"].read()
    if path == "/leak":
        try:
            while True:
                leaked.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
    elif path == "/give":
        while leaked:
            os.close(leaked.pop())
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/stream":
        return (b"x" * 65536 for _ in range(200))
    if path == "/wrap":
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    return [f"{path} {len(content)}".encode()]
"""


class Starved(Client):
    """A connection that can still ask a server which has no descriptors."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.console = console


def said(console: Console, words: str) -> str:
    """Waits for the line in the log that has these words."""
    assert console.process.stderr is not None
    return next(line for line in iter(console.process.stderr.readline, "") if words in line)


@pytest.fixture
def starved(tmp_path: Path) -> Iterator[Starved]:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "large.bin").write_bytes(b"f" * 1_000_000)
    with (
        limited("-n 60", LEAKING, tmp_path, "--root", "files", "--access-log", "none") as console,
        Client(console) as keeper,
        Starved(console) as one,
    ):
        assert one.ask("/open").status == 200
        assert keeper.ask("/leak").status == 200
        yield one
        assert keeper.ask("/give").status == 200
        assert salvage(console, get("/again")).endswith(b"/again 0")
        assert salvage(console, get("/large.bin")).endswith(b"f" * 1_000_000)
        assert salvage(console, post("/again", 5_000_000)).endswith(b"/again 5000000")


def test_a_connection_that_is_open_is_served(starved: Starved) -> None:
    for number in range(20):
        response = starved.ask(f"/{number}")
        assert (response.status, response.content) == (200, f"/{number} 0".encode())


def test_a_new_connection_waits_until_there_is_room_and_the_log_says_so_once(starved: Starved) -> None:
    with Client(starved.console) as late:
        late.send(get("/late"))
        assert starved.ask("/meanwhile").status == 200
        assert "Too many open files" in said(starved.console, "cannot accept")
        assert starved.ask("/give").status == 200
        assert late.stream.read().endswith(b"/late 0")


def test_a_file_that_cannot_be_opened_is_a_503(starved: Starved) -> None:
    assert starved.ask("/large.bin").status == 503
    assert starved.ask("/still").status == 200


def test_a_large_content_that_cannot_be_stored_is_a_503(starved: Starved) -> None:
    assert starved.ask("/store", method="POST", content=b"x" * 5_000_000).status == 503
    assert said(starved.console, "cannot store the content")


def test_a_stream_that_is_faster_than_its_client_goes_on(starved: Starved) -> None:
    starved.send(get("/stream"))
    data = starved.stream.read()
    assert data.endswith(b"\r\n0\r\n\r\n")
    assert data.count(b"x" * 65536) == 200


def test_an_application_that_cannot_open_its_file_is_a_500(starved: Starved) -> None:
    assert starved.ask("/wrap").status == 500
    assert starved.ask("/still").status == 200
