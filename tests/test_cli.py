"""python -m tpserver: what it serves, what it says, and how it complains."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from http.client import HTTPConnection
from pathlib import Path

import pytest
from console import (
    HANGING,
    HELLO,
    PATIENCE,
    ROOT,
    WAITING,
    draining,
    failing,
    free_port,
    get,
    python,
    tpserver,
    wait_until_it_serves,
)

from tpserver import __version__
from tpserver.config import options
from tpserver.option import option_name

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A current folder with a page and an application."""
    (tmp_path / "index.html").write_text("home", "utf-8")
    (tmp_path / "hello.py").write_text(HELLO, "utf-8")
    (tmp_path / "hanging.py").write_text(HANGING, "utf-8")
    (tmp_path / "waiting.py").write_text(WAITING, "utf-8")
    return tmp_path


# -- what it serves


def test_without_anything_it_serves_the_current_folder(site: Path) -> None:
    with tpserver(cwd=site) as console:
        assert console.get("/") == "home"
        assert console.greeting == f"tpserver serves {site} at {console.url}/ (Ctrl-C stops it)\n"
        ended = console.stop()
    assert ended.status == 0
    assert ended.stdout.endswith("stopped\n")
    assert ended.stderr == ""


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
    with tpserver("--max-head", "1K", "hello:app", cwd=site) as console, console.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 1024 + b"\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 431 ")


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
    for declared, _ in options():
        assert f"\n  {option_name(declared)} " in ended.stdout
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
        url = console.url.removeprefix("http://")
        assert f"serves hello:app for a.example and . for *.b.example at http://{url}/ " in console.greeting
        for host, status in (("a.example", 200), ("x.b.example", 200), ("b.example", 421)):
            connection = HTTPConnection(url, timeout=PATIENCE)
            connection.request("GET", "/", headers={"Host": host})
            assert connection.getresponse().status == status
            connection.close()


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
        (["hello"], "--app hello: it takes MODULE:CALLABLE"),
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
        (["fine:app"], "cannot find app in fine:app: the module fine has no such name"),
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
        ("raising", "cannot import raising: ZeroDivisionError", "ZeroDivisionError: division by zero\n"),
        ("wrong", "cannot import wrong: SyntaxError", "SyntaxError: invalid syntax\n"),
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


# -- consoles of all kinds


def closed_stdout(*arguments: str, cwd: Path) -> tuple[object, int]:
    """A server whose stdout is closed from the beginning, as under pythonw; and its port."""
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("no shell that can close a stream")
    port = free_port()
    command = (shell, "-c", 'exec "$@" >&-', "sh")
    how = {"cwd": cwd, "command": command, "stdout": subprocess.DEVNULL}
    return python("-m", "tpserver", "--port", str(port), *arguments, **how), port


def test_a_console_without_stdout(site: Path) -> None:
    process, port = closed_stdout(cwd=site)
    with process as console:
        wait_until_it_serves(port)
        assert get(f"http://127.0.0.1:{port}/") == "home"
        ended = console.stop()
    assert (ended.status, ended.stderr) == (0, "")


def test_a_console_without_stdout_and_a_request_that_never_ends(site: Path) -> None:
    (site / "asked.py").write_text(
        HANGING.replace('print("inside", flush=True)', "open('inside', 'w').close()"), "utf-8"
    )
    process, port = closed_stdout("--drain-timeout", "0.1", "asked:app", cwd=site)
    with process as console:
        wait_until_it_serves(port)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(GET)
            while not (site / "inside").exists():
                get_options(port)
            ended = console.stop()
    assert ended.status == 0
    assert "Traceback" not in ended.stderr


def get_options(port: int) -> None:
    """Something that the server answers by itself."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 204 ")


def test_a_reader_of_stdout_that_goes_away_is_missed_once(site: Path) -> None:
    with tpserver(cwd=site) as console:
        assert console.url
        console.process.stdout.close()
        for _ in range(3):
            console.get("/")
        console.send()
        status = console.process.wait(30)
        said = console.process.stderr.read()
    assert status == 0
    assert "Traceback" not in said
    assert said.count("cannot write the access log") <= 1


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe there holds more than is written here")
def test_a_pipe_that_nobody_reads_holds_up_nothing_not_even_the_end(site: Path) -> None:
    with tpserver(cwd=site) as console, console.connect() as client:
        request = b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % (b"x" * 4000)
        for _ in range(100):
            client.sendall(request)
            assert client.recv(65536).startswith(b"HTTP/1.1 404 ")
        console.send()
        assert console.process.wait(30) == 0


@pytest.mark.parametrize("name", ["\u00e4", "\u65e5\u672c"])
def test_a_console_that_cannot_show_the_folders_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.txt").write_text("text", "utf-8")
    with tpserver("--root", name, cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"}) as console:
        assert console.get("/a.txt") == "text"
        assert console.stop().status == 0


@pytest.mark.skipif(sys.platform == "win32", reason="names of files have no coding there")
def test_a_locale_that_has_no_such_character(tmp_path: Path) -> None:
    with tpserver(cwd=tmp_path, env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}) as console:
        with console.connect() as client:
            client.sendall(b"GET /%C3%A4 HTTP/1.1\r\nHost: h\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 404 ")
        assert console.stop().stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk here")
def test_a_full_disk_under_the_access_log_is_said_once_and_the_server_goes_on(site: Path) -> None:
    with tpserver("--access-log", "/dev/full", cwd=site) as console:
        for _ in range(3):
            assert console.get("/") == "home"
        ended = console.stop()
    assert ended.status == 0
    assert ended.stderr.count("cannot write the access log: ") == 1
    assert "Traceback" not in ended.stderr


# -- how it ends


SIGNALS = [name for name in ("SIGINT", "SIGTERM") if sys.platform != "win32" or name == "SIGINT"]


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_finishes_what_runs_and_takes_nothing_new(site: Path, name: str) -> None:
    with tpserver("--access-log", "none", "waiting:app", cwd=site) as console, console.connect() as client:
        until_it_drains = draining(console)
        client.sendall(GET)
        assert console.read_line() == "inside\n"
        console.send(getattr(signal, name))
        until_it_drains()
        with pytest.raises(ConnectionRefusedError):
            console.connect()
        console.process.stdin.write("done\n")
        console.process.stdin.flush()
        answer = b""
        while data := client.recv(1000):
            answer += data
        assert answer.endswith(b"\r\n\r\ndone\n")
        assert console.end() == (0, "stopped\n", "")


def test_what_never_ends_is_left_behind_after_the_time_to_drain(site: Path) -> None:
    with tpserver("--drain-timeout", "0.1", "hanging:app", cwd=site) as console, console.connect() as client:
        client.sendall(GET)
        assert console.read_line() == "inside\n"
        ended = console.stop()
    assert ended.status == 0
    assert ended.stdout == "stopped\n"
    assert "1 requests still run" in ended.stderr


@pytest.mark.parametrize("name", SIGNALS)
def test_a_second_signal_does_not_wait(site: Path, name: str) -> None:
    with tpserver("--drain-timeout", "10000", "hanging:app", cwd=site) as console, console.connect() as client:
        until_it_drains = draining(console)
        client.sendall(GET)
        while console.read_line() != "inside\n":
            pass
        console.send(getattr(signal, name))
        until_it_drains()
        assert console.stop(getattr(signal, name)).status == 0
