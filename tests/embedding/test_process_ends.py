"""How the process ends that the command line runs, and one whose script calls `serve`."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.client import Client, request
from tests.console import python, tpserver
from tests.embedding.embedded import posix, script

HELLO = """
import atexit
import threading
atexit.register(print, "at exit", flush=True)

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""

THREAD = """
threading.Thread(target=threading.Event().wait, name="the-mailer", daemon=DAEMON).start()
"""

EXECUTOR = """
from concurrent.futures import ThreadPoolExecutor
executor = ThreadPoolExecutor(2, thread_name_prefix="the-executor")
executor.submit(WORK).done()
"""

WARNING = r"\d{4}-.* WARNING threads of the application have not ended: %s; the process ends without them\n"


def served(tmp_path: Path, application: str) -> tuple[int, str, str]:
    """The command line serves one request, and gets SIGTERM."""
    (tmp_path / "served.py").write_text(application, "utf-8")
    with tpserver("--access-log", "none", "served:app", cwd=tmp_path) as console:
        assert console.get("/") == "hello"
        return console.stop(signal.SIGTERM)  # type: ignore[no-any-return]


@posix
@pytest.mark.parametrize(
    ("more", "name"),
    [
        (THREAD.replace("DAEMON", "False"), "the-mailer"),
        (EXECUTOR.replace("WORK", "threading.Event().wait"), "the-executor_0"),
    ],
    ids=["thread", "executor"],
)
def test_a_thread_that_the_application_left_is_named_and_left_behind(tmp_path: Path, more: str, name: str) -> None:
    status, stdout, stderr = served(tmp_path, HELLO + more)
    assert (status, stdout) == (0, "stopped\nat exit\n")
    assert re.fullmatch(WARNING % name, stderr)


@posix
@pytest.mark.parametrize(
    "more",
    [THREAD.replace("DAEMON", "True"), EXECUTOR.replace("WORK", "int"), ""],
    ids=["daemon thread", "idle executor", "none"],
)
def test_what_ends_by_itself_is_not_worth_a_line(tmp_path: Path, more: str) -> None:
    assert served(tmp_path, HELLO + more) == (0, "stopped\nat exit\n", "")


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="the system has no such signals, or they are hidden")
@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1"])
def test_a_log_that_is_rotated_while_the_process_ends_does_not_end_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "served.py").write_text(HELLO + THREAD.replace("DAEMON", "False"), "utf-8")
    with tpserver("--access-log", "none", "served:app", cwd=tmp_path) as console:
        assert console.get("/") == "hello"
        console.send(signal.SIGTERM)
        assert console.read_line() == "stopped\n"
        console.send(getattr(signal, name))
        status, stdout, stderr = console.end()
    assert (status, stdout) == (0, "at exit\n")
    assert re.fullmatch(WARNING % "the-mailer", stderr)


@posix
def test_a_second_signal_does_not_wait_for_the_threads_of_the_application(tmp_path: Path) -> None:
    text = """
def mail():
    threading.main_thread().join()
    print("the main thread waits", flush=True)
    threading.Event().wait()

threading.Thread(target=mail).start()
"""
    (tmp_path / "served.py").write_text(HELLO + text, "utf-8")
    with tpserver("--access-log", "none", "served:app", cwd=tmp_path) as console:
        assert console.get("/") == "hello"
        console.send(signal.SIGTERM)
        assert [console.read_line(), console.read_line()] == ["stopped\n", "the main thread waits\n"]
        status, stdout, _ = console.stop(signal.SIGTERM)
    assert (status, stdout) == (0, "at exit\n")


@posix
def test_a_process_that_cannot_listen_ends_though_the_application_left_a_thread(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(HELLO + THREAD.replace("DAEMON", "False"), "utf-8")
    with python("-m", "tpserver", "--host", "192.0.2.1", "served:app", cwd=tmp_path) as console:
        ended = console.end()
    assert (ended.status, ended.stdout) == (1, "at exit\n")
    assert ended.stderr.startswith("tpserver: error: cannot listen on 192.0.2.1:8888: ")


@posix
def test_a_script_waits_for_its_threads_when_serve_has_returned(tmp_path: Path) -> None:
    text = """
def echo():
    threading.main_thread().join()
    print("the main thread has ended", flush=True)
    print(sys.stdin.readline(), end="")

in_thread(echo, daemon=False)
serve(app, port=0, access_log="none")
"""
    with script(tmp_path, text) as console:
        assert console.get("/x") == "hello /x"
        console.send(signal.SIGTERM)
        assert [console.read_line(), console.read_line()] == ["stopped\n", "the main thread has ended\n"]
        console.process.stdin.write("done\n")  # type: ignore[union-attr]
        console.process.stdin.flush()  # type: ignore[union-attr]
        assert console.end() == (0, "done\n", "")


@posix
def test_a_script_goes_on_after_serve_though_a_request_hangs(tmp_path: Path) -> None:
    text = """
serve(app, port=0, access_log="none", drain_timeout=0.1)
print("and on it goes")
"""
    with script(tmp_path, text) as console, Client(console) as client:
        client.send(request("/hang"))
        assert console.read_line() == "inside\n"
        status, stdout, stderr = console.stop(signal.SIGTERM)
    assert (status, stdout) == (0, "stopped\nand on it goes\n")
    assert stderr.endswith(" ERROR 1 request still runs; its thread is left behind\n")


# -- an application that closes the listening socket

CLOSING = """
import os
import socket
import stat

def app(environ, start_response):
    for fd in range(3, 100):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                sock = socket.socket(fileno=fd)
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    sock.close()
                else:
                    sock.detach()
        except OSError:
            pass
    start_response("200 OK", [])
    return [b"closed"]
"""


def check_broken(status: int, stdout: str, stderr: str) -> None:
    assert (status, stdout) == (1, "stopped\n")
    assert re.fullmatch(r"\d{4}-.* CRITICAL cannot go on serving: .*; stopping\n", stderr)


@posix
def test_the_command_line_ends_with_1_where_its_socket_was_closed(tmp_path: Path) -> None:
    (tmp_path / "closing.py").write_text(CLOSING, "utf-8")
    with tpserver("--access-log", "none", "closing:app", cwd=tmp_path) as console, Client(console) as client:
        client.send(request())
        check_broken(*console.end())


@posix
def test_serve_ends_a_script_with_1_where_its_socket_was_closed(tmp_path: Path) -> None:
    text = CLOSING + "\nserve(app, port=0, access_log='none')\nprint('not reached')\n"
    with script(tmp_path, text) as console, Client(console) as client:
        client.send(request())
        check_broken(*console.end())
