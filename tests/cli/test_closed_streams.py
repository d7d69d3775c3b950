"""Standard streams that are closed when the server is started, as some programs that start others do."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.client import Client
from tests.console import python
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no unix sockets here")

# Says which of descriptors 0 to 2 are sockets, and which are closed.
APP = """
import os, stat

def kind(number):
    try:
        return "socket" if stat.S_ISSOCK(os.fstat(number).st_mode) else "stream"
    except OSError:
        return "closed"

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join(map(kind, range(3))).encode()]
"""


def listens(path: Path) -> bool:
    try:
        Client(SimpleNamespace(address=str(path))).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--reload",)], ids=["one", "workers", "reload"])
def test_no_socket_takes_the_place_of_a_standard_stream(tmp_path: Path, options: tuple[str, ...], closed: str) -> None:
    (tmp_path / "app.py").write_text(APP, "utf-8")
    path = tmp_path / "sock"
    command = ("sh", "-c", f'exec "$@" {closed}', "sh")
    arguments = ("-m", "tpserver", "app:app", "--bind", "unix:sock", *options)
    with python(*arguments, command=command, cwd=tmp_path) as console:
        eventually(lambda: listens(path), "it does not listen")
        with Client(SimpleNamespace(address=str(path))) as client:
            assert client.ask("/").content == b"stream stream stream"
        ended = console.stop()
    assert ended.status == 0
    assert "Error" not in ended.stderr
