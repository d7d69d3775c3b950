"""The command line as a person uses it: processes of their own, what they say, and the signals that they get."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from tests.client import Client

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 50.0
WINDOWS = sys.platform == "win32"

HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello " + environ["PATH_INFO"].encode("latin-1")]
"""

# Says when it is inside, and never comes out.
HANGING = """
import threading

def app(environ, start_response):
    print("inside", flush=True)
    threading.Event().wait()
"""

# Says when it is inside, and comes out when a line is written to the process.
WAITING = """
import sys

def app(environ, start_response):
    print("inside", flush=True)
    line = sys.stdin.readline().encode()
    start_response("200 OK", [("Content-Length", str(len(line)))])
    return [line]
"""


class Ended(NamedTuple):
    """How a process ended, and all that it said which was not read before."""

    status: int
    stdout: str
    stderr: str


def _break_event() -> int:
    """Ctrl-Break on Windows. wine has none: there Ctrl-C, which tests/windows turns on for these processes."""
    import ctypes

    in_wine = hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")  # type: ignore[attr-defined]
    return int(signal.CTRL_C_EVENT if in_wine else signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined]


class Console:
    """A process, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.greeting = ""

    def read_line(self) -> str:
        """The next line on stdout."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"it says no more: {self.end()}")
        return line

    @property
    def url(self) -> str:
        """Where it says that it serves, without a slash at the end."""
        while not self.greeting:
            line = self.read_line()
            self.greeting = line if "http://" in line else ""
        return re.search(r"http://\S+:\d+", self.greeting)[0]  # type: ignore[index]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def get(self, path: str) -> str:
        """The content at a path."""
        return get(self.url + path)

    def send(self, number: int = signal.SIGINT) -> None:
        """Ctrl-C or another signal; on Windows Ctrl-Break."""
        self.process.send_signal(_break_event() if WINDOWS else number)

    def end(self) -> Ended:
        """Waits for the end."""
        stdout, stderr = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, stdout, stderr)

    def stop(self, number: int = signal.SIGINT) -> Ended:
        self.send(number)
        return self.end()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:
        return str(response.read().decode("utf-8"))


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """The process finds this checkout, and takes every warning for an error."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **more}


@contextmanager
def python(*arguments: str, cwd: Path, command: tuple[str, ...] = (), env: Any = (), **how: Any) -> Iterator[Console]:
    """`python ARGUMENTS...`, perhaps by way of `command`; killed at the end should it still run."""
    how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    flags = subprocess.CREATE_NEW_PROCESS_GROUP if WINDOWS else 0  # type: ignore[attr-defined]
    with subprocess.Popen(
        [*command, sys.executable, *arguments],
        cwd=cwd,
        env=environment(dict(env)),
        encoding="utf-8",
        creationflags=flags,
        **how,
    ) as process:
        try:
            yield Console(process)
        finally:
            if process.poll() is None:
                process.kill()


def tpserver(*arguments: str, cwd: Path, **how: Any) -> Any:
    """`python -m tpserver --port 0 ARGUMENTS...`"""
    return python("-m", "tpserver", "--port", "0", *arguments, cwd=cwd, **how)


def failing(*arguments: str, cwd: Path) -> Ended:
    """`python -m tpserver ARGUMENTS...` that does not begin to serve."""
    with python("-m", "tpserver", *arguments, cwd=cwd) as console:
        return console.end()


def draining(console: Console) -> Any:
    """A function that returns when the server has begun to drain: it closes a connection that is idle."""
    idle = Client(console)
    assert idle.ask("*", method="OPTIONS").status == 204

    def wait() -> None:
        with idle:
            assert idle.ended()

    return wait


def free_port() -> int:
    """A port that was free a moment ago, for a server that cannot say which it has taken."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def wait_until_it_serves(port: int) -> None:
    end = monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
            return
        except ConnectionRefusedError:
            assert monotonic() < end, "it never served"
            threading.Event().wait(0.02)
