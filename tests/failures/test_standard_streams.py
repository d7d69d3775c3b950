"""Applications that close the streams which the server says things on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import salvage, several
from tests.console import Console
from tests.failures.limited import get, limited, posix

CLOSING = """
import sys

def app(environ, start_response):
    if environ["PATH_INFO"] == "/close":
        sys.stdout.close()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""


@pytest.mark.parametrize("log", ["-", "none"])
def test_a_stdout_that_the_application_has_closed_ends_nothing(tmp_path: Path, log: str) -> None:
    with limited("", CLOSING, tmp_path, "--access-log", log) as console:
        assert console.port
        assert salvage(console, get("/close")).endswith(b"hello")
        assert salvage(console, get("/")).endswith(b"hello")
        ended = console.stop()
    assert ended.status == 0
    assert "Traceback" not in ended.stderr


# /close closes what the server has for its log, /std the standard streams; a client connects next and gets the number.
DESCRIPTORS = """
import os

def app(environ, start_response):
    if environ["PATH_INFO"] == "/close":
        for fd in range(3, 100):
            try:
                if os.path.samestat(os.fstat(fd), os.stat("log.txt")):
                    os.close(fd)
            except OSError:
                pass
    if environ["PATH_INFO"] == "/std":
        os.closerange(0, 3)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]
"""


def check_clients_get_their_answers_only(console: Console) -> None:
    """Some connections that stay, on which requests take turns until the access log has been written, then the end."""
    with several(console, 10) as clients:
        for number in range(30):
            for client in clients:
                response = client.ask(f"/{number}")
                assert (response.status, response.content) == (200, f"/{number}".encode())
        console.send()
        for client in clients:
            assert client.ended()


def closed(console: Console, path: str) -> None:
    assert salvage(console, get(path)).endswith(path.encode())


@posix
def test_an_access_log_whose_descriptor_is_closed_is_opened_again(tmp_path: Path) -> None:
    with limited("", DESCRIPTORS, tmp_path, "--access-log", "log.txt") as console:
        assert console.port
        closed(console, "/close")
        check_clients_get_their_answers_only(console)
        ended = console.end()
    assert ended.status == 0
    assert ended.stderr.count("the log log.txt was reopened") == 1
    assert len((tmp_path / "log.txt").read_text("utf-8").splitlines()) == 301


@posix
def test_no_client_gets_what_was_meant_for_the_standard_streams(tmp_path: Path) -> None:
    with limited("", DESCRIPTORS, tmp_path) as console:
        assert console.port
        closed(console, "/std")
        check_clients_get_their_answers_only(console)
        assert console.end().status == 0
