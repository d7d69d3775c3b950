"""Programs that were written for wsgiref's `make_server` run with another import."""

from __future__ import annotations

import errno
import logging
import socketserver
import threading
import urllib.request
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest

from tests.client import PATIENCE
from tpserver import Server, make_server
from tpserver.errors import StartError, UsageError


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def fetch(server: Server, path: str = "/") -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=PATIENCE) as response:
        return bytes(response.read())


def served(server: Server, path: str = "/") -> bytes:
    """The answer to one request, by `handle_request`."""
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    try:
        return fetch(server, path)
    finally:
        thread.join(PATIENCE)


def test_a_taken_port_is_an_oserror_with_its_number() -> None:
    with make_server("127.0.0.1", 0, app) as server, pytest.raises(OSError, match="cannot listen on") as caught:
        make_server("127.0.0.1", server.server_port, app)
    assert isinstance(caught.value, StartError)
    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.strerror


@pytest.mark.parametrize("host", ["a" * 300, "192.0.2.1"])
def test_a_host_that_cannot_be_is_an_oserror_too(host: str) -> None:
    with pytest.raises(OSError, match="cannot listen on") as caught:
        make_server(host, 0, app)
    assert isinstance(caught.value.errno, int)


def test_handle_request_ends_when_nobody_asks() -> None:
    class Noting(Server):
        timed_out = 0

        def handle_timeout(self) -> None:
            self.timed_out += 1

    with make_server("127.0.0.1", 0, app, server_class=Noting) as server:
        server.timeout = 0.01
        server.handle_request()
        assert isinstance(server, Noting)
        assert server.timed_out == 1
        server.timeout = PATIENCE
        assert served(server) == b"hello"
        assert server.timed_out == 1


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class Threading(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Picky(WSGIServer):
    """Has a method of each kind that a program replaces."""

    address_family = WSGIServer.address_family
    closed_by = ""

    def __init__(self, *args: Any, **more: Any) -> None:
        self.made = True
        super().__init__(*args, **more)

    def server_bind(self) -> None:
        super().server_bind()
        self.bound = self.server_address

    def server_close(self) -> None:
        self.closed_by = "Picky"
        super().server_close()


@pytest.mark.parametrize("server_class", [None, WSGIServer, Server, Threading, Picky, type("Own", (Server,), {})])
@pytest.mark.parametrize("handler_class", [None, WSGIRequestHandler, Quiet])
def test_classes_of_wsgiref_may_be_handed_over(server_class: Any, handler_class: Any) -> None:
    with make_server("127.0.0.1", 0, app, server_class, handler_class) as server:
        assert isinstance(server, server_class or Server) or server_class is WSGIServer
        assert isinstance(server, Server)
        assert server.get_app() is app
        assert server.url == f"http://127.0.0.1:{server.server_port}/"
        assert served(server) == b"hello"
    if server_class is Picky:
        assert (server.made, server.bound[1], server.closed_by) == (True, server.server_port, "Picky")  # type: ignore[attr-defined]


def test_a_handler_that_logs_gets_a_line_for_each_request() -> None:
    lines = []

    class Noting(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            lines.append(f"{self.address_string()} {format % args}")

    with make_server("127.0.0.1", 0, app, handler_class=Noting) as server:
        served(server, "/a?b")
    assert lines == ['127.0.0.1 "GET /a?b HTTP/1.1" 200 5']


def test_a_handler_that_cannot_log_costs_a_log_line(log: pytest.LogCaptureFixture) -> None:
    class Failing(WSGIRequestHandler):
        def log_request(self, *args: Any) -> None:
            raise ZeroDivisionError

    with make_server("127.0.0.1", 0, app, handler_class=Failing) as server:
        assert served(server) == b"hello"
    assert "Failing cannot log a request" in log.text


@pytest.mark.parametrize(
    ("which", "base", "name"),
    [
        ("handler_class", WSGIRequestHandler, "get_environ"),
        ("handler_class", WSGIRequestHandler, "handle"),
        ("handler_class", WSGIRequestHandler, "do_GET"),
        ("server_class", WSGIServer, "get_request"),
        ("server_class", WSGIServer, "process_request"),
        ("server_class", WSGIServer, "setup_environ"),
        ("server_class", WSGIServer, "serve_forever"),
    ],
)
def test_what_has_no_meaning_here_is_refused_by_name(which: str, base: type, name: str) -> None:
    odd = type("Odd", (base,), {name: lambda self, *args: None})
    with pytest.raises(UsageError, match=f"{which} Odd replaces {name}, which tpserver does in another way"):
        make_server("127.0.0.1", 0, app, **{which: odd})  # type: ignore[arg-type]


@pytest.mark.parametrize("which", ["handler_class", "server_class"])
def test_other_classes_are_refused(which: str) -> None:
    with pytest.raises(UsageError, match=f"{which} is a class derived from"):
        make_server("127.0.0.1", 0, app, **{which: dict})  # type: ignore[arg-type]


# -- The real libraries, with only the import changed


@pytest.mark.field
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_bottle_runs_its_wsgiref_adapter(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bottle = pytest.importorskip("bottle", reason="Bottle is not installed")
    monkeypatch.setattr("wsgiref.simple_server.make_server", make_server)
    site = bottle.Bottle()
    site.route("/")(lambda: "from Bottle")
    adapter = bottle.WSGIRefServer(host=host, port=0)
    made = threading.Event()

    def make(*args: Any) -> Server:
        adapter.made = make_server(*args)
        made.set()
        return adapter.made  # type: ignore[no-any-return]

    monkeypatch.setattr("wsgiref.simple_server.make_server", make)
    adapter.quiet = True
    thread = threading.Thread(target=adapter.run, args=(site,))
    thread.start()
    assert made.wait(PATIENCE)
    try:
        with urllib.request.urlopen(adapter.made.url, timeout=PATIENCE) as response:
            assert response.read() == b"from Bottle"
    finally:
        adapter.made.shutdown()
        thread.join(PATIENCE)
        adapter.made.server_close()


@pytest.mark.field
def test_google_auth_oauthlib_gets_its_redirect(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flow_module = pytest.importorskip("google_auth_oauthlib.flow", reason="google-auth-oauthlib is not installed")
    monkeypatch.setattr("wsgiref.simple_server.make_server", make_server)
    caplog.set_level(logging.INFO, logger="google_auth_oauthlib.flow")
    client = {
        "client_id": "c",
        "client_secret": "s",
        "auth_uri": "https://a.invalid/",
        "token_uri": "https://t.invalid/",
    }
    flow = flow_module.InstalledAppFlow.from_client_config({"installed": client}, scopes=["openid"])
    fetched: dict[str, Any] = {}
    monkeypatch.setattr(flow, "fetch_token", lambda **more: fetched.update(more))
    monkeypatch.setattr(type(flow), "credentials", "the credentials")
    answers = []

    class Browser:
        def open(self, url: str, **more: Any) -> None:
            def visit() -> None:
                with urllib.request.urlopen(f"{flow.redirect_uri}?state=x&code=42", timeout=PATIENCE) as response:
                    answers.append(response.read())

            self.thread = threading.Thread(target=visit)
            self.thread.start()

    browser = Browser()
    monkeypatch.setattr("webbrowser.get", lambda name: browser)
    assert flow.run_local_server(host="127.0.0.1", port=0, timeout_seconds=int(PATIENCE)) == "the credentials"
    browser.thread.join(PATIENCE)
    assert fetched["authorization_response"].endswith("?state=x&code=42")
    assert answers == [b"The authentication flow has completed. You may close this window."]
    assert any("GET /?state=x&code=42" in record.getMessage() for record in caplog.records)


@pytest.mark.field
def test_google_auth_oauthlib_gives_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    flow_module = pytest.importorskip("google_auth_oauthlib.flow", reason="google-auth-oauthlib is not installed")
    monkeypatch.setattr("wsgiref.simple_server.make_server", make_server)
    client = {
        "client_id": "c",
        "client_secret": "s",
        "auth_uri": "https://a.invalid/",
        "token_uri": "https://t.invalid/",
    }
    flow = flow_module.InstalledAppFlow.from_client_config({"installed": client}, scopes=["openid"])
    with pytest.raises(flow_module.WSGITimeoutError):
        flow.run_local_server(host="127.0.0.1", port=0, open_browser=False, timeout_seconds=0.01)
