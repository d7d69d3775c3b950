"""python -m tpserver: what it serves, what it says, and how it complains."""

from __future__ import annotations

import re
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.client import Client, ask
from tests.console import HELLO, PATIENCE, ROOT, failing, tpserver
from tpserver import __version__
from tpserver.cli import parse
from tpserver.config import OPTIONS, Config
from tpserver.options.option import option_name

# -- what it serves


def test_without_anything_it_serves_the_current_folder(site: Path) -> None:
    with tpserver(cwd=site) as console:
        assert console.get("/") == "home"
        assert console.greeting == f"tpserver serves {site} at {console.url}/ (Ctrl-C stops it)\n"
        ended = console.stop()
    assert ended.status == 0
    assert ended.stdout.endswith("stopped\n")
    assert ended.stderr == ""


def test_no_argument_at_all_is_no_error() -> None:
    assert parse([]) == Config()


def test_a_folder(site: Path) -> None:
    with tpserver("--root", site.name, cwd=site.parent) as console:
        assert console.get("/") == "home"


@pytest.mark.parametrize("arguments", [["hello:app"], ["--app", "hello:app"], ["--app=hello:app"]])
def test_an_application_serves_no_files(site: Path, arguments: list[str]) -> None:
    with tpserver(*arguments, cwd=site) as console:
        assert console.get("/index.html") == "hello /index.html"
        assert "serves hello:app at http://127.0.0.1:" in console.greeting


def test_a_folder_and_an_application(site: Path) -> None:
    with tpserver("--root", ".", "hello:app", cwd=site) as console:
        assert console.get("/index.html") == "home"
        assert console.get("/hello.py") == "hello /hello.py"
        assert f"serves {site} and hello:app at" in console.greeting


def test_an_application_in_another_folder(tmp_path: Path) -> None:
    with tpserver("--app-dir", str(ROOT / "wsgiPy"), "--app", "clock:app", cwd=tmp_path) as console:
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", console.get("/"))


def test_an_application_within_a_package_and_an_object(tmp_path: Path) -> None:
    package = tmp_path / "src" / "pack"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "web.py").write_text(HELLO + "\nclass site:\n    app = staticmethod(app)\n", "utf-8")
    with tpserver("--app-dir", "src", "pack.web:site.app", cwd=tmp_path) as console:
        assert console.get("/x") == "hello /x"


def test_options_reach_the_server(site: Path) -> None:
    with tpserver("--max-head", "1K", "hello:app", cwd=site) as console, Client(console) as client:
        assert client.ask("/", "X: " + "a" * 1024).status == 431


@pytest.mark.parametrize(
    ("arguments", "interval"),
    [([], 0.0001), (["--switch-interval", "0.002"], 0.002), (["--switch-interval", "0"], 0.005)],
)
def test_the_switch_interval_is_that_of_the_option(tmp_path: Path, arguments: list[str], interval: float) -> None:
    (tmp_path / "tell.py").write_text(
        "import sys\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [str(sys.getswitchinterval()).encode()]\n",
        "utf-8",
    )
    with tpserver(*arguments, "tell:app", cwd=tmp_path) as console:
        assert float(console.get("/")) == pytest.approx(interval)


# -- what it says


def test_help_tells_of_every_option(tmp_path: Path) -> None:
    ended = failing("--help", cwd=tmp_path)
    assert (ended.status, ended.stderr) == (0, "")
    for name in OPTIONS:
        assert re.search(rf"\n  {option_name(name)}[ ,]", ended.stdout)
    assert "MODULE:CALLABLE" in ended.stdout


def test_version(tmp_path: Path) -> None:
    ended = failing("--version", cwd=tmp_path)
    assert (ended.status, ended.stdout) == (0, f"tpserver {__version__}\n")


def test_the_access_log_goes_to_the_console(site: Path) -> None:
    with tpserver(cwd=site) as console:
        console.get("/")
        assert re.fullmatch(
            r'127\.0\.0\.1 - - \[.*\] "GET / HTTP/1\.1" 200 4 "-" "Python-urllib/.*"\n', console.read_line()
        )


def test_the_access_log_goes_to_a_file_behind_what_is_there(site: Path) -> None:
    (site / "access.log").write_text("earlier\n", "utf-8")
    with tpserver("--access-log", "access.log", cwd=site) as console:
        console.get("/")
        assert console.stop().stdout == "stopped\n"
    earlier, line = (site / "access.log").read_text("utf-8").splitlines()
    assert earlier == "earlier"
    assert '"GET / HTTP/1.1" 200 4' in line


def test_the_access_log_goes_nowhere(site: Path) -> None:
    with tpserver("--access-log", "none", cwd=site) as console:
        console.get("/")
        assert console.stop() == (0, "stopped\n", "")


def test_virtual_hosts_alone_serve_no_other_host(site: Path) -> None:
    with tpserver("--vhost", "a.example=hello:app", "--vhost", "*.b.example=.", cwd=site) as console:
        url = console.url
        assert f"serves hello:app for a.example and . for *.b.example at {url}/ " in console.greeting
        for host, status in (("a.example", 200), ("x.b.example", 200), ("b.example", 421)):
            assert ask(console, host=host).status == status


