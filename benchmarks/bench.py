"""One session: its settings, the server that is running now, and the processes that measure it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .apps import work
from .client import Client
from .process import ServerFailed, ServerProcess, free_port
from .servers import ROOT, Place, Server
from .wrk import Load, Wrk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .job import Job

FILES = {"1k.bin": 1 << 10, "10k.bin": 10 << 10, "100k.bin": 100 << 10, "20m.bin": 20 << 20}
TEXT, TEXT_SIZE = "50k.txt", 50 << 10
WARM_SECONDS = 1
_MARGIN = 30.0


class Helper:
    """A process of ours that measures, tells in lines of JSON, and ends when its standard input is closed."""

    def __init__(self, module: str, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._waiting = b""

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *details: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def message(self, timeout: float) -> dict[str, Any] | None:
        """The next line; None when there is none in that time."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._waiting:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
                data = os.read(self._process.stdout.fileno(), 65536)
                if not data:
                    raise ServerFailed("the measuring process ended without a result")
                self._waiting += data
        line, _, self._waiting = self._waiting.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def finish(self) -> dict[str, Any]:
        """Tell it to end, and take its last line."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.stdin = None
        message = self.message(_MARGIN)
        if message is None:
            raise ServerFailed("the measuring process did not end in time")
        return message


@dataclass(frozen=True)
class Bench:
    """The settings of a session. `folder` is temporary and goes with it."""

    folder: Path
    seconds: int
    loops: int = 0  # of apps.work, that take a millisecond

    @classmethod
    @contextmanager
    def open(cls, seconds: int = 1, loops: int = 0) -> Iterator[Bench]:
        """A session: its folder, with the files that servers serve."""
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
            bench = cls(Path(folder), seconds, loops)
            bench._make_files()
            yield bench

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def _make_files(self) -> None:
        self.files.mkdir()
        for name, size in FILES.items():
            (self.files / name).write_bytes(os.urandom(1024) * (size // 1024))
        text = b"".join(path.read_bytes() for path in sorted((ROOT / "tpserver").rglob("*.py")))
        (self.files / TEXT).write_bytes(text[:TEXT_SIZE])

    @contextmanager
    def serve(self, server: Server, job: Job) -> Iterator[ServerProcess]:
        """The server, answering."""
        port = free_port()
        scratch = self.folder / f"{server.name}-{port}"
        scratch.mkdir(exist_ok=True)
        process = ServerProcess(
            server.command(job, Place(port, self.files, scratch)),
            port=port,
            folder=server.folder,
            environment={
                **os.environ,
                "PYTHONPATH": str(server.folder),
                # As installed packages have it, or a start would mostly measure the compiler.
                "PYTHONDONTWRITEBYTECODE": "",
                "PYTHONPYCACHEPREFIX": str(self.folder / "bytecode"),
                work.VARIABLE: str(self.loops),
            },
            log=scratch / "output.txt",
        )
        with process:
            process.wait_ready(*job.ready)
            yield process

    def wrk(self, server: ServerProcess, load: Load, seconds: int | None = None) -> Wrk:
        """wrk, running."""
        return Wrk(server.port, load, seconds=seconds or self.seconds, folder=self.folder)

    def warm(self, server: ServerProcess, load: Load) -> None:
        """The same load for a second, not counted; then wait until what wrk has left behind in queues is done."""
        with self.wrk(server, load, WARM_SECONDS) as wrk:
            wrk.finish()
        with Client(server.port) as client:
            client.ask(load.path)

    def helper(self, module: str, *arguments: object) -> Helper:
        return Helper(module, *arguments)
