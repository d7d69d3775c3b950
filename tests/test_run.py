"""make_server and serve: a drop-in for wsgiref, and a server of one's own in a script."""

from __future__ import annotations

import http.client
import logging
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref import simple_server

import pytest

from tests.client import CLOSE, Client, exchange, request
from tests.console import HANGING, HELLO, draining, python
from tests.running import Running, Start
from tpserver import Config, Server, make_server
from tpserver.errors import StartError, UsageError
from tpserver.run import load_application


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello " + environ["PATH_INFO"].encode("latin-1")]


def goodbye(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"goodbye"]


def get(port: int, path: str = "/", host: str = "127.0.0.1") -> bytes:
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


# -- as wsgiref


class QuietHandler(simple_server.WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def wsgiref_make_server(host: str, port: int, app: Any) -> Any:
    return simple_server.make_server(host, port, app, handler_class=QuietHandler)


@pytest.mark.parametrize("make", [wsgiref_make_server, make_server])
def test_the_recipe_of_wsgiref_works_as_it_is(make: Callable[..., Any]) -> None:
    with make("127.0.0.1", 0, hello) as server:
        assert server.get_app() is hello
        assert server.server_port == server.server_address[1] == server.socket.getsockname()[1]
        for path in ("/1", "/2"):
            thread = in_thread(server.handle_request)
            assert get(server.server_port, path) == b"hello " + path.encode()
            thread.join()
        server.set_app(goodbye)
        assert server.get_app() is goodbye
        thread = in_thread(server.serve_forever)
        assert [get(server.server_port) for _ in range(3)] == [b"goodbye"] * 3
        server.shutdown()
        thread.join()
    with pytest.raises(ConnectionRefusedError):
        get(server.server_port)


def test_the_empty_host_is_every_address() -> None:
    with make_server("", 0, hello) as server:
        assert server.server_address[0] == "0.0.0.0"
        assert server.url == f"http://127.0.0.1:{server.server_port}/"
        thread = in_thread(server.handle_request)
        assert get(server.server_port) == b"hello /"
        thread.join()


def test_handle_request_serves_one_and_leaves_the_next_to_wait() -> None:
    with make_server("127.0.0.1", 0, hello) as server:
        thread = in_thread(server.handle_request)
        assert get(server.server_port) == b"hello /"
        thread.join()
        with Client(Running(server, thread)) as waiting:
            waiting.send(b"GET /later HTTP/1.0\r\n\r\n")
            server.handle_request()
            assert waiting.stream.read().endswith(b"hello /later")


def test_a_server_that_was_shut_down_serves_again() -> None:
    with make_server("127.0.0.1", 0, hello) as server:
        for _ in range(3):
            thread = in_thread(server.serve_forever)
            assert get(server.server_port) == b"hello /"
            server.shutdown()
            thread.join()


def test_a_server_that_never_served_can_be_closed() -> None:
    with make_server("127.0.0.1", 0, hello) as server:
        pass
    server.server_close()
    with pytest.raises(ConnectionRefusedError):
        get(server.server_port)


def test_two_servers_in_one_process_do_not_know_of_each_other(start: Start, tmp_path: Path) -> None:
    for name in "12":
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name, "ascii")
    one = start(hello, root=str(tmp_path / "1"))
    two = start(goodbye, root=str(tmp_path / "2"))
    for _ in range(2):
        assert get(one.server.server_port, "/a.txt") == b"1"
        assert get(two.server.server_port, "/a.txt") == b"2"
        assert get(one.server.server_port, "/x") == b"hello /x"
        assert get(two.server.server_port, "/x") == b"goodbye"
    one.stop()
    assert get(two.server.server_port, "/x") == b"goodbye"


def test_a_port_can_be_had_again_at_once() -> None:
    port = 0
    for _ in range(3):
        with make_server("127.0.0.1", port, hello) as server:
            port = server.server_port
            thread = in_thread(server.serve_forever)
            assert exchange(Running(server, thread), request("/", CLOSE)).endswith(b"hello /")
            server.shutdown()
            thread.join()


