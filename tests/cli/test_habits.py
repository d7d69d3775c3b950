"""What people type who know other servers."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.console import failing, tpserver
from tests.waiting import eventually
from tpserver.cli import parse
from tpserver.config import Config
from tpserver.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("8000", {"port": 8000}),
        (":8000", {"port": 8000}),
        ("-p 8000", {"port": 8000}),
        ("-p8000", {"port": 8000}),
        ("-b 0.0.0.0", {"bind": ["0.0.0.0"]}),
        ("--bind 0.0.0.0 8000", {"bind": ["0.0.0.0"], "port": 8000}),
        ("--bind 0.0.0.0:8000", {"bind": ["0.0.0.0:8000"]}),
        ("--bind=127.0.0.1:8000 -p 8000", {"bind": ["127.0.0.1:8000"], "port": 8000}),
        ("-b [::1]:80 -b unix:x -b fd://3", {"bind": ["[::1]:80", "unix:x", "fd:3"]}),
        ("--unix-mode 660 --backlog 10", {"unix_mode": 0o660, "backlog": 10}),
        ("--host 0.0.0.0:8000", {"host": "0.0.0.0", "port": 8000}),
        ("--host [::1]:8000", {"host": "::1", "port": 8000}),
        ("--host [::1]", {"host": "::1"}),
        ("--host ::1", {"host": "::1"}),
        ("--host :8000", {"host": "0.0.0.0", "port": 8000}),
        ("--host *:8000", {"host": "0.0.0.0", "port": 8000}),
        ("--host http://localhost:8000/", {"host": "localhost", "port": 8000}),
        ("localhost:8000", {"host": "localhost", "port": 8000}),
        ("0.0.0.0:8000", {"host": "0.0.0.0", "port": 8000}),
        ("localhost", {"host": "localhost"}),
        ("127.0.0.1 8000", {"host": "127.0.0.1", "port": 8000}),
        ("http://127.0.0.1:8000/", {"host": "127.0.0.1", "port": 8000}),
        ("--log-level DEBUG", {"log_level": "debug"}),
        ("--log-level=Warn", {"log_level": "warning"}),
        ("pages", {"root": "pages"}),
        ("./pages", {"root": "./pages"}),
        (".", {"root": "."}),
        ("-d pages", {"root": "pages"}),
        ("--directory pages 8000", {"root": "pages", "port": 8000}),
        ("pages hello:app 8000", {"root": "pages", "app": "hello:app", "port": 8000}),
        ("hello:app --port 8000 pages", {"root": "pages", "app": "hello:app", "port": 8000}),
        ("hello.py:app", {"app": "hello.py:app"}),
        ("hello", {"app": "hello"}),
        ("package", {"app": "package"}),
        ("./package", {"root": "./package"}),
    ],
)
def test_what_is_clear_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, meant: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pages").mkdir()
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    assert parse(typed.split()) == Config(**meant)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("-n 4 hello:app", "--workers N"),
        ("--processes=4 hello:app", "--workers N"),
        ("-n4", "--workers N"),
        ("hello:app --reloader", "--reload"),
        ("--timeout 30", "--idle-timeout"),
        ("--ssl", "--tls self-signed"),
        ("-k gthread", "--threads"),
        ("--factory hello:create_app", "module:create_app()"),
        ("--debug", "--log-level debug"),
        ("-q", "--access-log none"),
        ("--treads 4", "did you mean --threads?"),
        ("--host unix:/run/x.sock", "use --bind unix:/run/x.sock"),
        ("--host a/b", "is no address"),
        ("--bind 8000", "write 127.0.0.1:8000"),
        ("--bind unix:", "names no unix socket"),
        ("--bind 127.0.0.1:8000 --host ::", "the address was given twice: :: and 127.0.0.1:8000"),
        ("--bind 127.0.0.1:8000 localhost", "the address was given twice: localhost and 127.0.0.1:8000"),
        ("--bind 127.0.0.1:8000 --port 9000", "the port was given twice: 9000 and 127.0.0.1:8000"),
        ("--bind unix:/run/x.sock --port 9000", "the port was given twice: 9000 and unix:/run/x.sock"),
        ("--unix-mode rw", "such as 660"),
        ("--unix-owner a:b:c", "USER:GROUP"),
        ("--backlog 0", "1 or more"),
        ("--host 0.0.0.0:8000 --port 9000", "the port was given twice: 9000 and 8000"),
        ("8000 --port 9000", "the port was given twice"),
        ("a:b c:d", "the application was given twice: a:b and c:d"),
        (". --root .", "the folder was given twice"),
        ("nowhere/", "there is no folder nowhere/"),
        ("--host 8000", "use --port 8000"),
        ("-p 127.0.0.1:8000", "use --host 127.0.0.1:8000"),
        ("run --host 0.0.0.0", "there is no command run: leave it out"),
        ("flask run", "there is no command flask: leave it out"),
        ("uvicorn hello:app", "there is no command uvicorn"),
    ],
)
def test_what_is_not_taken_is_answered_with_the_right_option(typed: str, answer: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(typed.split())
    assert answer in str(caught.value)


def test_a_file_to_serve_is_answered_with_its_folder(site: Path) -> None:
    ended = failing("index.html", cwd=site)
    assert ended.stderr == "tpserver: error: index.html is a file; to serve it name its folder: .\n"


def test_a_module_may_be_called_as_a_command_of_other_servers(site: Path) -> None:
    (site / "run.py").write_text("from hello import app\n", "utf-8")
    with tpserver("run", cwd=site) as console:
        assert console.get("/x") == "hello /x"


def test_a_folder_as_the_argument_is_served(site: Path) -> None:
    with tpserver(site.name, cwd=site.parent) as console:
        assert console.get("/") == "home"


def test_a_file_of_python_as_the_argument_is_served(site: Path) -> None:
    with tpserver("hello.py:app", cwd=site) as console:
        assert console.get("/x") == "hello /x"


def test_an_option_of_another_server_is_one_line(site: Path) -> None:
    ended = failing("-k", "sync", "hello:app", cwd=site)
    assert (ended.status, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)


def test_a_taken_port_names_its_process_and_proposes_a_free_one(site: Path) -> None:
    with tpserver(cwd=site) as console:
        ended = failing("--port", str(console.port), cwd=site)
        assert "; --port 0 takes a free port\n" in ended.stderr
        if sys.platform == "linux":
            assert f"(process {console.process.pid})" in ended.stderr


def test_the_browser_is_opened_at_the_address(site: Path) -> None:
    script = f'{sys.executable} -c \'import sys; open("opened", "w").write(sys.argv[1])\' %s'
    if sys.platform == "win32":
        pytest.skip("there the browser is not named by an environment variable")
    with tpserver("--open", cwd=site, env={"BROWSER": script}) as console:
        url = console.url + "/"
        eventually(lambda: (site / "opened").exists() and (site / "opened").read_text() == url, "no browser")


def test_addresses_for_other_devices_are_printed(site: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        address = sock.getsockname()[0]
    with tpserver("--host", "0.0.0.0", cwd=site) as console:
        port = console.port
        assert console.read_line() == f"  other devices: http://{address}:{port}/\n"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("--listen 0.0.0.0:8000", "use --bind"),
        ("--address=0.0.0.0", "use --bind"),
        ("-l 8000", "use --bind"),
        ("--uds /run/x.sock hello:app", "use --bind unix:PATH"),
        ("--fd 3 hello:app", "use --bind fd:N"),
        ("--dir pages", "use --root"),
        ("-o", "use --open"),
        ("-c gunicorn.conf.py", "no configuration file"),
        ("--preload", "each process"),
        ("--limit-max-requests 100", "--max-requests N"),
        ("--limit-concurrency 5", "--max-connections"),
        ("--cache 0", "--cache-control"),
        ("-P 8000", "--port"),
        ("--error-logfile - hello:app", "--log-level"),
        ("--proxy-headers hello:app", "--trusted-proxy"),
        ("--forwarded-allow-ips=* hello:app", "--trusted-proxy"),
        ("--trusted-proxy-count 2 hello:app", "once for each"),
        ("--clear-untrusted-proxy-headers hello:app", "--untrusted-forwarded"),
        ("--root-path /api hello:app", "--mount"),
        ("--url-prefix=/api hello:app", "--mount"),
        ("--interface wsgi hello:app", "WSGI"),
        ("--loop uvloop", "leave it out"),
        ("--user nobody hello:app", "systemd"),
        ("-e A=b hello:app", "systemd"),
        ("--pythonpath . hello:app", "--app-dir"),
        ("--limit-request-line 4094", "--max-head"),
        ("--no-reload --with-threads", "leave it out"),
        ("--without-threads", "--threads 1"),
        ("--timeout-graceful-shutdown 5", "--drain-timeout"),
        ("--no-server-header", "--server-header none"),
        ("--log-config log.ini", "--log-level"),
        ("--wsgi-file hello.py", "--app"),
        ("--quux --processes 4", "--workers"),
    ],
)
def test_an_option_of_another_server_is_answered_with_what_to_use_here(typed: str, answer: str) -> None:
    with pytest.raises(UsageError, match="there is no option") as refused:
        parse(typed.split())
    assert answer in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("--thread 4", "--threads"), ("--worker 4", "--workers"), ("--max-conections 4", "--max-connections")],
)
def test_a_slip_is_corrected(typed: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {meant}\\?"):
        parse(typed.split())


@pytest.mark.parametrize("typed", ["--quux", "--banana 5"])
def test_what_resembles_nothing_gets_no_proposal(typed: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(typed.split())
    assert "did you mean" not in str(refused.value)
