"""One server process: start it, wait until it answers, look at it through /proc, end it.

A server is started in a process group of its own, with its output in a file, and is ended by the id of that group:
nothing else is ever signalled.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .client import HOST, Client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

READY_SECONDS = 20.0
END_SECONDS = 3.0
_TICK = 0.002


class ServerFailed(Exception):
    """The server did not start, did not answer as it should, or ended too early."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def need_files(count: int) -> None:
    """Raises the soft limit of open files to `count`, also for what is started; ServerFailed if it cannot."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise ServerFailed(f"{count} open files are needed, {hard} allowed")
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class ServerProcess:
    """A running server. Use it in a `with` statement: it has answered inside, and has ended after."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int,
        folder: Path,
        environment: Mapping[str, str],
        log: Path,
        descriptors: Sequence[int] = (),
    ) -> None:
        """`descriptors` are those that it gets besides its standard streams."""
        self.port = port
        self._command = command
        self._folder = folder
        self._environment = environment
        self._log = log
        self._descriptors = descriptors
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ServerProcess:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self._descriptors,
            )
        return self

    def __exit__(self, *details: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._end_group()
            self._process.wait()
        else:
            self._end_group()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def wait_ready(self, path: str, length: int) -> None:
        """Ask for `path` until it is answered with 200 and a body of that length, for a bounded time."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                with Client(self.port, timeout=READY_SECONDS) as client:
                    answer = client.ask(path)
            except OSError:
                if time.monotonic() > deadline:
                    raise ServerFailed(f"did not answer within {READY_SECONDS:.0f} s{self._last_words()}") from None
                self.rest(_TICK)
                continue
            if answer.status != 200 or len(answer.body) != length:
                raise ServerFailed(f"answered {answer.status} with {len(answer.body)} bytes, not 200 with {length}")
            return

    def wait_listening(self) -> None:
        """Wait until a connection is taken, for a bounded time."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection((HOST, self.port), timeout=READY_SECONDS).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise ServerFailed(f"did not listen within {READY_SECONDS:.0f} s{self._last_words()}") from None
                self.rest(_TICK)

    def wait_saying(self, text: str) -> None:
        """Wait until it has written a line with `text`, for a bounded time: where another process may be answering."""
        deadline = time.monotonic() + READY_SECONDS
        while not any(text in line for line in self.said()):
            if time.monotonic() > deadline:
                raise ServerFailed(f"did not begin within {READY_SECONDS:.0f} s{self._last_words()}")
            self.rest(_TICK)

    def rest(self, seconds: float) -> None:
        """Let the server run for so long; it must not end."""
        assert self._process is not None
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise ServerFailed(f"ended with status {status}{self._last_words()}")

    def memory(self) -> int:
        """Resident bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ServerFailed("its resident size cannot be read")

    def proportional_memory(self) -> int:
        """Bytes; of a page that several processes have, each has a part."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        raise ServerFailed("its memory cannot be read")

    def processor_seconds(self) -> float:
        """Processor time since its start, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self) -> int:
        """How many there are."""
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def open_files(self) -> int:
        """Open descriptors: sockets, above all."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def said(self) -> list[str]:
        """Every line that it has written so far."""
        return self._log.read_text("utf-8", "replace").splitlines()

    def _end_group(self) -> None:
        """End what the server itself started and left behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _last_words(self) -> str:
        lines = [line.strip() for line in self._log.read_text("utf-8", "replace").splitlines() if line.strip()]
        return f": {lines[-1]}" if lines else ""
