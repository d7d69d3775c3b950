"""Applications that close descriptors which are not theirs, as a wrong `os.close` or `os.closerange` does.

Each in a process of its own, for its numbers may belong to anything by then.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client import CLOSE, Client, request, several
from tests.console import Console, python
from tests.failures.limited import posix

# /close/WHAT closes what the server has open; the server itself is asked for the numbers.
SERVER = """
import logging
import os
import signal
import sys
from tests import inside
from tpserver import make_server
logging.basicConfig(stream=sys.stderr, level="INFO", format="%(levelname)s %(message)s")

def numbers(what):
    return range(3, 200) if what == "all" else inside.descriptors(server, what)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/close/"):
        for number in numbers(path[7:]):
            try:
                os.close(number)
            except OSError:
                pass
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [path.encode()]

server = make_server("127.0.0.1", 0, app)
print(f"at http://127.0.0.1:{server.server_port}/", flush=True)
signal.signal(signal.SIGINT, lambda *_: server.begin_shutdown())
with server:
    server.serve_forever()
"""

pytestmark = posix  # on Windows a socket is no descriptor


@contextmanager
def serving(folder: Path) -> Iterator[Console]:
    (folder / "serving.py").write_text(SERVER, encoding="utf-8")
    with python("serving.py", cwd=folder) as console:
        yield console


def close(console: Console, what: str) -> None:
    """Has the application close it. What becomes of that request's own answer does not matter."""
    with Client(console) as client, contextlib.suppress(OSError):
        client.sock.settimeout(1.0)
        client.send(request(f"/close/{what}", CLOSE))
        client.stream.read()


def check_others_are_served(console: Console) -> None:
    """Ten new clients on ten connections, the first of which gets the number that has been closed."""
    with several(console, 10) as clients:
        for client in clients:
            client.sock.settimeout(5.0)
        for client in clients * 2:
            assert client.ask("/x").content == b"/x"


def check_log(console: Console) -> None:
    said = console.stop().stderr
    assert said.count("Traceback") <= 1
    assert "ResourceWarning" not in said


def test_its_own_connection(tmp_path: Path) -> None:
    with serving(tmp_path) as console:
        for _ in range(3):
            close(console, "own")
            check_others_are_served(console)
        check_log(console)


def test_the_connection_of_another_client(tmp_path: Path) -> None:
    with serving(tmp_path) as console:
        with Client(console) as idle:
            assert idle.ask("/x").content == b"/x"
            close(console, "others")
            check_others_are_served(console)
        check_log(console)


@pytest.mark.parametrize(
    "what",
    [
        "listener",
        "wakeup",
        pytest.param("poller", marks=pytest.mark.skipif(not hasattr(select, "epoll"), reason="it has no descriptor")),
        "all",  # `os.closerange(3, 200)`, as a daemon does that thinks it has just been born
    ],
)
def test_what_the_server_cannot_do_without_ends_it(tmp_path: Path, what: str) -> None:
    with serving(tmp_path) as console:
        close(console, what)
        ended = console.end()
    assert ended.status == 1
    assert ended.stderr.count("CRITICAL cannot go on serving") == 1
