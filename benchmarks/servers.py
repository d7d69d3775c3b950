"""How each server is started, and which ones are installed.

Every peer runs as its documentation advises for speed, with the same number of threads, without an access log and with
keep-alive connections that last; none is hobbled by a default that its users would change.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .client import HOST
from .job import BARE, BEFORE, SUBJECT, Job
from .wrk import find_program

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent


# As they stand in the tables.
TITLES = {
    SUBJECT: SUBJECT,
    BEFORE: "tpserver before",
    "waitress": "waitress",
    "cheroot": "cheroot",
    "gunicorn": "gunicorn gthread",
    "granian": "granian",
    "bjoern": "bjoern",
    BARE: "a bare loop",
    "http.server": "http.server",
    "nginx": "nginx",
    "nginx-cache": "nginx with open_file_cache",
}


def checkout(text: str) -> Path:
    """For argparse: the folder of another checkout."""
    folder = Path(text).resolve()
    if not (folder / "tpserver" / "__main__.py").is_file():
        raise argparse.ArgumentTypeError(f"{text} is no checkout of tpserver")
    return folder


@dataclass(frozen=True)
class Place:
    """Where a server runs: its port, the folder of files, and a folder for what it needs itself."""

    port: int
    files: Path
    scratch: Path


class Server:
    """A server that is a Python package of the running interpreter."""

    name = ""
    folder = ROOT  # it is started there

    def version(self) -> str | None:
        """None when it is not installed."""
        try:
            return importlib.metadata.version(self.name)
        except importlib.metadata.PackageNotFoundError:
            return None

    def command(self, job: Job, place: Place) -> Sequence[str]:
        raise NotImplementedError

    def advice(self) -> str:
        """How to get it."""
        return f"pip install {self.name}"


class TPServer(Server):
    """tpserver of this checkout, or of another one; both serve the applications of this one."""

    def __init__(self, name: str = SUBJECT, folder: Path = ROOT) -> None:
        self.name = name
        self.folder = folder

    def version(self) -> str | None:
        command = [sys.executable, "-m", "tpserver", "--version"]
        told = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=30)
        return told.stdout.split()[-1] if told.returncode == 0 and told.stdout.split() else None

    def command(self, job: Job, place: Place) -> Sequence[str]:
        what = [f"benchmarks.{job.app}", "--app-dir", str(ROOT)] if job.app else []
        if job.files:
            what += ["--root", str(place.files)]
        base = [sys.executable, "-m", "tpserver", *what, "--host", HOST, "--port", str(place.port)]
        return [*base, "--threads", str(job.threads), "--access-log", "none", *job.options]

    def advice(self) -> str:
        return f"`python -m tpserver --version` does not work in {self.folder}"


class Waitress(Server):
    name = "waitress"

    def command(self, job: Job, place: Place) -> Sequence[str]:
        listen = [f"--listen={HOST}:{place.port}", f"--threads={job.threads}", "--connection-limit=1000"]
        return [sys.executable, "-m", "waitress", *listen, f"benchmarks.{job.app}"]


class Cheroot(Server):
    name = "cheroot"

    def command(self, job: Job, place: Place) -> Sequence[str]:
        return [
            sys.executable,
            "-m",
            "benchmarks.launch",
            "cheroot",
            f"benchmarks.{job.app}",
            str(place.port),
            str(job.threads),
        ]


class Gunicorn(Server):
    name = "gunicorn"

    def command(self, job: Job, place: Place) -> Sequence[str]:
        # By a file: names that a version does not know are an error on the command line, but not in it.
        settings = place.scratch / "gunicorn.conf.py"
        settings.write_text("control_socket_disable = True\n", "utf-8")
        worker = ["-k", "gthread", "--workers", "1", "--threads", str(job.threads), "--keep-alive", "75"]
        bind = ["--bind", f"{HOST}:{place.port}", "--log-level", "warning"]
        return [sys.executable, "-m", "gunicorn", "-c", str(settings), *worker, *bind, f"benchmarks.{job.app}"]


class Granian(Server):
    name = "granian"

    def command(self, job: Job, place: Place) -> Sequence[str]:
        threads = 1 if job.quick else job.threads
        work = ["--interface", "wsgi", "--http", "1", "--no-ws", "--workers", "1", "--blocking-threads", str(threads)]
        listen = ["--host", HOST, "--port", str(place.port), "--backpressure", "1024", "--log-level", "warning"]
        return [sys.executable, "-m", "granian", *work, *listen, f"benchmarks.{job.app}"]


class Bjoern(Server):
    name = "bjoern"

    def command(self, job: Job, place: Place) -> Sequence[str]:
        return [sys.executable, "-m", "benchmarks.launch", "bjoern", f"benchmarks.{job.app}", str(place.port), "1"]

    def advice(self) -> str:
        return "pip install bjoern, which needs a compiler and libev's headers"


class BareLoop(Server):
    """tpserver's parser without its engine (bare_loop.py)."""

    name = BARE

    def version(self) -> str | None:
        return "of this checkout" if hasattr(select, "epoll") else None

    def command(self, job: Job, place: Place) -> Sequence[str]:
        return [sys.executable, "-m", "benchmarks.launch", BARE, f"benchmarks.{job.app}", str(place.port), "1"]

    def advice(self) -> str:
        return "it needs Linux"


