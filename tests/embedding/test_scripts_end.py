"""A process that embeds a server ends when its main thread does; a server in a thread that is no daemon goes on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.client import Client, request, several
from tests.console import python
from tests.embedding.embedded import APP, DAEMON, posix, run, script

# -- in a daemon thread


def test_a_script_ends_after_a_request(tmp_path: Path) -> None:
    ended = run(tmp_path, DAEMON, 'print(ask(server, "/x").content, ask(server, "/slow").content)')
    assert ended == (0, "hello /x hello /slow\n", "")


def test_a_script_ends_though_no_request_came(tmp_path: Path) -> None:
    assert run(tmp_path, DAEMON) == (0, "", "")


def test_a_script_ends_by_sys_exit_where_the_server_is_a_context(tmp_path: Path) -> None:
    text = """
with make_server("127.0.0.1", 0, app) as server:
    in_thread(server.serve_forever)
    print(ask(server).content)
    sys.exit()
"""
    assert run(tmp_path, text) == (0, "hello /\n", "")


def test_a_script_ends_by_an_exception_where_the_server_is_a_context(tmp_path: Path) -> None:
    text = """
with make_server("127.0.0.1", 0, app) as server:
    in_thread(server.serve_forever)
    print(ask(server).content)
    raise ValueError("of the script")
"""
    ended = run(tmp_path, text)
    assert (ended.status, ended.stdout) == (1, "hello /\n")
    assert ended.stderr.endswith("ValueError: of the script\n")


@pytest.mark.parametrize("path", ["/", "/slow"])
def test_a_script_ends_where_shutdown_is_registered_for_its_exit(tmp_path: Path, path: str) -> None:
    text = f"""
import atexit
atexit.register(print, "shut down")
atexit.register(server.shutdown)
print(ask(server, {path!r}).content)
"""
    assert run(tmp_path, DAEMON, text) == (0, f"hello {path}\nshut down\n", "")


def test_a_script_ends_while_requests_hang(tmp_path: Path) -> None:
    text = """
hanging = [send(server, "/hang") for _ in range(3)]
say(ask(server).content)
sys.stdin.readline()
"""
    with script(tmp_path, DAEMON, text) as console:
        assert sorted(console.read_line() for _ in range(4)) == ["hello /\n", *["inside\n"] * 3]
        console.process.stdin.write("\n")  # type: ignore[union-attr]
        assert console.end() == (0, "", "")


def test_a_script_ends_while_a_request_hangs_that_shutdown_does_not_wait_for(tmp_path: Path) -> None:
    text = """
import atexit
server = make_server("127.0.0.1", 0, app, drain_timeout=0.1)
in_thread(server.serve_forever)
atexit.register(server.shutdown)
hanging = send(server, "/hang")
sys.stdin.readline()
"""
    with script(tmp_path, text) as console:
        assert console.read_line() == "inside\n"
        console.process.stdin.write("\n")  # type: ignore[union-attr]
        ended = console.end()
    assert ended.status == 0
    assert "1 request still runs; its thread is left behind" in ended.stderr


def test_the_access_log_is_complete_when_a_script_ends(tmp_path: Path) -> None:
    text = """
server = make_server("127.0.0.1", 0, app, access_log="log.txt")
in_thread(server.serve_forever)
for number in range(200):
    ask(server, f"/{number}")
"""
    assert run(tmp_path, text) == (0, "", "")
    lines = (tmp_path / "log.txt").read_text("utf-8").splitlines()
    assert [line.split(" ")[6] for line in lines] == [f"/{number}" for number in range(200)]


def test_a_script_ends_while_serve_writes_its_logs_in_a_thread(tmp_path: Path) -> None:
    text = """
import socket
with socket.create_server(("127.0.0.1", 0)) as listening:
    port = listening.getsockname()[1]
in_thread(lambda: serve(app, port=port))

class server:
    server_port = port

def ask_for_ever():
    while True:
        ask(server, "/fail")

while True:
    try:
        ask(server)
        break
    except ConnectionRefusedError:
        threading.Event().wait(0.01)
for _ in range(3):
    in_thread(ask_for_ever)
for _ in range(50):
    ask(server, "/x")
"""
    ended = run(tmp_path, text)
    assert ended.status == 0
    assert ended.stdout.count('"GET /x HTTP/1.1" 200') == 50
    assert "Fatal" not in ended.stderr


# -- under pytest

TESTS = """
import pytest

@pytest.fixture(scope="session")
def server():
    server = make_server("127.0.0.1", 0, app)
    in_thread(server.serve_forever)
    return server

@pytest.mark.parametrize("path", ["/x", "/slow"])
def test_it_answers(server, path):
    assert ask(server, path).content == "hello " + path

def test_a_request_hangs(server):
    send(server, "/hang")
"""


@pytest.mark.parametrize("more", [(), ("-p", "xdist.plugin", "-n", "2")], ids=["pytest", "xdist"])
def test_pytest_ends(tmp_path: Path, more: tuple[str, ...]) -> None:
    if more:
        pytest.importorskip("xdist")
    (tmp_path / "test_it.py").write_text(APP + TESTS, "utf-8")
    # With a folder of its own: else it removes those of earlier runs at its end, which may take a minute.
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp=temporary", *more, "test_it.py")
    # Without the plugins of this suite, which take seconds to import where the machine is busy.
    environment = {"PYTHONWARNINGS": "ignore", "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with python(*arguments, cwd=tmp_path, env=environment) as console:
        ended = console.end()
    assert ended.status == 0, ended
    assert "3 passed" in ended.stdout


# -- in a thread that is no daemon

LASTING = """
server = make_server("127.0.0.1", 0, app, threads=4)
in_thread(server.serve_forever, daemon=False)
if (3, 12, 0) <= sys.version_info[:3] <= (3, 12, 1):
    ask(server)  # no thread can be started there when the main thread has ended, and the server needs some

def tell():
    threading.main_thread().join()
    print(f"the main thread has ended; at http://127.0.0.1:{server.server_port}", flush=True)

in_thread(tell)
"""


@posix
def test_a_server_goes_on_after_the_main_thread_has_ended(tmp_path: Path) -> None:
    with script(tmp_path, LASTING) as console:
        assert "the main thread has ended" in console.url + console.greeting
        with several(console, 8) as clients:  # more than there are threads, none of which is there by now
            for path in ("/x", "/slow", "/slow", "/x", "/slow"):
                for client in clients:
                    client.send(request(path))
                assert [client.response().content.decode() for client in clients] == [f"hello {path}"] * 8
        assert console.stop(signal.SIGTERM) == (-signal.SIGTERM, "", "")


def test_a_server_in_a_thread_ends_the_process_when_it_is_shut_down(tmp_path: Path) -> None:
    stopping = """
inner = app
def app(environ, start_response):
    if environ["PATH_INFO"] == "/stop":
        server.begin_shutdown()
    return inner(environ, start_response)
"""
    with script(tmp_path, stopping, LASTING) as console, Client(console) as client:
        for path in ("/slow", "/x", "/slow", "/stop"):
            assert client.ask(path).content.decode() == f"hello {path}"
        assert console.end() == (0, "", "")
