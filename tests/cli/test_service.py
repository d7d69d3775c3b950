"""A service of systemd: the sockets that it gets, what it tells, and what it says while it drains."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.test_bind import greeted
from tests.client import Client, request
from tests.console import HANGING, PATIENCE, python, tpserver

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd is not for this system")

# Starts a program as systemd does: descriptor 3 is the socket, and the variables are for its process alone.
ACTIVATED = """
import os, sys

descriptor, pid, *command = sys.argv[1:]
os.dup2(int(descriptor), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES="web", LISTEN_PID=pid or str(os.getpid()))
os.execvp(command[0], command)
"""

SHOWING = """
import os, subprocess, sys

def app(environ, start_response):
    start_response("200 OK", [])
    names = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
    left = [name for name in names if name in os.environ]
    look = [sys.executable, "-c", "import os; os.fstat(3)"]
    found = subprocess.run(look, stderr=subprocess.DEVNULL, close_fds=False).returncode == 0
    return [f"{left} {found}".encode()]
"""


class Systemd:
    """The socket that it hears its services by."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(PATIENCE)

    def environment(self, **more: str) -> dict[str, str]:
        return {"NOTIFY_SOCKET": str(self.path), **more}

    def hears(self, beginning: str) -> str:
        """The next message with this beginning; others are passed over."""
        while not (message := self._socket.recv(4096).decode()).startswith(beginning):
            pass
        return message

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(tmp_path)
    yield listening
    listening.close()


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_sockets_of_systemd_are_served_where_no_address_is_given(site: Path, tmp_path: Path, family: str) -> None:
    (site / "showing.py").write_text(SHOWING, "utf-8")
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX if family == "unix" else socket.AF_INET) as listening:
        listening.bind(path if family == "unix" else ("127.0.0.1", 0))
        listening.listen()
        for _ in range(2):  # a restart finds the socket as it was
            number = listening.fileno()
            command = (sys.executable, "-c", ACTIVATED, str(number), "")
            with python("-m", "tpserver", "showing:app", cwd=site, command=command, pass_fds=(number,)) as console:
                line = greeted(console)
                assert "(sockets from systemd; Ctrl-C stops it)" in line
                with Client(SimpleNamespace(address=listening.getsockname())) as client:
                    assert client.ask("/").content == b"[] False"  # nothing is left for what the application starts
                assert console.stop().status == 0
    assert (tmp_path / "sock").exists() == (family == "unix")


def test_a_connection_that_is_open_gets_one_more_response_when_the_next_process_is_to_come(
    site: Path, systemd: Systemd
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        words = ("-m", "tpserver", "--bind", f"fd:{number}")
        with python(*words, cwd=site, env=systemd.environment(), pass_fds=(number,)) as console:
            greeted(console)
            with Client(SimpleNamespace(address=listening.getsockname())) as client:
                assert client.ask("/").all("Connection") == []
                console.send()
                systemd.hears("STOPPING=1")
                assert client.ask("/").all("Connection") == ["close"]
                assert client.ended()
            assert console.end().status == 0


def test_sockets_for_another_process_are_not_taken(site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number, port = listening.fileno(), listening.getsockname()[1]
        command = (sys.executable, "-c", ACTIVATED, str(number), "1")
        with python("-m", "tpserver", cwd=site, command=command, pass_fds=(number,), env={"PORT": "0"}) as console:
            assert console.port != port


def test_an_address_that_is_given_goes_before_the_sockets(site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number, port = listening.fileno(), listening.getsockname()[1]
        command = (sys.executable, "-c", ACTIVATED, str(number), "")
        with tpserver(cwd=site, command=command, pass_fds=(number,)) as console:
            assert console.port != port


def test_a_service_says_when_it_is_ready_reloads_and_stops(site: Path, systemd: Systemd) -> None:
    with tpserver(cwd=site, env=systemd.environment()) as console:
        assert systemd.hears("READY=1") == f"READY=1\nSTATUS=serving at {console.url}/"
        console.process.send_signal(signal.SIGHUP)
        assert systemd.hears("RELOADING=1").startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert systemd.hears("READY=1") == "READY=1"
        console.send()
        assert systemd.hears("STOPPING=1") == "STOPPING=1\nEXTEND_TIMEOUT_USEC=10000000"
        assert console.end().status == 0


def test_signs_of_life_are_given_as_often_as_they_are_asked_for(site: Path, systemd: Systemd) -> None:
    with tpserver(cwd=site, env=systemd.environment(WATCHDOG_USEC="1200000")) as console:
        systemd.hears("READY=1")
        for _ in range(3):
            assert systemd.hears("WATCHDOG=1") == "WATCHDOG=1"
        assert console.stop().status == 0


def test_a_drain_says_what_it_waits_for_and_asks_for_more_time(site: Path, systemd: Systemd) -> None:
    (site / "hanging.py").write_text(HANGING, "utf-8")
    with tpserver("hanging:app", cwd=site, env=systemd.environment()) as console, Client(console) as client:
        client.send(request())
        assert console.read_line() == "inside\n"
        console.send()
        told = systemd.hears("STATUS=stopping: ")
        assert told.startswith("STATUS=stopping: waiting for 1 request and 1 connection, ")
        assert told.endswith(" s at most\nEXTEND_TIMEOUT_USEC=10000000")
        console.send()
        ended = console.end()
    assert ended.status == 0
    line = ended.stderr.splitlines()[0]
    assert " INFO stopping: waiting for 1 request and 1 connection, " in line
    assert line.endswith(" s at most; a second signal ends at once")


@pytest.mark.field
@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="systemd is not installed")
def test_the_real_systemd_socket_activate_starts_it_with_the_first_client(site: Path, tmp_path: Path) -> None:
    path = tmp_path / "sock"
    command = ("systemd-socket-activate", "--fdname=web", "-l", str(path), "-E", "PYTHONPATH", "-E", "PYTHONWARNINGS")
    with python("-m", "tpserver", "hello:app", cwd=site, command=command) as console:
        assert console.process.stderr is not None
        assert "Listening on" in console.process.stderr.readline()
        with Client(SimpleNamespace(address=str(path))) as client:
            assert client.ask("/x").content == b"hello /x"
        assert f"unix:{path} (sockets from systemd" in greeted(console)
        assert console.stop().status == 0
