"""The applications of the scenarios do what their scenarios say of them."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
import threading
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

pytest.importorskip("resource", reason="the benchmarks need Unix")

from benchmarks.apps import plain, work
from benchmarks.loads import rates
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import ROOT


def ask(application: Any, path: str, posted: bytes = b"") -> tuple[str, bytes]:
    """Status and content."""
    environ: dict[str, Any] = {"PATH_INFO": path, "wsgi.input": io.BytesIO(posted)}
    setup_testing_defaults(environ)
    told: list[str] = []
    answer = application(environ, lambda status, fields: told.append(status))
    try:
        return told[0], b"".join(answer)
    finally:
        getattr(answer, "close", lambda: None)()


# Django keeps its settings for the whole process, and other tests have some of their own: so it gets a process.
DJANGO = "apps.django_site:app"
ASK_DJANGO = """
import io
from benchmarks.apps.django_site import app

for path, query in (("/", ""), ("/articles/10007/comments", "page=3")):
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "SERVER_NAME": "h", "SERVER_PORT": "80",
        "HTTP_COOKIE": "session=1; theme=dark", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(),
    }
    print(b"".join(app(environ, lambda status, fields: print(status))).decode())
"""


@pytest.mark.parametrize("name", sorted({one.job.app for one in SCENARIOS.values() if one.job.app} - {DJANGO}))
def test_each_shows_that_it_is_ready(name: str) -> None:
    module, _, attribute = name.partition(":")
    if module == "apps.flask_site":
        pytest.importorskip("flask")
    application = getattr(importlib.import_module(f"benchmarks.{module}"), attribute)
    assert ask(application, "/") == ("200 OK", plain.GREETING)


def test_a_django_page_depends_on_path_query_and_cookie() -> None:
    pytest.importorskip("django")
    command = [sys.executable, "-c", ASK_DJANGO]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=True).stdout
    ready, _, page = told.partition("200 OK\n<")
    assert ready == "200 OK\nHello, world!\n"
    for words in ("Comments On Article 10007", 'class="dark"', "3 comments, page 3"):
        assert words in page


@pytest.mark.parametrize(
    ("path", "posted", "expected"),
    [
        ("/upload/3", b"abc", ("200 OK", b"3")),
        ("/upload/3", b"ab", ("400 Bad Request", b"2")),
        ("/64k", b"", ("200 OK", bytes(64 << 10))),
        ("/pieces", b"", ("200 OK", bytes(1000 << 10))),
    ],
)
def test_contents_have_their_length(path: str, posted: bytes, expected: tuple[str, bytes]) -> None:
    assert ask(plain.contents, path, posted) == expected


def test_the_same_work_is_the_same_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(work, "_run", done.append)
    monkeypatch.setattr(work, "_steps_per_ms", 2000)
    work.work(0.3)
    work.work(10)
    assert done == [600, 20_000]


def test_a_trap_loads_once_and_stalls_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    stalled, going_on = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if seconds == plain.Trap.STALL_SECONDS:
            stalled.set()
            assert going_on.wait(10)

    monkeypatch.setattr("benchmarks.apps.plain.time.sleep", sleep)
    monkeypatch.setattr(work, "_steps_per_ms", 1)
    trap = plain.Trap()
    ask(trap, "/page")
    ask(trap, "/page")
    assert slept == [plain.Trap.LOAD_SECONDS]
    stall = threading.Thread(target=ask, args=(trap, "/stall"))
    stall.start()
    assert stalled.wait(10)
    page = threading.Thread(target=ask, args=(trap, "/page"))
    page.start()
    assert len(json.loads(ask(trap, "/times")[1])["pages"]) == 2
    going_on.set()
    stall.join(10)
    page.join(10)
    times = json.loads(ask(trap, "/times")[1])
    assert [len(times["pages"]), len(times["ends"])] == [3, 2]


def test_pages_are_counted_in_the_seconds_that_follow() -> None:
    assert rates([4.9, 5.0, 5.1, 5.99, 6.0, 7.5, 8.0], 5.0) == [3, 1, 1]
