"""python -m tpserver on consoles of all kinds, and how it ends."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, request
from tests.console import HANGING, Console, draining, free_port, python, tpserver, wait_until_it_serves


@contextmanager
def closed_stdout(*arguments: str, cwd: Path) -> Iterator[Console]:
    """A server whose stdout is closed from the beginning, as under pythonw."""
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("no shell that can close a stream")
    port = free_port()
    command = (shell, "-c", 'exec "$@" >&-', "sh")
    how: dict[str, Any] = {"cwd": cwd, "command": command, "stdout": subprocess.DEVNULL}
    with python("-m", "tpserver", "--port", str(port), *arguments, **how) as console:
        wait_until_it_serves(port)
        console.greeting = f"http://127.0.0.1:{port}"  # it cannot say so itself
        yield console


def test_a_console_without_stdout(site: Path) -> None:
    with closed_stdout(cwd=site) as console:
        assert console.get("/") == "home"
        ended = console.stop()
    assert (ended.status, ended.stderr) == (0, "")


def test_a_console_without_stdout_and_a_request_that_never_ends(site: Path) -> None:
    (site / "asked.py").write_text(
        HANGING.replace('print("inside", flush=True)', "open('inside', 'w').close()"), "utf-8"
    )
    with (
        closed_stdout("--drain-timeout", "0.1", "asked:app", cwd=site) as console,
        Client(console) as client,
        Client(console) as other,
    ):
        client.send(request())
        while not (site / "inside").exists():
            assert other.ask("*", method="OPTIONS").status == 204
        ended = console.stop()
    assert ended.status == 0
    assert "Traceback" not in ended.stderr


def test_a_reader_of_stdout_that_goes_away_is_missed_once(site: Path) -> None:
    with tpserver(cwd=site) as console:
        assert console.url
        console.process.stdout.close()
        for _ in range(3):
            console.get("/")
        console.send()
        status = console.process.wait(30)
        said = console.process.stderr.read()
    assert status == 0
    assert "Traceback" not in said
    assert said.count("cannot write the access log") <= 1


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe there holds more than is written here")
def test_a_pipe_that_is_not_read_holds_up_nothing_not_even_the_end(site: Path) -> None:
    with tpserver(cwd=site) as console, Client(console) as client:
        for _ in range(100):
            assert client.ask("/" + "x" * 4000).status == 404
        console.send()
        assert console.process.wait(30) == 0


@pytest.mark.parametrize("name", ["\u00e4", "\u65e5\u672c"])
def test_a_console_that_cannot_show_the_folders_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.txt").write_text("text", "utf-8")
    with tpserver("--root", name, cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"}) as console:
        assert console.get("/a.txt") == "text"
        assert console.stop().status == 0


@pytest.mark.skipif(sys.platform == "win32", reason="names of files have no coding there")
def test_a_locale_that_has_no_such_character(tmp_path: Path) -> None:
    with tpserver(cwd=tmp_path, env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}) as console:
        with Client(console) as client:
            assert client.ask("/%C3%A4").status == 404
        assert console.stop().stderr == ""


@pytest.mark.skipif(sys.platform == "win32" or not Path("/dev/full").exists(), reason="there is no full disk here")
def test_a_full_disk_under_the_access_log_is_said_once_and_the_server_goes_on(site: Path) -> None:
    with tpserver("--access-log", "/dev/full", cwd=site) as console:
        for _ in range(3):
            assert console.get("/") == "home"
        ended = console.stop()
    assert ended.status == 0
    assert ended.stderr.count("cannot write the access log: ") == 1
    assert "Traceback" not in ended.stderr


# -- how it ends


SIGNALS = [name for name in ("SIGINT", "SIGTERM") if sys.platform != "win32" or name == "SIGINT"]


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_finishes_what_runs_and_takes_nothing_new(site: Path, name: str) -> None:
    with tpserver("--access-log", "none", "waiting:app", cwd=site) as console, Client(console) as client:
        until_it_drains = draining(console)
        client.send(request())
        assert console.read_line() == "inside\n"
        console.send(getattr(signal, name))
        until_it_drains()
        with pytest.raises(ConnectionRefusedError):
            Client(console)
        console.process.stdin.write("done\n")
        console.process.stdin.flush()
        assert client.stream.read().endswith(b"\r\n\r\ndone\n")
        client.close()
        ended = console.end()
        assert (ended.status, ended.stdout) == (0, "stopped\n")
        assert all(" INFO stopping: waiting for " in line for line in ended.stderr.splitlines())


def test_what_never_ends_is_left_behind_after_the_time_to_drain(site: Path) -> None:
    with tpserver("--drain-timeout", "0.1", "hanging:app", cwd=site) as console, Client(console) as client:
        client.send(request())
        assert console.read_line() == "inside\n"
        ended = console.stop()
    assert ended.status == 0
    assert ended.stdout == "stopped\n"
    assert "1 request still runs" in ended.stderr


@pytest.mark.parametrize("name", SIGNALS)
def test_a_second_signal_does_not_wait(site: Path, name: str) -> None:
    with tpserver("--drain-timeout", "10000", "hanging:app", cwd=site) as console, Client(console) as client:
        until_it_drains = draining(console)
        client.send(request())
        while console.read_line() != "inside\n":
            pass
        console.send(getattr(signal, name))
        until_it_drains()
        assert console.stop(getattr(signal, name)).status == 0
