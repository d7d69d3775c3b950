"""The addresses that a server listens on, as they are given on the command line."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.client import Client
from tests.console import Console, failing, python, tpserver

needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this Python has no unix sockets")
posix = pytest.mark.skipif(sys.platform == "win32", reason="a process there inherits no descriptors")

SHOWING = """
def app(environ, start_response):
    names = "REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST", "wsgi.url_scheme"
    start_response("200 OK", [])
    return [" ".join(repr(environ.get(name)) for name in names).encode()]
"""


@contextmanager
def bound(*addresses: str, cwd: Path, app: str = "hello:app", **how: Any) -> Iterator[Console]:
    """A server that listens on `addresses`."""
    with python("-m", "tpserver", app, *(f"--bind={address}" for address in addresses), cwd=cwd, **how) as console:
        yield console


def greeted(console: Console) -> str:
    """What it says when it serves."""
    while "Ctrl-C" not in (line := console.read_line()):
        pass
    return line


def at(path: Path | str) -> Any:
    """A client of a unix socket."""
    return Client(SimpleNamespace(address=str(path)))


def test_every_address_is_served_and_printed(site: Path) -> None:
    with bound("127.0.0.1:0", "localhost:0", cwd=site) as console:
        addresses = re.findall(r"http://\S+:(\d+)/", greeted(console))
        assert len({*addresses}) == 2
        for port in addresses[:2]:
            with Client(SimpleNamespace(address=("127.0.0.1", int(port)))) as client:
                assert client.ask("/x").content == b"hello /x"


def test_an_address_without_a_port_has_that_of_the_option(site: Path) -> None:
    with tpserver("--bind", "127.0.0.1", cwd=site) as console:
        assert console.get("/") == "home"


def test_clients_of_both_families_are_served_at_one_address(site: Path) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    (site / "showing.py").write_text(SHOWING, "utf-8")
    with bound("[::]:0", cwd=site, app="showing:app") as console:
        port = int(re.findall(r"http://\[::1\]:(\d+)/", greeted(console))[0])
        with Client(SimpleNamespace(address=("127.0.0.1", port))) as client:
            assert client.ask("/").content.startswith(b"'127.0.0.1' ")


@needs_unix
def test_a_unix_socket_is_served_and_its_file_removed_at_the_end(site: Path) -> None:
    (site / "showing.py").write_text(SHOWING, "utf-8")
    path = site / "sock"
    with bound("unix:sock", cwd=site, app="showing:app") as console:
        assert " serves showing:app at unix:sock (Ctrl-C stops it)" in greeted(console)
        with at(path) as client:
            assert client.ask("/", host="example.org").content == b"'' '' 'localhost' '80' 'example.org' 'http'"
        ended = console.stop()
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout.startswith("- - - [")
    assert not path.exists()


@needs_unix
@pytest.mark.parametrize("mode", ["600", "666"])
def test_the_permissions_of_its_file_are_those_asked_for(site: Path, mode: str) -> None:
    with python("-m", "tpserver", "--bind", "unix:sock", "--unix-mode", mode, cwd=site) as console:
        greeted(console)
        assert stat.S_IMODE((site / "sock").stat().st_mode) == int(mode, 8)


@needs_unix
def test_after_a_crash_its_file_is_taken_over(site: Path) -> None:
    with bound("unix:sock", cwd=site) as console:
        greeted(console)
        console.process.send_signal(signal.SIGKILL)
        console.end()
    assert (site / "sock").exists()
    with bound("unix:sock", cwd=site) as console:
        greeted(console)
        with at(site / "sock") as client:
            assert client.ask("/x").content == b"hello /x"


@needs_unix
def test_one_that_is_served_already_is_left_to_its_server(site: Path) -> None:
    with bound("unix:sock", cwd=site) as console:
        greeted(console)
        ended = failing("--bind", "unix:sock", cwd=site)
        assert ended.status == 1
        assert ended.stderr == "tpserver: error: cannot listen on unix:sock: another process listens on it\n"
        with at(site / "sock") as client:
            assert client.ask("/x").content == b"hello /x"


@needs_unix
def test_a_file_of_a_server_that_was_started_later_is_not_removed(site: Path) -> None:
    with bound("unix:sock", cwd=site) as first:
        greeted(first)
        (site / "sock").rename(site / "old")
        with bound("unix:sock", cwd=site) as second:
            greeted(second)
            assert first.stop().status == 0
            with at(site / "sock") as client:
                assert client.ask("/x").content == b"hello /x"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract names")
@needs_unix
def test_an_abstract_name_is_served(site: Path) -> None:
    name = f"@tpserver-test-{os.getpid()}"
    with bound(f"unix:{name}", cwd=site) as console:
        assert f"unix:{name} " in greeted(console)
        with at(f"\0{name[1:]}") as client:
            assert client.ask("/x").content == b"hello /x"


@pytest.mark.skipif(sys.platform != "win32", reason="this Python has unix sockets")
def test_without_unix_sockets_it_is_told(site: Path) -> None:
    ended = failing("--bind", "unix:sock", cwd=site)
    assert (ended.status, ended.stderr.count("\n")) == (1, 1)
    assert "Python has no unix sockets on this system" in ended.stderr


@posix
@pytest.mark.parametrize("written", ["fd:{}", "fd://{}"])
def test_a_socket_of_the_parent_is_served_and_stays_the_parents(site: Path, written: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fd, port = listening.fileno(), listening.getsockname()[1]
        for _ in range(2):  # the server has not shut it down for its parent
            with bound(written.format(fd), cwd=site, pass_fds=(fd,)) as console:
                assert f" at http://127.0.0.1:{port}/ " in greeted(console)
                with Client(SimpleNamespace(address=("127.0.0.1", port))) as client:
                    assert client.ask("/x").content == b"hello /x"
                assert console.stop().status == 0


@posix
def test_a_descriptor_that_is_none_is_one_line(site: Path) -> None:
    ended = failing("--bind", "fd:77", cwd=site)
    assert (ended.status, ended.stderr) == (1, "tpserver: error: cannot listen on fd:77: Bad file descriptor\n")


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system has no SO_REUSEPORT")
def test_two_servers_share_a_port_if_both_ask_for_it(site: Path) -> None:
    with tpserver("--reuse-port", "hello:app", cwd=site) as one:
        port = str(one.port)
        with python("-m", "tpserver", "--reuse-port", "--port", port, "hello:app", cwd=site) as two:
            assert two.port == one.port
            assert one.stop().status == 0
            assert two.get("/x") == "hello /x"
