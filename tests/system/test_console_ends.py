"""The console window is closed, the user logs off, the machine shuts down: what has begun is finished (Windows)."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from tests.client import Client, request
from tests.console import WAITING, draining, tpserver
from tpserver.system.console_ends import DRAINING, ENDING, SERVICES, ends_after, stopped_by_console

# The application of WAITING, in a process whose console is closed when /close is asked for. (The system calls the
# function in a thread of its own, too. No program can send this event.)
CLOSED = (
    WAITING.replace("def app(", "def waiting(")
    + """
import threading
from tpserver.system import console_ends

def app(environ, start_response):
    if environ["PATH_INFO"] == "/close":
        threading.Thread(target=console_ends._registered[-1], args=(2,), daemon=True).start()
        start_response("204 No Content", [])
        return []
    return waiting(environ, start_response)
"""
)


USER = SERVICES + 1


@pytest.mark.parametrize(("event", "session"), [(2, USER), (5, USER), (6, USER), (2, SERVICES), (6, SERVICES)])
def test_it_drains_first_and_then_does_not_wait_for_what_runs(event: int, session: int) -> None:
    done: list[object] = []
    assert ends_after(lambda: done.append("stop"), event, done.append, session)
    assert done == ["stop", DRAINING, "stop", ENDING]
    assert DRAINING + ENDING < 5


@pytest.mark.parametrize("event", [0, 1])
def test_ctrl_c_and_ctrl_break_are_left_to_the_signals(event: int) -> None:
    done: list[object] = []
    assert not ends_after(lambda: done.append("stop"), event, done.append, USER)
    assert done == []


def test_below_a_service_it_goes_on_when_somebody_logs_off() -> None:
    done: list[object] = []
    assert ends_after(lambda: done.append("stop"), 5, done.append, SERVICES)
    assert done == []


def test_it_may_be_asked_for_on_every_system() -> None:
    with stopped_by_console(threading.Event().set):
        pass


@pytest.mark.skipif(sys.platform != "win32", reason="elsewhere a terminal that is closed sends a signal")
def test_a_request_that_runs_is_answered_when_the_window_is_closed(tmp_path: Path) -> None:
    (tmp_path / "asked.py").write_text(CLOSED, "utf-8")
    with (
        tpserver("asked:app", "--access-log", "none", cwd=tmp_path) as console,
        Client(console) as client,
        Client(console) as other,
    ):
        client.send(request("/wait"))
        assert console.read_line() == "inside\n"
        wait = draining(console)
        assert other.ask("/close").status == 204
        wait()
        console.process.stdin.write("line\n")
        console.process.stdin.flush()
        assert client.response().content.rstrip() == b"line"
        assert console.end().status == 0
