"""What the access log says of clients that left: 499, or the status that they got."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.client import PATIENCE, Client, request
from tests.gates import Gates
from tests.logs.logged_site import AGENT, POST, Site, reasons
from tests.waiting import eventually, until_left
from tpserver import handler
from tpserver.errors import RequestRefused


class ToldWhenGone:
    """An application that answers when its client has left."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.begun.set()
        eventually(environ["tpserver.client_gone"], "its client never left")
        start_response("200 OK", [])
        return [b"x" * int(environ["QUERY_STRING"])]


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["closes", "resets"])
def test_a_client_that_left_is_499(
    leave: Callable[[Client], None], size: int, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "_LEFT_AFTER", 0.0)
    app = ToldWhenGone()
    running = site.start(app)
    client = Client(running)
    client.send(request(f"/?{size}", AGENT))
    assert app.begun.wait(PATIENCE)
    leave(client)
    until_left(running, 0)
    assert running.server.stats()["answers"]["statuses"][499] == 1
    (line,) = (line for line in site.lines() if "probe" in line)
    assert f'"GET /?{size} HTTP/1.1" 499 ' in line


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_client_that_only_sends_nothing_more_gets_its_answer_and_its_status(
    size: int, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "_LEFT_AFTER", 0.0)
    running = site.start(ToldWhenGone())
    with Client(running) as client:
        client.send(request(f"/?{size}", AGENT))
        client.finish_sending()
        assert len(client.response().content) == size
        assert client.ended()
    until_left(running, 0)
    (line,) = (line for line in site.lines() if "probe" in line)
    # Where there is no poll a client that closes its sending side looks like one that leaves.
    status = f"200 {size}" if hasattr(select, "poll") else "499"
    assert f'"GET /?{size} HTTP/1.1" {status} ' in line


def test_a_client_that_left_before_the_first_piece_of_a_stream_is_499(site: Site) -> None:
    begun = threading.Event()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        begun.set()
        gone = environ["tpserver.client_gone"]
        start_response("200 OK", [])
        eventually(gone, "its client never left")
        while True:
            yield b"x" * 10_000

    running = site.start(app)
    client = Client(running)
    client.send(request("/stream"))
    assert begun.wait(PATIENCE)
    client.reset()
    until_left(running, 0)
    (line,) = (line for line in site.lines() if "/stream" in line)
    assert '"GET /stream HTTP/1.1" 499 ' in line


def test_a_client_that_leaves_a_stream_has_got_its_status(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_LEFT_AFTER", 0.0)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [])
        while True:
            yield b"x" * 10_000

    running = site.start(app)
    with Client(running) as client:
        client.send(request("/stream"))
        assert client.head().status == 200
    until_left(running, 0)
    (line,) = (line for line in site.lines() if "/stream" in line)
    assert '"GET /stream HTTP/1.1" 200 ' in line


def reading(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [b"done"]


def reading_twice(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answers for itself what has failed, as frameworks do."""
    failures = []
    for _ in range(2):
        try:
            failures.append(environ["wsgi.input"].read().decode())
        except (RequestRefused, OSError) as error:
            failures.append(type(error).__name__)
    start_response("500 Oops", [])
    return [" ".join(failures).encode()]


@pytest.mark.parametrize("app", [reading, reading_twice])
def test_a_client_that_leaves_during_its_upload_is_499_whatever_the_application_makes_of_it(
    site: Site, app: Callable[..., list[bytes]]
) -> None:
    begun = threading.Event()

    def beginning(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        begun.set()
        return app(environ, start_response)

    running = site.start(beginning, stream_body=["/up"])
    client = Client(running)
    client.send(request("/up", "Content-Length: 100", method="POST") + b"x")
    assert begun.wait(PATIENCE)
    client.reset()
    until_left(running, 0)
    (line,) = (line for line in site.lines() if "/up" in line)
    assert '"POST /up HTTP/1.1" 499 ' in line


@pytest.mark.parametrize(
    ("fields", "content", "cause", "timeout"),
    [
        ("Transfer-Encoding: chunked", b"1\r\nx\r\nnonsense\r\n1\r\ny\r\n0\r\n\r\n", "bad request", 20),
        ("Transfer-Encoding: chunked", b"fffffff\r\n", "content too large", 20),
        ("Content-Length: 10", b"", "slow body", 0.1),
    ],
    ids=["malformed", "too large", "too slow"],
)
def test_a_streamed_content_that_is_refused_is_counted_also_where_the_application_answers(
    fields: str, content: bytes, cause: str, timeout: float, site: Site, log: pytest.LogCaptureFixture
) -> None:
    begun = threading.Event()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        begun.set()
        return reading_twice(environ, start_response)

    running = site.start(app, stream_body=["/up"], stream_chunked=True, max_body=1000, send_timeout=timeout)
    with Client(running) as client:
        client.send(request("/up", AGENT, fields, method="POST"))
        assert begun.wait(20)
        client.send(content)
        answer = client.response()
        assert (answer.status, answer.content) == (500, b"RequestRefused RequestRefused")
        assert client.ended()
    until_left(running, 0)
    assert running.server.stats()["refused"] == {cause: 1}
    (reason,) = reasons(log)
    assert cause in reason


@pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["closes", "resets"])
@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_client_that_leaves_before_its_content_has_come_is_499(
    framing: str, leave: Callable[[Client], None], site: Site
) -> None:
    running = site.start(Gates())
    client = Client(running)
    client.send(request("/up", AGENT, framing, method="POST") + b"1\r\nx\r\n")
    eventually(lambda: running.server.stats()["connections"]["body"] == 1, "no content begins")
    leave(client)
    until_left(running, 0)
    assert running.server.stats()["answers"]["statuses"][499] == 1
    (line,) = (line for line in site.lines() if "probe" in line)
    assert f'"{POST}" 499 ' in line


# -- slow ones, and those of virtual hosts
