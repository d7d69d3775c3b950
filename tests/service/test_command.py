"""python -m tpserver service: what can be said without a Windows, and what the process of a service does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, request
from tests.console import ROOT, WINDOWS, Console, failing, python
from tests.waiting import eventually
from tpserver import cli
from tpserver.cli import parse
from tpserver.errors import UsageError
from tpserver.service import command
from tpserver.service.command import command_line, default_log, service
from tpserver.service.manager import ServiceError, explained
from tpserver.service.states import SPECIFIC, Control, State

# Says when it is inside, and comes out when the stop of the service has begun.
UNTIL_STOPPED = """
import threading
from tpserver.service.states import Service

stopped = threading.Event()
control = Service.control

def told(self, number):
    result = control(self, number)
    stopped.set()
    return result

Service.control = told

def app(environ, start_response):
    print("inside", flush=True)
    stopped.wait()
    start_response("200 OK", [("Content-Length", "5")])
    return [b"done\\n"]
"""


def reports(console: Console) -> Any:
    """The state, exit code, own exit code and check-point of the next report."""
    state, _, exit_code, specific, check_point, _ = map(int, console.read_line().split())
    return State(state), exit_code, specific, check_point


def as_service(folder: Path, *options: str) -> Any:
    """The process of a service, which `tests/service/manager.py` has started; its log is named log."""
    command = ("-m", "tests.service.manager", "run-service", "hello", str(folder / "log"), str(folder), *options)
    return python(*command, cwd=folder.parent)


def test_a_service_serves_from_its_folder_and_answers_what_runs_when_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(UNTIL_STOPPED, "utf-8")
    with as_service(tmp_path, "--port", "0", "waits:app") as console:
        assert reports(console) == (State.START_PENDING, 0, 0, 1)
        while (report := reports(console))[0] != State.RUNNING:
            assert report[0] == State.START_PENDING
        log = tmp_path / "log"
        eventually(lambda: "http://" in log.read_text("utf-8"), "it does not say where it serves")
        console.greeting = log.read_text("utf-8")
        with Client(console) as client:
            client.send(request("/"))
            eventually(lambda: "inside" in log.read_text("utf-8"), "the request does not run")
            console.process.stdin.write(f"{int(Control.STOP)}\n")
            console.process.stdin.flush()
            assert client.response().content == b"done\n"
        said = console.end()
    assert said.status == 0
    lines = said.stdout.splitlines()
    assert "control 0" in lines
    assert lines[0].split()[0] == str(int(State.STOP_PENDING))
    assert lines[-1] == f"{int(State.STOPPED)} 0 0 0 0 0"
    logged = log.read_text("utf-8").splitlines()
    assert re.fullmatch(r"[\d-]{10} [\d:]{8} service hello starts: tpserver --port 0 waits:app", logged[0])
    assert logged[1].startswith("tpserver serves waits:app at http://127.0.0.1:")
    assert logged[-1] == "stopped"
    assert said.stderr == ""


@pytest.mark.parametrize(
    ("options", "status", "reason"),
    [
        (("--root", "missing"), 2, "missing"),
        (("--port", "http"), 2, "'http' is not a whole number"),
        (("broken:app",), 1, "ZeroDivisionError"),
    ],
)
def test_a_start_that_fails_says_why_in_the_log(tmp_path: Path, options: Any, status: int, reason: str) -> None:
    (tmp_path / "broken.py").write_text("1 / 0", "utf-8")
    with as_service(tmp_path, *options) as console:
        said = console.end()
    assert said.status == status
    assert said.stdout.splitlines()[-1] == f"{int(State.STOPPED)} 0 {SPECIFIC} {status} 0 0"
    log = (tmp_path / "log").read_text("utf-8")
    assert "tpserver: error: " in log
    assert reason in log


def test_a_start_in_a_folder_that_is_gone_says_so(tmp_path: Path) -> None:
    command = ("-m", "tests.service.manager", "run-service", "hello", str(tmp_path / "log"), str(tmp_path / "gone"))
    with python(*command, cwd=tmp_path) as console:
        said = console.end()
    assert said.status == 1
    assert said.stdout.splitlines()[-1].startswith(f"{int(State.STOPPED)} 0 ")
    assert "gone" in (tmp_path / "log").read_text("utf-8")


def test_the_process_of_a_service_is_not_for_a_user(tmp_path: Path) -> None:
    failed = failing("run-service", "hello", "log", ".", cwd=tmp_path)
    assert failed.status == 2
    assert failed.stderr.startswith("tpserver: error: run-service is for the service manager of Windows")
    assert not (tmp_path / "log").exists()


@pytest.mark.skipif(WINDOWS, reason="there it is done")
@pytest.mark.parametrize("action", ["install", "remove", "start", "stop", "status"])
def test_elsewhere_than_on_windows_it_names_systemd(tmp_path: Path, action: str) -> None:
    failed = failing("service", action, "hello", cwd=tmp_path)
    assert failed.status == 2
    assert failed.stdout == ""
    assert failed.stderr.startswith("tpserver: error: services are a matter of Windows; on Linux systemd")
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["a b", "a/b", "a\\b", "-a", "", "a" * 81, "a:b", "..", "a\n"])
def test_a_name_that_windows_would_refuse_or_no_file_can_have(name: str) -> None:
    with pytest.raises(UsageError, match="the name of a service has letters"):
        service("status", name, None, [], parse)


@pytest.mark.parametrize(("log", "options"), [("log", []), (None, ["--root", "html"]), (None, ["html"])])
def test_only_install_takes_options(log: str | None, options: list[str]) -> None:
    with pytest.raises(UsageError, match="service start takes the name of a service, and no options"):
        service("start", "hello", log, options, parse)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [(["service"], "action, NAME"), (["service", "begin", "x"], "begin"), (["service", "start"], "NAME")],
)
def test_a_command_that_is_not_complete(tmp_path: Path, arguments: list[str], wrong: str) -> None:
    failed = failing(*arguments, cwd=tmp_path)
    assert failed.status == 2
    assert wrong in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_the_help_tells_of_each_action_and_what_a_service_is(tmp_path: Path) -> None:
    said = failing("service", "--help", cwd=tmp_path)
    assert said.status == 0
    told = " ".join(said.stdout.split())
    for word in (
        "install",
        "remove",
        "start",
        "stop",
        "status",
        "--log FILE",
        "LocalService",
        "Exit status",
        "current",
    ):
        assert word in told


def test_what_windows_starts_is_quoted_as_its_programs_read_it() -> None:
    options = ["--root", "my site", "--header", '**=X: "a"', "--mount", "/a=C:\\b c\\", ""]
    line = command_line("hello", "C:\\Program Data\\hello.log", "C:\\my site", options)
    program, package = (f'"{path}"' if " " in path else path for path in (sys.executable, str(ROOT / "tpserver")))
    assert line == (
        f'{program} {package} run-service hello "C:\\Program Data\\hello.log" "C:\\my site"'
        ' --root "my site" --header "**=X: \\"a\\"" --mount "/a=C:\\b c\\\\" ""'
    )


def test_the_log_is_beside_those_of_other_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRAMDATA", "data")
    assert Path(default_log("hello")) == Path("data", "tpserver", "hello.log")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5, "access denied; run it as administrator"),
        (1060, "there is no such service"),
        (1061, "it starts or stops just now; try again later"),
        (1072, "it is marked for deletion; close what shows services, such as services.msc, and try again"),
        (1073, "it exists already; python -m tpserver service remove hello removes it"),
        (1053, "The service did not respond {in time} (error 1053)"),
    ],
)
def test_an_error_of_windows_is_one_line_that_says_what_to_do(number: int, text: str) -> None:
    error = ServiceError("hello", explained("hello", number, "The service did not respond {in time}. "))
    assert error.exit_status == 1
    assert str(error) == f"service hello: {text}"


@pytest.mark.parametrize(
    ("arguments", "log", "options"),
    [
        (["html", "hello:app"], None, ["html", "hello:app"]),
        (["--log", "x", "--root", "html", "hello:app", "-p", "80"], "x", ["--root", "html", "hello:app", "-p", "80"]),
        (["--stream-threads", "-1", "html", "--log=x"], "x", ["--stream-threads", "-1", "html"]),
        (["--log-level", "debug", "--open"], None, ["--log-level", "debug", "--open"]),
    ],
)
def test_what_stands_behind_the_name_is_for_the_server_but_for_the_log(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], log: str | None, options: list[str]
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(command, "service", lambda *all_of_it: given.extend(all_of_it) or 0)
    monkeypatch.setattr(sys, "argv", ["tpserver", "service", "install", "hello", *arguments])
    monkeypatch.setattr(cli, "limit_wait_for_threads", lambda _: None)
    assert cli.command() == 0
    assert given == ["install", "hello", log, options, parse]


def test_the_package_can_be_started_by_its_path_and_finds_the_standard_library(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-W", "error", str(ROOT / "tpserver")]
    done = subprocess.run([*command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("tpserver ")
