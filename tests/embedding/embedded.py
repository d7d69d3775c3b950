"""Scripts that embed a server: each runs in a process of its own, for how that ends is what is tested."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.console import Console, Ended, python

# An application: /slow takes long enough to be relieved of, /hang never comes back, /fail raises.
APP = """
import http.client
import sys
import threading
from tpserver import make_server, serve

def say(line):
    sys.stdout.write(line + "\\n")  # in one piece, for threads say things at once
    sys.stdout.flush()

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        threading.Event().wait(0.05)
    elif path == "/hang":
        say("inside")
        threading.Event().wait()
    elif path == "/fail":
        raise ValueError("for the log")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello " + path.encode("latin-1")]

def ask(server, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request("GET", path)
    response = connection.getresponse()
    response.content = response.read().decode()
    connection.close()
    return response

def send(server, path):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request("GET", path)
    return connection

def in_thread(work, daemon=True):
    thread = threading.Thread(target=work, daemon=daemon)
    thread.start()
    return thread

"""

# A server in a daemon thread, which nothing closes.
DAEMON = """
server = make_server("127.0.0.1", 0, app)
in_thread(server.serve_forever)
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are not like that there")


def script(folder: Path, *parts: str, **how: Any) -> AbstractContextManager[Console]:
    """A process that runs a script of these parts, after APP."""
    (folder / "script.py").write_text("\n".join([APP, *parts]), "utf-8")
    # Scripts may leave sockets open, and libraries of others warn of what they will.
    return python("script.py", cwd=folder, **{"env": {"PYTHONWARNINGS": "ignore"}, **how})


def run(folder: Path, *parts: str, **how: Any) -> Ended:
    """As `script`; waits for its end."""
    with script(folder, *parts, **how) as console:
        return console.end()
