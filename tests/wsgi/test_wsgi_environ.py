"""What an application is told of a request: the environ, as PEP 3333 and RFC 3875 name its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.client import Client, ask, request, several, to_the_end
from tests.running import Start
from tpserver.version import SOFTWARE

Told = Callable[..., dict[str, Any]]


class Listener:
    """An application that keeps what it is told."""

    def __init__(self) -> None:
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.environs.append(environ)
        start_response("204 No Content", [])
        return []


@pytest.fixture
def told(start: Start) -> Told:
    """Sends a request, and returns the environ that the application got."""
    listener = Listener()
    running = start(listener)

    def tell(*arguments: Any, **options: Any) -> dict[str, Any]:
        assert ask(running, *arguments, **options).status == 204
        return listener.environs[-1]

    return tell


def test_the_environ_holds_every_key_of_the_pep_and_no_other_text(start: Start) -> None:
    listener = Listener()
    running = start(listener)
    fields = ("Content-Type: text/x; a=b", "X-Some-Thing: 1", "Accept: */*")
    with Client(running) as client:
        _, port = client.sock.getsockname()
        client.send(request("/a%20b?c=%20d", *fields, method="POST", content=b"text"))
        assert client.sock.recv(4096).startswith(b"HTTP/1.1 204 ")
    (environ,) = listener.environs
    assert type(environ) is dict
    texts = {key: value for key, value in environ.items() if not key.startswith(("wsgi.", "tpserver."))}
    assert texts == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=%20d",
        "REQUEST_URI": "/a%20b?c=%20d",
        "CONTENT_TYPE": "text/x; a=b",
        "CONTENT_LENGTH": "4",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(running.address[1]),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": SOFTWARE,
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(port),
        "REMOTE_HOST": "127.0.0.1",
        "HTTP_HOST": "server.example",
        "HTTP_ACCEPT": "*/*",
        "HTTP_X_SOME_THING": "1",
    }
    assert {type(value) for value in texts.values()} == {str}


def test_the_environ_describes_the_server(told: Told) -> None:
    environ = told()
    assert environ["wsgi.version"] == (1, 0)
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["wsgi.multithread"] is True
    assert environ["wsgi.multiprocess"] is False
    assert environ["wsgi.run_once"] is False
    assert environ["wsgi.input_terminated"] is True
    assert callable(environ["wsgi.file_wrapper"])
    for name in ("read", "readline", "readlines", "__iter__"):
        assert hasattr(environ["wsgi.input"], name)
    for name in ("flush", "write", "writelines"):
        assert hasattr(environ["wsgi.errors"], name)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/?", "/", ""),
        ("/a/b.c;d=e", "/a/b.c;d=e", ""),
        ("/%E2%82%AC", "/\xe2\x82\xac", ""),  # the bytes of UTF-8, each as one latin-1 character
        ("/%ff%80", "/\xff\x80", ""),
        ("/a%2Fb%3fc%25d", "/a/b?c%d", ""),
        ("/%2541", "/%41", ""),  # decoded once
        ("/a+b", "/a+b", ""),
        ("//double//slash", "//double//slash", ""),
        ("/%0d%0a", "/\r\n", ""),
        ("/x?a=%E2%82%AC&b=+%2B?c", "/x", "a=%E2%82%AC&b=+%2B?c"),  # the query stays as it came
        ("http://other.example/p?q", "/p", "q"),
        ("http://other.example", "/", ""),
    ],
)
def test_the_path_is_decoded_and_the_query_is_raw(told: Told, target: str, path: str, query: str) -> None:
    environ = told(target)
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path, query)
    assert environ["REQUEST_URI"] == target


def test_the_host_of_an_absolute_target_goes_before_the_host_field(told: Told) -> None:
    assert told("http://other.example:81/")["HTTP_HOST"] == "other.example:81"


def test_a_request_without_content_has_no_content_keys(told: Told) -> None:
    environ = told()
    assert "CONTENT_LENGTH" not in environ
    assert "CONTENT_TYPE" not in environ


def test_content_fields_stand_under_their_own_names_only(told: Told) -> None:
    environ = told("/", "content-type: a/b", method="PUT", content=b"x")
    assert environ["CONTENT_TYPE"] == "a/b"
    assert environ["CONTENT_LENGTH"] == "1"
    assert "HTTP_CONTENT_TYPE" not in environ
    assert "HTTP_CONTENT_LENGTH" not in environ


def test_a_field_is_found_under_its_cgi_name_whatever_its_case(told: Told) -> None:
    environ = told("/", "x-LOWER-case:   padded\t ", "X-Empty:", "X-Latin: Zo\xeb", "!#$%&'*+.^`|~0: odd")
    assert environ["HTTP_X_LOWER_CASE"] == "padded"
    assert environ["HTTP_X_EMPTY"] == ""
    assert environ["HTTP_X_LATIN"] == "Zo\xeb"
    assert environ["HTTP_!#$%&'*+.^`|~0"] == "odd"


def test_a_field_that_comes_twice_is_joined(told: Told) -> None:
    environ = told("/", "X-Twice: 1", "Cookie: a=1", "x-twice: 2", "Cookie: b=2")
    assert environ["HTTP_X_TWICE"] == "1, 2"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"


def test_a_field_with_an_underscore_cannot_pass_for_one_with_a_hyphen(told: Told) -> None:
    environ = told("/", "X_Forwarded_For: spoofed", "X-Forwarded_Proto: spoofed", "X-Real-Ip: kept")
    assert "spoofed" not in environ.values()
    assert environ["HTTP_X_REAL_IP"] == "kept"


def test_an_underscore_cannot_replace_the_length_of_the_content(told: Told) -> None:
    assert (
        told("/", "Content_Length: 1", "Content_Type: spoofed", method="POST", content=b"abc")["CONTENT_LENGTH"] == "3"
    )


@pytest.mark.parametrize("name", ["Proxy", "PROXY", "proxy"])
def test_the_proxy_field_is_dropped(told: Told, name: str) -> None:
    # HTTP clients in an application take HTTP_PROXY for a setting.
    assert "HTTP_PROXY" not in told("/", f"{name}: http://evil.example")


def test_http_1_0_is_said_to_be_so(told: Told) -> None:
    assert told(version="1.0")["SERVER_PROTOCOL"] == "HTTP/1.0"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get", "M-SEARCH"])
def test_every_method_reaches_the_application_as_it_was_written(told: Told, method: str) -> None:
    assert told(method=method)["REQUEST_METHOD"] == method


def test_what_an_application_does_to_its_environ_is_gone_with_the_request(start: Start) -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.append(environ.copy())
        for key in list(environ):
            environ[key] = "changed"
        environ["added"] = "yes"
        start_response("204 No Content", [])
        return []

    with to_the_end(start(app)) as kept:
        for _ in range(3):
            kept.ask("/", "X-Same: head")
    first, *others = seen
    for key in ("wsgi.input", "wsgi.early_hints"):  # each request has its own
        del first[key]
    for other in others:
        assert "added" not in other
        assert {key: other[key] for key in first} == first


def test_equal_requests_of_two_clients_are_told_apart(start: Start) -> None:
    listener = Listener()
    running = start(listener)
    with several(running, 2) as clients:
        for client in clients:
            client.send(request())
            assert client.sock.recv(4096)
        ports = [str(client.sock.getsockname()[1]) for client in clients]
    assert [environ["REMOTE_PORT"] for environ in listener.environs] == ports
    assert listener.environs[0]["wsgi.input"] is not listener.environs[1]["wsgi.input"]


def test_what_an_application_writes_to_wsgi_errors_is_seen(capsys: pytest.CaptureFixture[str], start: Start) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.errors"].write("a note\n")
        environ["wsgi.errors"].writelines(["two ", "more\n"])
        environ["wsgi.errors"].flush()
        start_response("204 No Content", [])
        return []

    ask(start(app))
    assert capsys.readouterr().err == "a note\ntwo more\n"
