"""The page that says no: for a person in a browser, for a program, and for HEAD."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import Client, Response, ask, request
from tests.running import Running, Start

BROWSER = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def no(running: Running, *lines: str, **how: str) -> Response:
    answer = ask(running, "/nothing", *lines, **how)
    assert answer.status == 404
    return answer


@pytest.mark.parametrize("lines", [[], [BROWSER], ["Accept: */*"], ["Accept: text/html"], ["Accept: text/*;q=0.1"]])
def test_a_person_gets_a_page(start: Start, tmp_path: Path, lines: list[str]) -> None:
    answer = no(start(root=str(tmp_path)), *lines)
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert answer.content.startswith(b"<!doctype html>")
    assert b"<title>404 Not Found</title>" in answer.content
    assert answer.fields["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    "lines", [["Accept: application/json"], ["Accept: text/plain"], ["Accept: text/html;q=0, */*"], ["Accept: image/*"]]
)
def test_a_program_gets_plain_text(start: Start, tmp_path: Path, lines: list[str]) -> None:
    answer = no(start(root=str(tmp_path)), *lines)
    assert answer.fields["content-type"] == "text/plain; charset=utf-8"
    assert answer.content == b"404 Not Found\nThere is nothing at this address.\n"
    assert answer.fields["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("accept", [BROWSER, "Accept: application/json"])
def test_head_gets_no_page_but_its_length(start: Start, tmp_path: Path, accept: str) -> None:
    running = start(root=str(tmp_path))
    with Client(running) as client:
        client.send(request("/nothing", accept, method="HEAD") + request("/nothing", accept))
        of_head, of_get = client.head(), client.head()
        assert of_head.fields["content-length"] == of_get.fields["content-length"]
        assert len(client.stream.read(int(of_get.fields["content-length"]))) > 0


def test_what_a_client_has_written_is_not_in_the_page(start: Start, tmp_path: Path) -> None:
    running = start(root=str(tmp_path))
    for target in ("/%3Cscript%3Ealert(1)%3C/script%3E", "/<script>alert(1)</script>", "/?<script>alert(1)</script>"):
        answer = ask(running, target)
        assert b"alert" not in answer.content


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        (b"GET /" + b"a" * 70_000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000, 431),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nExpect: wonders\r\n\r\n", 417),
    ],
)
def test_a_refused_request_gets_a_page_and_the_end(start: Start, tmp_path: Path, data: bytes, status: int) -> None:
    running = start(root=str(tmp_path))
    with Client(running) as client:
        client.send(data)
        answer = client.head()
        assert answer.status == status
        assert answer.fields["connection"] == "close"
        content = client.stream.read()
        assert len(content) == int(answer.fields["content-length"])
        assert content.startswith(b"<!doctype html>")


def test_a_refused_head_request_gets_no_page(start: Start, tmp_path: Path) -> None:
    with Client(start(root=str(tmp_path))) as client:
        client.send(b"HEAD / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n")
        assert client.head().status == 400
        assert client.stream.read() == b""


def test_a_refused_program_gets_plain_text(start: Start, tmp_path: Path) -> None:
    with Client(start(root=str(tmp_path))) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\nExpect: x\r\n\r\n")
        assert client.head().fields["content-type"] == "text/plain; charset=utf-8"
        assert client.stream.read().startswith(b"417 Expectation Failed\n")


def test_every_answer_has_a_date_and_names_the_server(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    running = start(root=str(tmp_path))
    for answer in (
        ask(running, "/a.txt"),
        no(running),
        ask(running, "/a.txt", "If-None-Match: *"),
        ask(running, "*", method="OPTIONS"),
        ask(running, "/%00"),
    ):
        assert answer.fields["date"].endswith(" GMT")
        assert answer.fields["server"].startswith("tpserver/")