def test_options_that_may_be_given_several_times(site: Path) -> None:
    arguments = ["--index", "none.html", "--index", "index.html", "--header", "*=X-A:1", "--header", "*=X-B:2"]
    with tpserver(*arguments, cwd=site) as console, urllib.request.urlopen(console.url, timeout=PATIENCE) as answer:
        assert (answer.headers["X-A"], answer.headers["X-B"]) == ("1", "2")


# -- how it complains


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        (["--nonsense"], "--nonsense"),
        (["--por", "1"], "--por"),  # no abbreviations: an option that comes later would break them
        (["--port"], "--port"),
        (["--port", "eighty"], "'eighty' is not a whole number"),
        (["--port", "65536"], "--port must be 65535 or less, not 65536"),
        (["--port", "-1"], "--port"),
        (["--threads", "0"], "--threads must be 1 or more, not 0"),
        (["--max-body", "1.5M"], "'1.5M' is not a size such as 65536, 64K or 256M"),
        (["--idle-timeout", "nan"], "'nan' is not a number"),
        (["--log-level", "loud"], "loud"),
        (["hello:app", "other:app"], "other:app"),
        (["hello:app", "--app", "hello:app"], "twice"),
        ([":app"], "MODULE:CALLABLE"),
        (["hello:"], "MODULE:CALLABLE"),
        (["--root", "nothing"], "--root nothing: there is no such folder"),
        (["--root", "index.html"], "--root index.html: there is no such folder"),
        (["--app-dir", "nothing", "hello:app"], "--app-dir nothing: there is no such folder"),
        (["--cache-control", "no-cache"], "'no-cache' is not GLOB=VALUE"),
        (["--cache-control", "*=a\nb"], "is not visible ASCII"),
        (["--header", "*=Content-Length:5"], "Content-Length cannot be set: the server counts the bytes"),
        (["--header", "*=Connection:close"], "Connection cannot be set: it is a hop-by-hop field"),
        (["--mime", "wat"], "'wat' is not EXT=TYPE"),
        (["--index", "a/b.html"], "is not a file name"),
        (["--error-page", "999=index.html"], "999 cannot have a page"),
        (["--error-page", "404=none.html"], "--error-page 404=none.html: there is no such file below"),
        (["--spa", "none.html"], "--spa none.html: there is no such file below"),
        (["hello:app", "--spa", "index.html"], "there is no folder that it could be in"),
        (["--vhost", "a.example"], "is not HOST=DIR or HOST=MODULE:CALLABLE"),
        (["--vhost", "a.example=nothing"], "--vhost a.example=nothing: there is no such folder"),
    ],
)
def test_an_error_of_usage_is_one_line_and_status_2(site: Path, arguments: list[str], about: str) -> None:
    ended = failing(*arguments, cwd=site)
    assert ended.status == 2
    assert ended.stdout == ""
    assert re.fullmatch(r"tpserver: error: .+\n", ended.stderr)
    assert about in ended.stderr


def test_a_port_that_is_taken_is_one_line_and_status_1(site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = failing("--port", str(port), cwd=site)
    assert ended.status == 1
    assert ended.stdout == ""
    assert re.fullmatch(rf"tpserver: error: cannot listen on 127\.0\.0\.1:{port}: .+\n", ended.stderr)


BROKEN = {
    "raising": "def inner():\n    1 / 0\n\ninner()\n",
    "wrong": "this is no Python\n",
    "leaving": "raise SystemExit(0)\n",
    "needing": "import a_module_that_nobody_has\n",
    "fine": "value = 5\n",
}


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        (["missing:app"], "cannot import missing: there is no module missing in "),
        (["missing.web:app"], "cannot import missing.web: there is no module missing in "),
        (["fine:app"], "cannot find app in fine:app: fine has no such name"),
        (["fine:value.real.nothing"], "cannot find nothing"),
        (["fine:value"], "fine:value is a int; a WSGI application is a callable"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1:"),
        (["--access-log", "nothing/access.log"], "cannot write the access log nothing/access.log: "),
    ],
)
def test_what_cannot_be_started_is_one_line_and_status_1(tmp_path: Path, arguments: list[str], about: str) -> None:
    for name, text in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    ended = failing("--port", "0", *arguments, cwd=tmp_path)
    assert ended.status == 1
    assert re.fullmatch(r"tpserver: error: .+\n", ended.stderr)
    assert about in ended.stderr


@pytest.mark.parametrize(
    ("name", "line", "last"),
    [
        (
            "raising",
            "cannot import raising: ZeroDivisionError: division by zero",
            "ZeroDivisionError: division by zero\n",
        ),
        (
            "wrong",
            "cannot import wrong: SyntaxError: invalid syntax (wrong.py, line 1)",
            "SyntaxError: invalid syntax\n",
        ),
        ("leaving", "cannot import leaving: SystemExit", "SystemExit: 0\n"),
        ("needing", "cannot import needing: ModuleNotFoundError", "No module named 'a_module_that_nobody_has'\n"),
    ],
)
def test_an_application_that_fails_when_imported_shows_where(tmp_path: Path, name: str, line: str, last: str) -> None:
    (tmp_path / f"{name}.py").write_text(BROKEN[name], "utf-8")
    ended = failing("--port", "0", f"{name}:app", cwd=tmp_path)
    assert ended.status == 1
    first, rest = ended.stderr.split("\n", 1)
    assert first.startswith(f"tpserver: error: {line}")
    assert rest.startswith("Traceback (most recent call last):\n")
    assert f"{name}.py" in rest
    assert rest.endswith(last)
