"""The life of a service under the service manager of Windows (or of wine)."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.client import Client, request
from tests.console import PATIENCE, free_port
from tests.waiting import eventually
from tpserver.cli import parse
from tpserver.errors import StartError, UsageError
from tpserver.service.command import service
from tpserver.service.manager import ServiceError
from tpserver.service.states import State

if sys.platform == "win32":
    from tpserver.service.manager import InstalledService

pytestmark = [
    pytest.mark.skipif(sys.platform != "win32", reason="only Windows has such services"),
    pytest.mark.timeout(240),
]

# Its page /slow says so in the log, and is answered when a file is there.
SLOW = """
import os, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        print("inside", flush=True)
        while not os.path.exists("go"):
            time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.getcwd().encode()]
"""


class Installed:
    """A service, where it serves, its log, and the commands that an administrator gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"tpserver-test-{os.getpid()}"
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        self.log = folder / "logs" / "a service.log"

    def command(self, action: str) -> int:
        return service(action, self.name, None, [], parse)

    def install(self, *options: str) -> int:
        return service("install", self.name, str(self.log), ["--port", str(self.port), *options], parse)

    def start(self) -> int:
        """wine gives a process 10 seconds to begin, and Windows 30: on a busy machine that may not be enough."""
        done: list[int] = []

        def begins() -> bool:
            try:
                done.append(self.command("start"))
            except ServiceError as error:
                if "(error 1053)" not in str(error):  # ERROR_SERVICE_REQUEST_TIMEOUT
                    raise
            return bool(done)

        eventually(begins, "it is not started in time")
        return done[0]

    def logged(self) -> str:
        return self.log.read_text("utf-8") if self.log.exists() else ""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    folder = tmp_path / "my site"
    folder.mkdir()
    (folder / "slow.py").write_text(SLOW, "utf-8")
    (folder / "page.html").write_text("page", "utf-8")
    monkeypatch.chdir(folder)
    made = Installed(folder)
    yield made
    (folder / "go").touch()
    with contextlib.suppress(ServiceError):
        made.command("remove")


def exists(installed: Installed) -> bool:
    try:
        installed.command("status")
    except ServiceError as error:
        return "there is no such service" not in str(error)
    return True


def drains(installed: Installed) -> bool:
    """Whether it refuses new clients."""
    try:
        socket.create_connection(installed.address, timeout=PATIENCE).close()
    except OSError:
        return True
    return False


def test_a_service_answers_what_has_begun_when_it_is_stopped(
    installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    log = f"; log: {installed.log}\n"
    assert installed.install("--root", ".", "slow:app") == 0
    assert f"service {installed.name}: installed{log[:-1]}; python" in capsys.readouterr().out
    with pytest.raises(ServiceError, match=f"it exists already; .* service remove {installed.name} removes it"):
        installed.install()
    assert installed.command("status") == 1
    assert capsys.readouterr().out == f"service {installed.name}: stopped{log}"
    assert installed.start() == 0, installed.logged()
    assert f"service {installed.name}: running (process " in capsys.readouterr().out
    assert installed.command("status") == 0
    with (
        ThreadPoolExecutor(1) as elsewhere,
        InstalledService(installed.name, 0) as seen,
        Client(installed) as client,
        Client(installed) as other,
    ):
        client.send(request("/slow"))
        eventually(lambda: "inside" in installed.logged(), "the request does not run")
        assert other.ask("/page.html").content == b"page"
        stopping = elsewhere.submit(installed.command, "stop")
        eventually(lambda: drains(installed), "it does not drain")
        assert seen.status().state == State.STOP_PENDING
        check_point = seen.status().check_point
        eventually(lambda: seen.status().check_point > check_point, "it does not say that it goes on")
        assert not stopping.done()
        (installed.folder / "go").touch()
        assert client.response().content == os.fsencode(str(installed.folder))
        assert stopping.result(PATIENCE) == 0
    assert installed.logged().endswith("stopped\n")
    capsys.readouterr()
    assert installed.command("stop") == 0
    assert installed.command("remove") == 0
    assert capsys.readouterr().out == f"service {installed.name}: stopped{log}service {installed.name}: removed{log}"
    # Windows removes it when nothing has it open: its process may still be ending.
    eventually(lambda: not exists(installed), "it has not gone")


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (("--threads", "none"), "argument --threads: 'none' is not a whole number"),
        (("--root", "missing"), "--root missing"),
        (("nothing:app",), "nothing"),
    ],
)
def test_bad_options_are_told_when_it_is_installed(
    installed: Installed, options: tuple[str, ...], refused: str
) -> None:
    with pytest.raises((UsageError, StartError), match=refused):
        installed.install(*options)
    assert not exists(installed)


def test_a_start_fails_where_the_port_is_taken_and_the_log_says_so(installed: Installed) -> None:
    assert installed.install("--root", ".") == 0
    with socket.create_server(installed.address), pytest.raises(ServiceError) as failed:
        installed.start()
    assert f"service {installed.name}: it has not started (exit status 1); {installed.log} says why" in str(
        failed.value
    )
    assert f"tpserver: error: cannot listen on 127.0.0.1:{installed.port}: " in installed.logged()


def test_a_start_fails_where_the_log_cannot_be_written(installed: Installed) -> None:
    assert installed.install("--root", ".") == 0
    installed.log.mkdir(parents=True)
    with pytest.raises(ServiceError, match=r"it has not started \(error "):
        installed.start()


@pytest.mark.parametrize("action", ["start", "stop", "remove", "status"])
def test_a_service_of_others_is_left_alone(action: str) -> None:
    with pytest.raises(UsageError, match="EventLog is not a service that tpserver has installed"):
        service(action, "EventLog", None, [], parse)
