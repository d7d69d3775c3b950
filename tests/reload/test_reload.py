"""`--reload` as a developer sees it."""

from __future__ import annotations

import contextlib
import os
import threading
import urllib.request
from pathlib import Path

import pytest

from tests.client import Client, request
from tests.console import PATIENCE, failing, tpserver
from tests.reload.developer import answer, serving, until, write
from tests.waiting import eventually

APP = """
import part

def app(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        import threading
        print("inside", flush=True)
        threading.Event().wait()
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<p>" + part.TEXT]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APP, "utf-8")
    write(tmp_path, 'TEXT = b"one"')
    return tmp_path


@pytest.fixture(params=["polling", "watchfiles"])
def way(request: pytest.FixtureRequest, site: Path) -> str:
    """How changes are found: by looking, or with the package that hears of them from the system."""
    way: str = request.param
    if way == "watchfiles":
        pytest.importorskip(way)
    else:
        (site / "watchfiles.py").write_text("raise ImportError", "utf-8")
    return way


def test_an_edit_is_served_by_a_new_process_and_no_connection_is_refused_meanwhile(site: Path, way: str) -> None:
    with serving(site) as console:
        assert answer(console) == "200 <p>one"
        for text in ("two", "three"):
            write(site, f'TEXT = b"{text}"')
            # Each question is a new connection, and none may fail.
            until(console, lambda got, text=text: got == f"200 <p>{text}")
        ended = console.stop()
    assert ended.status == 0
    assert "part.py has changed; starting again" in ended.stderr


def test_a_broken_edit_shows_its_error_until_it_is_mended(site: Path) -> None:
    with serving(site) as console:
        assert answer(console) == "200 <p>one"
        write(site, 'TEXT = b"two" +')
        until(console, lambda got: got.startswith("500 ") and "SyntaxError" in got and "part.py" in got)
        assert "<script>" in answer(console)  # which loads it again
        write(site, "import nowhere")
        until(console, lambda got: "No module named &#x27;nowhere&#x27;" in got)
        write(site, 'TEXT = b"mended"', "nowhere.py")
        until(console, lambda got: "has no attribute &#x27;TEXT&#x27;" in got or "Internal Server Error" in got)
        write(site, "from nowhere import TEXT")
        until(console, lambda got: got == "200 <p>mended")
        ended = console.stop()
    assert "tpserver: error: cannot import main: " in ended.stderr
    assert "SyntaxError" in ended.stderr


def test_a_start_that_is_broken_waits_to_be_mended(site: Path) -> None:
    write(site, "import nowhere")
    with serving(site) as console:
        assert answer(console).startswith("500 ")
        write(site, 'TEXT = b"mended"')
        until(console, lambda got: got == "200 <p>mended")
        assert console.stop().status == 0


def test_options_that_are_wrong_end_the_start(site: Path) -> None:
    ended = failing("main:app", "--reload", "--spa", "nothing.html", cwd=site)
    assert (ended.status, ended.stderr.count("\n")) == (2, 1)


def test_a_request_that_hangs_does_not_keep_the_new_process(site: Path) -> None:
    with serving(site, "--drain-timeout", "1") as console, Client(console) as client:
        client.send(request("/hang"))
        assert console.read_line() == "inside\n"
        write(site, 'TEXT = b"two"')
        until(console, lambda got: got == "200 <p>two")
        assert client.stream.read() == b""
        assert console.stop().status == 0


def test_a_process_that_dies_in_its_import_is_tried_again(site: Path) -> None:
    with serving(site) as console:
        assert answer(console) == "200 <p>one"
        write(site, "import os; os._exit(9)")
        console.process.stderr.readline()  # type: ignore[union-attr]
        assert "exit status 9" in console.process.stderr.readline()  # type: ignore[union-attr]
        write(site, 'TEXT = b"mended"')
        assert answer(console) == "200 <p>mended"  # it has waited in the backlog
        assert console.stop().status == 0


@pytest.mark.parametrize(("name", "glob"), [("templates/a.html", ""), ("conf/a.toml", "conf/*.toml")])
def test_templates_and_further_files_start_it_again(site: Path, way: str, name: str, glob: str) -> None:
    path = site / name
    path.parent.mkdir()
    path.write_text("one", "utf-8")
    write(site, f"TEXT = open({str(path)!r}, 'rb').read()")
    with serving(site, *(["--reload-include", glob] if glob else [])) as console:
        assert answer(console) == "200 <p>one"
        path.write_text("changed", "utf-8")
        until(console, lambda got: got == "200 <p>changed")
        assert console.stop().status == 0


class Browser:
    """What a page hears on its event stream."""

    def __init__(self, page: str) -> None:
        port = int(page.partition('new EventSource("http://127.0.0.1:')[2].partition("/")[0])
        self.stream = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE)
        self.heard: list[str] = []
        self.listening = threading.Thread(target=self._listen)
        self.listening.start()

    def _listen(self) -> None:
        with self.stream, contextlib.suppress(OSError):
            self.heard.extend(line.decode().strip() for line in self.stream)


def test_the_browser_hears_of_the_new_process_and_of_files(site: Path, way: str) -> None:
    html = site / "html"
    html.mkdir()
    (html / "a.css").write_text("one", "utf-8")
    (html / "index.html").write_text("<p>file", "utf-8")
    with serving(site, "--root", "html") as console:
        page = console.get("/")
        assert page.startswith("<p>file\n<script>")
        browser = Browser(page)
        eventually(lambda: "data: 0" in browser.heard, "it does not hear which process serves")
        (html / "a.css").write_text("changed", "utf-8")
        eventually(lambda: "event: css" in browser.heard, "it does not hear of the style sheet")
        assert "event: reload" not in browser.heard
        (html / "index.html").write_text("<p>changed", "utf-8")
        eventually(lambda: "event: reload" in browser.heard, "it does not hear of the page")
        write(site, 'TEXT = b"two"')
        eventually(lambda: "data: 1" in browser.heard, "it does not hear of the new process")
        assert console.stop().status == 0
        browser.listening.join(PATIENCE)
        assert not browser.listening.is_alive(), "the stream does not end"


def test_where_others_reach_it_pages_stay_as_they_are_and_errors_are_for_the_terminal(site: Path) -> None:
    with serving(site, "--host", "0.0.0.0") as console:
        assert console.get("/") == "<p>one"
        write(site, "import nowhere")
        until(console, lambda got: got.startswith("500 "))
        assert "nowhere" not in answer(console)
        assert "No module named 'nowhere'" in console.stop().stderr


def test_it_is_for_one_process(site: Path) -> None:
    ended = failing("main:app", "--reload", "--workers", "2", cwd=site)
    assert (ended.status, "leave out --workers" in ended.stderr) == (2, True)
    with tpserver("main:app", "--reload", cwd=site, env={**os.environ, "WEB_CONCURRENCY": "4"}) as console:
        assert answer(console) == "200 <p>one"
