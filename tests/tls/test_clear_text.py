"""Clients that do not encrypt, at the port for TLS and at the one that redirects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.client import Client, ask, exchange, parse, request
from tests.running import Running, Start
from tests.tls.client import TLSClient


@dataclass
class Redirecting:
    """The port that redirects."""

    running: Running

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.running.server.others[-1].getsockname()[1])


def forbidden(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application that must not be asked."""
    raise AssertionError("a request in clear text was run")


def test_plain_http_at_the_port_for_tls_gets_a_page_that_says_so(start_tls: Start) -> None:
    server = start_tls(forbidden)
    port = server.address[1]
    answer = ask(server, "/page?x=1", host=f"server.example:{port}")
    assert answer.status == 400
    assert f"https://server.example:{port}/page?x=1" in answer.content.decode()
    assert answer["Connection"] == "close"


def test_the_page_keeps_the_path_of_a_target_in_absolute_form(start_tls: Start) -> None:
    server = start_tls(forbidden)
    port = server.address[1]
    answer = ask(server, f"http://server.example:{port}/page?x=1", host="other.example")
    assert f"https://server.example:{port}/page?x=1" in answer.content.decode()


def test_that_page_is_text_for_who_wants_no_html(start_tls: Start) -> None:
    answer = ask(start_tls(forbidden), "/", "Accept: text/plain")
    assert answer["Content-Type"].startswith("text/plain")
    assert answer.content.startswith(b"400 Bad Request\nThis port takes encrypted connections only: https://")


def test_a_request_with_a_content_gets_it_before_the_content_has_come(start_tls: Start) -> None:
    with Client(start_tls(forbidden)) as client:
        client.send(request("/", "Content-Length: 1000000", method="POST"))
        assert client.response().status == 400


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01\x03\x01" + bytes(40), b"nonsense\r\n\r\n"])
def test_what_is_neither_is_refused_too(start_tls: Start, data: bytes) -> None:
    assert parse(exchange(start_tls(forbidden), data)).status == 400


def test_a_request_in_clear_text_that_comes_byte_by_byte(start_tls: Start) -> None:
    with Client(start_tls(forbidden)) as client:
        for byte in request("/"):
            client.send(bytes([byte]))
        assert client.response().status == 400


@pytest.mark.parametrize(
    ("method", "target", "host", "status", "rest"),
    [
        ("GET", "/", "server.example", 301, "/"),
        ("HEAD", "/a%20b?x=1&y", "server.example:80", 301, "/a%20b?x=1&y"),
        ("POST", "/form", "server.example", 308, "/form"),
        ("DELETE", "/a//b/../c", "SERVER.example", 308, "/a//b/../c"),
        ("GET", "//other.example/", "server.example", 301, "//other.example/"),
        ("GET", "/", "[2001:db8::1]:8080", 301, "/"),
        ("OPTIONS", "*", "server.example", 308, "/"),
        ("GET", "http://server.example/p?x=http://y", "other.example", 301, "/p?x=http://y"),
        ("GET", "HTTP://server.example:80?x", "other.example", 301, "/?x"),
        ("GET", "http://server.example", "other.example", 301, "/"),
    ],
)
def test_the_other_port_redirects(
    start_tls: Start, method: str, target: str, host: str, status: int, rest: str
) -> None:
    server = start_tls(forbidden, redirect_http=0)
    with Client(Redirecting(server)) as client:
        answer = client.ask(target, method=method, host=host)
        name = host.lower().removesuffix(":80").removesuffix(":8080").replace("other.example", "server.example")
        assert answer.status == status
        assert answer["Location"] == f"https://{name}:{server.address[1]}{rest}"
        assert client.ended()


def test_a_request_without_a_host_cannot_be_redirected(start_tls: Start) -> None:
    server = start_tls(forbidden, redirect_http=0)
    assert ask(Redirecting(server), "/", version="1.0", host=None).status == 400


def test_tls_at_the_port_that_redirects_is_refused(start_tls: Start) -> None:
    server = start_tls(forbidden, redirect_http=0)
    with pytest.raises(OSError, match=r"(?i)wrong version|record layer|http request"):
        TLSClient(Redirecting(server))


def test_hsts_is_for_encrypted_answers_only(start_tls: Start) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Server", "own")])
        return [b"x"]

    server = start_tls(app, redirect_http=0, hsts=300)
    with TLSClient(server) as client:
        assert client.ask("/")["Strict-Transport-Security"] == "max-age=300"
        client.send(b"nonsense\r\n\r\n")
        answer = client.response()
        assert (answer.status, answer["Strict-Transport-Security"]) == (400, "max-age=300")
    assert ask(server).all("Strict-Transport-Security") == []
    assert ask(Redirecting(server)).all("Strict-Transport-Security") == []


def test_there_is_no_hsts_unless_it_is_asked_for(start_tls: Start) -> None:
    with TLSClient(start_tls(forbidden)) as client:
        assert client.ask("*", method="OPTIONS").all("Strict-Transport-Security") == []
