"""Libraries that replace sockets and threads at run time: one sentence says that tpserver cannot serve with them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.console import python
from tests.embedding.embedded import DAEMON, run

PATCHES = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}

libraries = pytest.mark.parametrize(
    "library",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(not importlib.util.find_spec(name), reason=f"{name} is not installed"),
        )
        for name in PATCHES
    ],
)

APPLICATION = """
{patch}

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""


def sentence(library: str) -> str:
    return (
        f"{library} has replaced the sockets and threads of this process, and tpserver cannot serve with those: "
        f"remove the call that patches them, or serve the application with {library}'s own server"
    )


@libraries
def test_the_command_line_says_so(tmp_path: Path, library: str) -> None:
    (tmp_path / "patching.py").write_text(APPLICATION.format(patch=PATCHES[library]), "utf-8")
    environment = {"PYTHONWARNINGS": "ignore"}
    with python("-m", "tpserver", "--port", "0", "patching:app", cwd=tmp_path, env=environment) as console:
        assert console.end() == (1, "", f"tpserver: error: {sentence(library)}\n")


@libraries
@pytest.mark.parametrize("call", ["make_server(app=app, port=0)", "serve(app, port=0)"])
def test_a_script_gets_an_exception(tmp_path: Path, library: str, call: str) -> None:
    text = f"""
from tpserver.errors import StartError
{PATCHES[library]}
try:
    {call}
except StartError as error:
    print(error)
"""
    assert run(tmp_path, text) == (0, sentence(library) + "\n", "")


@libraries
def test_a_script_that_patches_before_it_serves_gets_an_exception(tmp_path: Path, library: str) -> None:
    text = f"""
from tpserver.errors import StartError
server = make_server("127.0.0.1", 0, app)
{PATCHES[library]}
try:
    server.serve_forever()
except StartError as error:
    print(error)
"""
    assert run(tmp_path, text) == (0, sentence(library) + "\n", "")


@libraries
def test_an_application_that_patches_in_a_request_is_told_by_the_log(tmp_path: Path, library: str) -> None:
    # The first request patches, and waits until that has been logged.
    text = f"""
import logging
logged = threading.Event()

class Handler(logging.Handler):
    def emit(self, record):
        print(record.levelname, record.getMessage(), flush=True)
        logged.set()

logging.getLogger("tpserver").addHandler(Handler())
wait = logged.wait

def app(environ, start_response):
    {PATCHES[library]}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"patched"]
"""
    end = """
import os
really_exit = os._exit
import socket
with socket.socket() as sock:
    sock.connect(("127.0.0.1", server.server_port))
    sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    logged.wait()
really_exit(0)
"""
    ended = run(tmp_path, text, DAEMON, end)
    told = f"CRITICAL {sentence(library)}\n"
    failed = "ERROR internal error; connection closed\n"  # the request itself, if that is sooner than the end
    assert ended in [(0, told, ""), (0, told + failed, "")]


def test_a_library_that_is_only_imported_does_no_harm(tmp_path: Path) -> None:
    imports = [f"import {patch.split(';')[0].removeprefix('import ')}" for patch in PATCHES.values()]
    text = "\n".join(line for line in imports if importlib.util.find_spec(line.split()[1].partition(".")[0]))
    assert run(tmp_path, text, DAEMON, "print(ask(server, '/slow').content)") == (0, "hello /slow\n", "")
