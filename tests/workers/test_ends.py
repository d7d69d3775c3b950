"""How processes end, with and without workers: a pipe that is full, a terminal that is closed, signals to all."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_sharer
from pathlib import Path

import pytest

from tests.console import HELLO, Console, python, tpserver
from tpserver.config import Config
from tpserver.errors import StartError
from tpserver.serving.serve import run

posix = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")
needs_terminals = pytest.mark.skipif(
    not hasattr(os, "openpty") or not hasattr(signal, "SIGHUP"), reason="there are no pseudo-terminals here"
)

KINDS = pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--reload",)], ids=["one", "workers", "reload"])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "hello.py").write_text(HELLO, "utf-8")
    return tmp_path


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(os, "O_NONBLOCK"), reason="elsewhere a pipe cannot be opened a second time"
)
@KINDS
def test_a_pipe_that_nothing_reads_does_not_keep_the_last_line_from_ending_it(
    site: Path, options: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    with tpserver("hello:app", "--access-log", "none", *options, cwd=site, stdout=writing) as console:
        with open(reading, encoding="utf-8") as stdout:
            while "Ctrl-C" not in stdout.readline():
                pass
            full = os.open(f"/proc/self/fd/{writing}", os.O_WRONLY | os.O_NONBLOCK)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(full, b"z" * 4096)
            console.send(signal.SIGTERM)
            assert console.process.wait(30) == 0
        os.close(full)
        os.close(writing)


# Starts a program as the leader of a session whose terminal is a descriptor.
AT_TERMINAL = """
import fcntl, os, signal, sys, termios

terminal, ignored, *command = sys.argv[1:]
os.setsid()
fcntl.ioctl(int(terminal), termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
os.close(int(terminal))
os.execvp(command[0], command)
"""


@contextmanager
def at_terminal(site: Path, *options: str, ignored: str = "") -> Iterator[tuple[Console, int]]:
    """A server, and the other end of the terminal that controls it."""
    ours, theirs = os.openpty()
    command = (sys.executable, "-c", AT_TERMINAL, str(theirs), ignored)
    with tpserver("hello:app", *options, cwd=site, command=command, pass_fds=(theirs,)) as console:
        os.close(theirs)
        assert console.get("/x") == "hello /x"
        yield console, ours


@needs_terminals
@KINDS
def test_a_terminal_that_is_closed_ends_it(site: Path, options: tuple[str, ...]) -> None:
    with at_terminal(site, *options) as (console, terminal):
        console.process.send_signal(signal.SIGHUP)  # the terminal is still there: it goes on
        assert console.get("/x") == "hello /x"
        os.close(terminal)
        ended = console.end()
    assert ended.status == 0
    assert ended.stdout.endswith("stopped\n")


@needs_terminals
@KINDS
def test_a_terminal_that_is_closed_does_not_end_it_under_nohup(site: Path, options: tuple[str, ...]) -> None:
    with at_terminal(site, *options, ignored="yes") as (console, terminal):
        os.close(terminal)
        console.process.send_signal(signal.SIGHUP)
        for _ in range(3):
            assert console.get("/x") == "hello /x"
        assert console.stop().status == 0


@posix
def test_a_signal_to_all_processes_at_once_stops_them_and_replaces_none(site: Path) -> None:
    with tpserver("hello:app", "--workers", "2", cwd=site, start_new_session=True) as console:
        assert console.get("/x") == "hello /x"
        os.killpg(console.process.pid, signal.SIGTERM)
        ended = console.end()
    assert (ended.status, ended.stderr) == (0, "")


def test_a_program_that_serves_whenever_it_is_imported_is_told_what_to_do(site: Path) -> None:
    (site / "main.py").write_text('from tpserver import serve\nserve("hello:app", port=0, workers=2)\n', "utf-8")
    with python("main.py", cwd=site) as console:
        ended = console.end()
    assert ended.status == 1
    assert ended.stderr.count("Traceback") == 1
    assert 'call serve() below `if __name__ == "__main__":`' in ended.stderr.splitlines()[-1]


def test_an_application_may_set_how_processes_are_started(site: Path) -> None:
    (site / "setting.py").write_text(
        "import multiprocessing\nmultiprocessing.set_start_method('spawn')\nfrom hello import app\n", "utf-8"
    )
    with tpserver("setting:app", "--workers", "2", cwd=site) as console:
        assert console.get("/x") == "hello /x"
        assert console.stop().status == 0


STARTING = """
import signal, subprocess, sys
from hello import app

# One write: two processes say it at once.
script = "import os, signal; os.write(1, [b'ignored\\\\n', b'default\\\\n'][signal.getsignal(signal.SIGHUP) == 0])"
subprocess.run([sys.executable, "-c", script], check=True)
"""


@posix
def test_what_an_application_starts_does_not_ignore_signals(site: Path) -> None:
    (site / "starting.py").write_text(STARTING, "utf-8")
    with tpserver("starting:app", "--workers", "2", cwd=site) as console:
        assert [console.read_line() for _ in range(2)] == ["default\n"] * 2
        assert console.get("/x") == "hello /x"
        assert console.stop().status == 0


@pytest.mark.parametrize("app", ["hello:app", "nowhere:app"])
def test_what_else_may_stop_it_is_asked_when_the_first_worker_serves(
    site: Path, app: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As a service of Windows, which runs from then on."""
    caplog.set_level(logging.INFO, "tpserver")  # as the parent sets it; so it is what it was, afterwards
    asked: list[str] = []

    @contextmanager
    def stopped_by(stop: Callable[[], None]) -> Iterator[None]:
        asked.append(app)
        stop()
        yield

    config = Config(app=app, app_dir=str(site), port=0, workers=2, access_log="none")
    with contextlib.suppress(StartError):
        run(config, stopped_by=stopped_by)
    resource_sharer.stop()  # the thread by which sockets are given to children on Windows, else it stays
    assert asked == ([app] if app == "hello:app" else [])
