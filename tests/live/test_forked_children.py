"""Children that the application forks, and that come back from it instead of ending there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.client import salvage
from tests.failures.limited import get, limited

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

# Answers with the status that its child ends with.
FORKING = """
import os
import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)  # of fork() beside threads

def ended(child):
    return b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else b"child"

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    path = environ["PATH_INFO"]
    if path == "/pieces":
        if (child := os.fork()) == 0:
            return pieces_of_child()
        return [ended(child)]
    child = os.fork()
    if child == 0:
        if path == "/raise":
            raise ValueError
        if path == "/exit":
            sys.exit(3)
        if path == "/exit/text":
            sys.exit("with a reason")
    return [ended(child)]

def pieces_of_child():
    yield b"child"
"""


@pytest.mark.parametrize(
    ("path", "status"),
    [("/return", b"0"), ("/raise", b"1"), ("/exit", b"3"), ("/exit/text", b"1"), ("/pieces", b"0")],
)
def test_a_child_that_comes_back_ends_and_the_client_gets_one_answer(tmp_path: Path, path: str, status: bytes) -> None:
    with limited("", FORKING, tmp_path, "--access-log", "none") as console:
        assert console.port
        for _ in range(3):
            answer = salvage(console, get(path))
            assert answer.count(b"HTTP/1.1 ") == 1
            assert answer.endswith(b"\r\n\r\n" + status)
        ended = console.stop()
    assert (ended.status, ended.stdout, ended.stderr) == (0, "stopped\n", "")


LATE = """
import os
import warnings

warnings.simplefilter("ignore", DeprecationWarning)

class Late:
    def __init__(self, where):
        self.where = where

    def __iter__(self):
        yield b"one"
        if self.where == "/last":
            self.fork()

    def fork(self):
        child = os.fork()
        if child:
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)

    def close(self):
        if self.where == "/close":
            self.fork()

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Late(environ["PATH_INFO"])
"""


@pytest.mark.parametrize("path", ["/last", "/close"])
def test_a_child_that_is_born_late_ends_as_well(tmp_path: Path, path: str) -> None:
    with limited("", LATE, tmp_path, "--access-log", "none") as console:
        assert console.port
        for _ in range(3):
            assert salvage(console, get(path)).endswith(b"3\r\none\r\n0\r\n\r\n")
            assert console.read_line() == "0\n"
        assert console.stop().status == 0