def test_ipv6(start: Start) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except (OSError, AttributeError):
        pytest.skip("no IPv6 here")

    def remote(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return [f"{environ['REMOTE_ADDR']} {environ['SERVER_NAME']}".encode()]

    with make_server("::1", 0, remote) as server:
        assert server.url == f"http://[::1]:{server.server_port}/"
        thread = in_thread(server.handle_request)
        assert get(server.server_port, host="::1") == b"::1 ::1"
        thread.join()


# -- what make_server leaves alone


def test_nothing_of_the_process_around_it_is_changed(start: Start, tmp_path: Path) -> None:
    def state() -> tuple[Any, ...]:
        tpserver = logging.getLogger("tpserver")
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        return sys.getswitchinterval(), handlers, tpserver.level, tpserver.handlers, list(sys.path)

    before = state()
    running = start(hello, root=str(tmp_path), threads=2, switch_interval=0.001)
    assert get(running.server.server_port) == b"hello /"
    assert state() == before
    running.stop()
    assert state() == before


def test_the_access_log_is_off_unless_it_is_named(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    running = start(hello)
    get(running.server.server_port)
    running.stop()
    assert capsys.readouterr() == ("", "")


# -- options, and what is wrong with them


def test_options_are_those_of_the_command_line(start: Start) -> None:
    running = start(hello, max_body=10, max_head=2048, max_fields=3)
    for data, status in [
        (b"POST / HTTP/1.0\r\nContent-Length: 11\r\n\r\n", b"413"),
        (b"GET / HTTP/1.0\r\nX: %b\r\n\r\n" % (b"a" * 2048), b"431"),
        (b"GET / HTTP/1.0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", b"431"),
    ]:
        assert exchange(running, data).startswith(b"HTTP/1.1 " + status)


def test_a_root_may_be_a_path(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"text")
    assert get(start(root=tmp_path).server.server_port, "/a.txt") == b"text"


def test_an_application_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "named_application.py").write_text(HELLO, "utf-8")
    with make_server("127.0.0.1", 0, "named_application:app", app_dir=str(tmp_path)) as server:
        thread = in_thread(server.handle_request)
        assert get(server.server_port) == b"hello /"
        thread.join()
    with Server(Config(port=0, access_log="none", app="named_application:app", app_dir=str(tmp_path))) as server:
        assert callable(server.get_app())


@pytest.mark.parametrize(
    ("options", "about"),
    [
        ({"thread": 8}, "there is no option thread"),
        ({"thread": 8, "colour": "red"}, "there is no option colour, thread"),
        ({"threads": 0}, "--threads must be 1 or more"),
        ({"threads": "8"}, "--threads takes a number"),
        ({"root": "nothing/at/all"}, "--root nothing/at/all: there is no such folder"),
        ({"app": ":nonsense"}, "--app :nonsense: it takes MODULE:CALLABLE"),
        ({"app": "a:b", "app_dir": "nothing"}, "--app-dir nothing: there is no such folder"),
    ],
)
def test_a_wrong_option_is_an_error_of_usage(options: dict[str, Any], about: str) -> None:
    with pytest.raises(UsageError, match=re.escape(about)):
        make_server("127.0.0.1", 0, **options)


def test_what_cannot_be_called_is_no_application_and_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with pytest.raises(UsageError, match="a WSGI application is a callable"):
        make_server("127.0.0.1", port, object())  # type: ignore[arg-type]
    with make_server("127.0.0.1", port, hello):
        pass


def test_a_port_that_is_taken_is_a_start_error_and_leaves_nothing_open(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with make_server("127.0.0.1", 0, hello) as server:
        expected = f"cannot listen on 127.0.0.1:{server.server_port}: "
        with pytest.raises(StartError, match=re.escape(expected)) as caught:
            make_server("127.0.0.1", server.server_port, hello, access_log=str(log))
        assert isinstance(caught.value.__cause__, OSError)
    log.unlink()  # which Windows allows only where it is not open


@pytest.mark.parametrize("host", ["a" * 300, "192.0.2.1"])
def test_a_host_that_cannot_be_is_a_start_error(host: str) -> None:
    with pytest.raises(StartError, match="cannot listen on "):
        make_server(host, 0, hello)


def test_an_access_log_that_cannot_be_written_is_a_start_error(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"cannot write the access log .*: "):
        make_server("127.0.0.1", 0, hello, access_log=str(tmp_path))


def test_an_interrupt_while_importing_is_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "interrupted_application.py").write_text("raise KeyboardInterrupt", "utf-8")
    with pytest.raises(KeyboardInterrupt):
        load_application("interrupted_application:app", str(tmp_path))


# -- serve(), in a script


def script(tmp_path: Path, text: str) -> str:
    (tmp_path / "script.py").write_text(text, "utf-8")
    return "script.py"


SERVE = f"""
import signal, sys
from tpserver import serve
{HELLO}
before = signal.getsignal(signal.SIGTERM)
serve(app, root="html", port=0, access_log="none")
assert signal.getsignal(signal.SIGTERM) == before
print("and on it goes")
"""


def test_a_script_serves_until_it_is_interrupted_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "a.txt").write_text("text", "utf-8")
    with python(script(tmp_path, SERVE), cwd=tmp_path) as console:
        assert console.get("/a.txt") == "text"
        assert console.get("/x") == "hello /x"
        assert re.match(r"tpserver serves .*html and app at http://127\.0\.0\.1:\d+/", console.greeting)
        assert console.stop() == (0, "stopped\nand on it goes\n", "")


def test_a_script_may_serve_in_another_thread(tmp_path: Path) -> None:
    text = SERVE.replace('serve(app, root="html"', 'serve(app, root="."').replace("\nserve(", "\nthread(lambda: serve(")
    text = text.replace('"none")', '"none"))')
    thread = "import threading\ndef thread(work):\n    threading.Thread(target=work, daemon=True).start()\n"
    ending = "\nsys.stdin.readline()\n"
    with python(script(tmp_path, thread + text + ending), cwd=tmp_path) as console:
        assert console.get("/x") == "hello /x"


def test_a_script_that_is_wrong_gets_an_exception(tmp_path: Path) -> None:
    with python(script(tmp_path, "from tpserver import serve\nserve(prot=80)\n"), cwd=tmp_path) as console:
        ended = console.end()
    assert ended.status == 1
    assert ended.stderr.endswith("UsageError: there is no option prot\n")


def test_a_script_ends_though_a_request_never_does(tmp_path: Path) -> None:
    text = f"from tpserver import serve\n{HANGING}\nserve(app, port=0, access_log='none', drain_timeout=0.1)\n"
    with python(script(tmp_path, text), cwd=tmp_path) as console, Client(console) as client:
        until_it_drains = draining(console)
        client.send(request())
        assert console.read_line() == "inside\n"
        console.send()
        until_it_drains()
        assert console.end().status == 0
