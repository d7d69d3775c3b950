"""What a program that rotates logs does: it renames the file, and sends a signal. The server goes on."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from time import monotonic

import pytest

from tests.console import PATIENCE, Console, tpserver

SIGNALS = [name for name in ("SIGHUP", "SIGUSR1") if hasattr(signal, name)]
pytestmark = pytest.mark.skipif(not SIGNALS, reason="Windows has no such signals")


def wait_for_text(path: Path, text: str) -> None:
    """Until a file exists and has this text."""
    end = monotonic() + PATIENCE
    while not path.exists() or text not in path.read_text("utf-8"):
        assert monotonic() < end, f"{path} never had {text}"
        threading.Event().wait(0.01)


def stderr_until(console: Console, text: str) -> str:
    """The line of stderr that has this text."""
    assert console.process.stderr is not None
    for line in console.process.stderr:
        if text in line:
            return line
    raise AssertionError(f"stderr ended without {text}")


@pytest.mark.parametrize("name", SIGNALS)
def test_a_renamed_access_log_is_opened_anew_under_its_name(name: str, site: Path) -> None:
    log = site / "access.log"
    with tpserver("--access-log", "access.log", cwd=site) as console:
        console.get("/?before")
        wait_for_text(log, "before")
        log.rename(site / "access.log.1")
        console.process.send_signal(getattr(signal, name))
        wait_for_text(log, "")  # at once, though no request comes: the old one may be compressed now
        console.get("/?after")
        wait_for_text(log, "after")
        assert "after" not in (site / "access.log.1").read_text("utf-8")
        assert console.stop().status == 0


def test_lines_that_waited_are_in_one_of_the_files(site: Path) -> None:
    with tpserver("--access-log", "access.log", cwd=site) as console:
        for number in range(40):
            console.get(f"/?n{number}.")
            if number % 10 == 5:
                (site / "access.log").rename(site / f"access.log.{number}")
                console.process.send_signal(signal.SIGHUP)
                wait_for_text(site / "access.log", "")
        assert console.stop().status == 0
    lines = "".join(path.read_text("utf-8") for path in site.glob("access.log*"))
    assert [lines.count(f"?n{number}.") for number in range(40)] == [1] * 40


def test_where_it_cannot_be_opened_the_old_file_goes_on_and_the_log_says_so(site: Path) -> None:
    (site / "logs").mkdir()
    with tpserver("--access-log", "logs/access.log", cwd=site) as console:
        assert console.port
        (site / "logs").rename(site / "old")
        console.process.send_signal(signal.SIGHUP)
        line = stderr_until(console, "re-open")
        assert "ERROR cannot re-open the log logs/access.log: No such file or directory" in line
        console.get("/?later")
        wait_for_text(site / "old" / "access.log", "later")
        assert console.stop().status == 0


@pytest.mark.parametrize("log", ["-", "none"])
@pytest.mark.parametrize("name", SIGNALS)
def test_without_a_file_to_open_the_server_goes_on(name: str, log: str, site: Path) -> None:
    with tpserver("--access-log", log, cwd=site) as console:
        assert console.port
        for _ in range(3):
            console.process.send_signal(getattr(signal, name))
            assert console.get("/") == "home"
        assert console.stop().status == 0


def test_a_signal_while_the_application_is_imported_ends_nothing(site: Path) -> None:
    (site / "early.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGHUP)\nfrom hello import app\n", "utf-8"
    )
    with tpserver("early:app", "--access-log", "access.log", cwd=site) as console:
        assert console.get("/x") == "hello /x"
        assert console.stop().status == 0


def test_an_application_that_handles_the_signal_keeps_it(site: Path) -> None:
    (site / "own.py").write_text(
        # Not `print`: the signal may come while the server writes to the same buffer.
        "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: os.write(1, b'mine\\n'))\nfrom hello import app\n",
        "utf-8",
    )
    with tpserver("own:app", "--access-log", "access.log", cwd=site) as console:
        assert console.port
        console.process.send_signal(signal.SIGUSR1)
        assert console.read_line() == "mine\n"
        assert console.stop().status == 0


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs POSIX")
def test_a_descriptor_is_closed_for_each_that_is_opened(site: Path) -> None:
    from tpserver.logs.streams import LogFile

    file = LogFile(str(site / "a.log"))
    file.write("one\n")
    before = os.dup(0)  # the lowest number that is free
    os.close(before)
    for _ in range(3):
        file.reopen()
    after = os.dup(0)
    os.close(after)
    assert abs(after - before) <= 1
    file.close()
    file.reopen()  # it is over: opens nothing
    with pytest.raises(OSError, match="descriptor"):
        os.write(file._fd, b"x")
