"""The reloaders of Werkzeug and Django around `serve`: a changed file, and the new process answers."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Client, request
from tests.console import Console, free_port
from tests.embedding.embedded import posix, script

SERVE = """
import content

def app(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        print("inside", flush=True)
        threading.Event().wait()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [content.TEXT]

def serve_it():
    serve(app, port=PORT, access_log="none")
"""

WERKZEUG = """
from werkzeug._reloader import run_with_reloader
run_with_reloader(serve_it, interval=0.1, reloader_type="stat")
"""

DJANGO = """
import django
from django.conf import settings
from django.utils import autoreload

settings.configure(ROOT_URLCONF="content", SECRET_KEY="x")
django.setup()

class Reloader(autoreload.StatReloader):
    # Says when it has looked at all files for the first time: it does not notice what has changed before.
    SLEEP_TIME = 0.1
    looked = False

    def snapshot_files(self):
        yield from super().snapshot_files()
        if not self.looked:
            self.looked = True
            print("watching", flush=True)

autoreload.get_reloader = Reloader
autoreload.run_with_reloader(serve_it)
"""


@contextlib.contextmanager
def reloading(folder: Path, package: str, reloader: str) -> Iterator[Console]:
    """A server with its reloader: a process with a child, and both are killed at the end."""
    pytest.importorskip(package)
    write(folder, "one")
    # A session of its own, so that the child can be killed with it.
    with script(folder, f"PORT = {free_port()}", SERVE, reloader, start_new_session=True) as console:
        try:
            yield console
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.killpg(console.process.pid, signal.SIGKILL)


def write(folder: Path, text: str) -> None:
    """Changes the module: by its size too, for Python's cache of compiled files looks at seconds only."""
    path = folder / "content.py"
    before = path.stat().st_mtime if path.exists() else 1_600_000_000
    (folder / "new.py").write_text(f"urlpatterns = []\nTEXT = b{text!r}\n", "utf-8")
    os.utime(folder / "new.py", (before + 10, before + 10))
    (folder / "new.py").replace(path)


def await_next(console: Console, package: str) -> None:
    """Waits until a new process serves, and watches its files: that of Werkzeug does so before it serves."""
    lines = [console.read_line(), *([console.read_line()] if package == "django" else [])]
    assert ["watching\n"] * (len(lines) - 1) == [line for line in lines if "http://" not in line]
    console.greeting = next(line for line in lines if "http://" in line)


@posix
@pytest.mark.parametrize(
    ("package", "reloader"), [("werkzeug", WERKZEUG), ("django", DJANGO)], ids=["werkzeug", "django"]
)
def test_a_changed_file_is_served_by_the_next_process(tmp_path: Path, package: str, reloader: str) -> None:
    with reloading(tmp_path, package, reloader) as console:
        await_next(console, package)
        assert console.get("/") == "one"
        for text in ("three", "fourteen"):
            write(tmp_path, text)
            await_next(console, package)
            assert console.get("/") == text


@posix
@pytest.mark.parametrize(
    ("package", "reloader"), [("werkzeug", WERKZEUG), ("django", DJANGO)], ids=["werkzeug", "django"]
)
def test_a_request_that_hangs_does_not_keep_the_old_process(tmp_path: Path, package: str, reloader: str) -> None:
    with reloading(tmp_path, package, reloader) as console:
        await_next(console, package)
        assert console.get("/") == "one"
        with Client(console) as client:
            client.send(request("/hang"))
            assert console.read_line() == "inside\n"
            write(tmp_path, "three")
            await_next(console, package)
            assert console.get("/") == "three"
            assert client.stream.read() == b""  # its process has ended
