"""What applications say about the connection: whether to close it, and handshakes of WebSockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.client import Client, ask
from tests.logged import errors
from tests.running import Start

Environ = dict[str, Any]
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)


def sending(*values: str, fields: tuple[tuple[str, str], ...] = (), pieces: int = 1) -> Callable[..., list[bytes]]:
    """An application that sends these Connection fields."""

    def app(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [*(("Connection", value) for value in values), *fields])
        return [b"x"] * pieces

    return app


@pytest.mark.parametrize("value", ["keep-alive", "Keep-Alive"])
def test_server_sent_events_with_keep_alive_are_sent(start: Start, value: str) -> None:
    with Client(start(sending(value, fields=(("Content-Type", "text/event-stream"),)))) as client:
        for _ in range(3):
            answer = client.ask()
            assert answer.status == 200
            assert answer.all("Connection") == []


@pytest.mark.parametrize("fields", [(), (("Content-Length", "1"),)])
@pytest.mark.parametrize("values", [("close",), ("Keep-Alive, Close",), ("keep-alive", "close")])
def test_an_application_may_close_the_connection(
    start: Start, values: tuple[str, ...], fields: tuple[tuple[str, str], ...]
) -> None:
    running = start(sending(*values, fields=fields))
    for _ in range(3):  # the head is remembered from the second time on
        with Client(running) as client:
            answer = client.ask()
            assert (answer.status, answer.content) == (200, b"x")
            assert answer.all("Connection") == ["close"]
            assert client.ended()


def without_socket(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    """As simple_websocket does, which Flask-SocketIO and Flask-Sock use."""
    raise RuntimeError("Cannot obtain socket from WSGI environment.")


def switching(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("101 Switching Protocols", [("Upgrade", "websocket"), ("Connection", "Upgrade")])
    return []


def upgrading(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Upgrade", "websocket")])
    return []


def by_key(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    return [environ["werkzeug.socket"]]


@pytest.mark.parametrize("app", [without_socket, switching, upgrading, by_key])
def test_a_handshake_of_a_websocket_gets_a_short_line_in_the_log(
    start: Start, log: pytest.LogCaptureFixture, app: Any
) -> None:
    assert ask(start(app), "/socket.io/", *HANDSHAKE).status == 501
    (message,) = errors(log)
    assert message.startswith("GET /socket.io/: this server has no WebSocket")
    assert "\n" not in message
    assert not [record for record in log.records if record.exc_info]


def test_the_same_exception_without_a_handshake_has_its_traceback(start: Start, log: pytest.LogCaptureFixture) -> None:
    assert ask(start(without_socket)).status == 500
    assert [record for record in log.records if record.exc_info]
