"""The port that the environment names, where the command line names none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.console import free_port, python
from tpserver.cli import read
from tpserver.config import Config
from tpserver.environment import add_environment
from tpserver.errors import UsageError


def taken(monkeypatch: pytest.MonkeyPatch, typed: str, environment: str) -> tuple[dict[str, Any], str]:
    """The options, and what the greeting says of them."""
    for name in ("PORT", "HTTP_PLATFORM_PORT", "LISTEN_PID"):
        monkeypatch.delenv(name, raising=False)
    for assignment in environment.split():
        monkeypatch.setenv(*assignment.split("=", 1))
    values = vars(read(typed.split()))
    return values, add_environment(values)


@pytest.mark.parametrize(
    ("typed", "environment", "meant", "origin"),
    [
        ("", "", {}, ""),
        ("", "PORT=5000", {"host": "0.0.0.0", "port": 5000}, "port from PORT"),
        ("", "PORT=", {}, ""),
        ("--host ::1", "PORT=5000", {"host": "::1", "port": 5000}, "port from PORT"),
        ("--port 80", "PORT=5000", {"port": 80}, ""),
        ("8000", "PORT=5000", {"port": 8000}, ""),
        ("--host a:80", "PORT=5000", {"host": "a", "port": 80}, ""),
        ("--bind a:80", "PORT=5000", {"bind": ["a:80"]}, ""),
        ("--bind unix:x", "PORT=nonsense", {"bind": ["unix:x"]}, ""),
        ("--bind a -b b:80", "PORT=5000", {"bind": ["a", "b:80"], "port": 5000}, "port from PORT"),
        ("", "HTTP_PLATFORM_PORT=6000", {"host": "127.0.0.1", "port": 6000}, "port from HTTP_PLATFORM_PORT"),
        ("", "HTTP_PLATFORM_PORT=6000 PORT=5000", {"port": 6000}, "port from HTTP_PLATFORM_PORT"),
    ],
)
def test_the_command_line_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, typed: str, environment: str, meant: dict[str, Any], origin: str
) -> None:
    values, told = taken(monkeypatch, typed, environment)
    assert (Config(**values), told) == (Config(**meant), origin)


@pytest.mark.parametrize("port", ["http", "-1", "65536", "80.0", "tcp://10.0.0.1:80", "8000x"])
def test_a_port_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    with pytest.raises(UsageError, match=f"PORT={port} in the environment is not a port"):
        taken(monkeypatch, "", f"PORT={port}")


def test_the_greeting_says_where_the_port_comes_from(site: Path) -> None:
    port = free_port()
    with python("-m", "tpserver", cwd=site, env={"PORT": str(port)}) as console:
        assert console.port == port
        assert console.greeting.startswith(
            f"tpserver serves {site} at http://127.0.0.1:{port}/ (port from PORT; Ctrl-C"
        )


def test_a_bad_port_is_one_line(site: Path) -> None:
    with python("-m", "tpserver", cwd=site, env={"PORT": "http"}) as console:
        ended = console.end()
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr == "tpserver: error: PORT=http in the environment is not a port; change it, or use --port N\n"


def test_a_program_that_serves_is_not_changed_by_it(site: Path) -> None:
    program = "import tpserver; print(tpserver.make_server(port=0).server_name, flush=True)"
    with python("-W", "ignore", "-c", program, cwd=site, env={**os.environ, "PORT": "1"}) as console:
        assert console.read_line() == "127.0.0.1\n"
