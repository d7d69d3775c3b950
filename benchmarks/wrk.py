"""One run of wrk, and what it counted.

wrk runs with one thread: on a small machine a second one would only take the server's core, and one sends more than
any server here answers (`Counted.cores` says how close it came to its limit).
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .client import HOST
from .process import ServerFailed

SEARCH = "/usr/local/bin:/usr/bin:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"
_LUA = Path(__file__).parent / "lua"
_MARGIN = 15.0


def find_program(name: str) -> str | None:
    """Its path, by PATH and by the places where the system keeps servers."""
    return shutil.which(name) or shutil.which(name, path=SEARCH)


@dataclass(frozen=True)
class Counted:
    """What one run counted."""

    requests: int  # answered at all
    refused: int  # of these, with a status of 400 or more
    broken: int  # connections that could not be made, or broke
    timeouts: int
    bytes: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cores: float  # processor seconds of wrk itself per second: at 1.0 it measures itself

    @property
    def rate(self) -> float:
        """Successful requests a second."""
        return (self.requests - self.refused) / self.seconds

    @property
    def errors(self) -> int:
        return self.refused + self.broken + self.timeouts


@dataclass(frozen=True)
class Load:
    """What wrk asks for."""

    path: str = "/"
    script: str | None = None  # a name in lua/: makes the requests; without it, all are alike
    connections: int = 64


class Wrk:
    """A run that has begun. Use it in a `with` statement; `finish` waits for the end and gives what it counted."""

    def __init__(
        self,
        port: int,
        load: Load,
        *,
        seconds: int,
        folder: Path,
    ) -> None:
        self._seconds = seconds
        program = find_program("wrk") or "wrk"
        lua = folder / f"{load.script or 'plain'}.lua"
        if not lua.exists():
            parts = [*([_LUA / f"{load.script}.lua"] if load.script else []), _LUA / "summary.lua"]
            lua.write_text("\n".join(part.read_text("utf-8") for part in parts), "utf-8")
        command = [program, "-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(lua)]
        self._process = subprocess.Popen(
            [*command, f"http://{HOST}:{port}{load.path}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )

    def __enter__(self) -> Wrk:
        return self

    def __exit__(self, *details: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def finish(self) -> Counted:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            output, _ = self._process.communicate(timeout=self._seconds + _MARGIN)
        except subprocess.TimeoutExpired:
            raise ServerFailed("wrk did not end in time") from None
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        for line in reversed(output.splitlines()):
            if line.startswith("{"):
                used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                values = json.loads(line)
                return Counted(**values, cores=used / values["seconds"])
        raise ServerFailed(f"wrk counted nothing: {output.strip().rpartition(chr(10))[2]}")