class HTTPServer(Server):
    """The standard library's, for files."""

    name = "http.server"

    def version(self) -> str | None:
        return platform.python_version()

    def command(self, job: Job, place: Place) -> Sequence[str]:
        where = ["--bind", HOST, "--directory", str(place.files)]
        return [sys.executable, "-m", "http.server", *where, str(place.port)]


class Nginx(Server):
    """One worker, so that it too has one core; in a folder of its own, as the user who runs it."""

    name = "nginx"
    cache = ""

    def version(self) -> str | None:
        program = find_program("nginx")
        if program is None:
            return None
        told = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=10).stderr
        found = re.search(r"nginx/([0-9.]+)", told)
        return found[1] if found else "of unknown version"

    def command(self, job: Job, place: Place) -> Sequence[str]:
        settings = place.scratch / "nginx.conf"
        settings.write_text(self._settings(place), "utf-8")
        program = find_program("nginx") or "nginx"
        return [program, "-e", "stderr", "-p", str(place.scratch), "-c", str(settings)]

    def advice(self) -> str:
        return "install it from the system's packages"

    def _settings(self, place: Place) -> str:
        temporary = "\n    ".join(
            f"{kind}_temp_path {place.scratch}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return f"""\
{"user root root;" if os.geteuid() == 0 else ""}
daemon off;
worker_processes 1;
error_log stderr;
pid {place.scratch}/nginx.pid;
events {{
    worker_connections 1024;
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 75;
    keepalive_requests 100000000;
    types {{
        text/plain txt;
    }}
    default_type application/octet-stream;
    gzip on;
    gzip_types text/plain;
    {self.cache}
    {temporary}
    server {{
        listen {HOST}:{place.port};
        root {place.files};
    }}
}}
"""


class NginxCached(Nginx):
    """Remembers open files, so that it asks the file system once in 60 s and shows an edit that much later."""

    name = "nginx-cache"
    cache = "open_file_cache max=1000 inactive=60s; open_file_cache_valid 60s;"


TPSERVER = TPServer()
PEERS: dict[str, Server] = {
    peer.name: peer
    for peer in (
        Waitress(),
        Cheroot(),
        Gunicorn(),
        Granian(),
        Bjoern(),
        BareLoop(),
        HTTPServer(),
        Nginx(),
        NginxCached(),
    )
}
SERVERS: dict[str, Server] = {SUBJECT: TPSERVER, **PEERS}
