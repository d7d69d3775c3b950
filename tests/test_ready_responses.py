"""Small files that are asked for again and again: one look serves a turn, and each client gets its own response."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client
from tests.running import Running
from tpserver.files.folder import Folder
from tpserver.handler import HTTPRequestHandler
from tpserver.http.head import Head
from tpserver.logs.access_log import AccessLog
from tpserver.protocol import HTTPProtocol, HTTPRequest, Receiver
from tpserver.site.site import Site
from tpserver.system.clock import clock

GET = b"GET /file.txt HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    file = tmp_path / "root" / "file.txt"
    file.parent.mkdir()
    file.write_bytes(b"content")
    os.utime(file, (1e9, 1e9))  # a young file is read anew each time
    return file.parent


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def protocol(root: Path, log: io.StringIO) -> Iterator[HTTPProtocol]:
    access_log = AccessLog(log.write)
    protocol = HTTPProtocol(Site(Folder(root), None), access_log=access_log)
    protocol.begin_turn()
    yield protocol
    access_log.close()


class FakeWire:
    """A connection that keeps what is written."""

    def __init__(self, client: str) -> None:
        self.client_address = client, 1
        self.data = b""
        self.keep_alive = True

    def write(self, data: bytes) -> None:
        self.data += data


class Handler(HTTPRequestHandler):
    """The usual one, which tells whether it was needed."""

    made = 0

    def setup(self) -> None:
        type(self).made += 1
        super().setup()


@pytest.fixture(autouse=True)
def no_handlers_yet() -> None:
    Handler.made = 0


@pytest.fixture
def known_head(protocol: HTTPProtocol) -> None:
    """The protocol has seen GET often enough to remember it."""
    for _ in range(2):
        received(protocol)


def received(protocol: HTTPProtocol, data: bytes = GET, client: str = "192.0.2.1") -> HTTPRequest:
    """The request that these bytes are, on a connection of its own."""
    request = protocol.receiver((client, 1)).receive(data)
    assert isinstance(request, HTTPRequest)
    return request


def respond(request: HTTPRequest, client: str = "192.0.2.1") -> bytes:
    """What the leader sends for a request that runs inline."""
    wire: Any = FakeWire(client)
    request.connection = wire
    request.arrived = clock.perf_counter()
    if not request.answer_at_once():
        assert request.runs_inline
        request.arrived = clock.perf_counter()
        server: Any = None
        Handler(request, (client, 1), server)  # type: ignore[arg-type]
    data: bytes = wire.data
    return data


@pytest.mark.usefixtures("known_head")
def test_receiving_a_request_looks_at_no_file(protocol: HTTPProtocol, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    really = protocol.site.find  # type: ignore[union-attr]

    def find(head: Head, turn: int) -> Any:
        looks.append(head.path)
        return really(head, turn)

    monkeypatch.setattr(protocol.site, "find", find)
    requests = [received(protocol) for _ in range(3)]
    assert looks == []
    assert protocol.response_counts.stats()["statuses"] == {}
    assert all(respond(request) for request in requests)
    assert looks == ["/file.txt"]


@pytest.mark.usefixtures("known_head")
def test_all_clients_of_one_turn_are_served_by_one_look(protocol: HTTPProtocol) -> None:
    first, second = received(protocol), received(protocol)
    assert respond(first) == respond(second)
    assert first.responder is second.responder
    protocol.begin_turn()
    third = received(protocol)
    assert respond(third).endswith(b"\r\n\r\ncontent")
    assert third.responder is not first.responder


def test_the_response_for_the_whole_small_file_needs_no_handler(protocol: HTTPProtocol) -> None:
    assert respond(received(protocol)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert Handler.made == 0


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Range: bytes=0-0", 206),
        (b"If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT", 304),
        (b"Connection: close", 200),
        (b"Content-Length: 0", 200),
    ],
)
def test_what_asks_for_more_gets_a_handler(protocol: HTTPProtocol, line: bytes, status: int) -> None:
    response = respond(received(protocol, GET[:-2] + line + b"\r\n\r\n"))
    assert response.startswith(b"HTTP/1.1 %d " % status)
    assert (b"\r\nConnection: close\r\n" in response) is (line == b"Connection: close")


def test_a_response_while_the_server_drains_is_the_last_on_its_connection(protocol: HTTPProtocol) -> None:
    respond(received(protocol))
    protocol.draining = True
    assert b"\r\nConnection: close\r\n" in respond(received(protocol))


def test_each_response_is_counted_and_logged(protocol: HTTPProtocol, log: io.StringIO) -> None:
    respond(received(protocol))
    respond(received(protocol), "192.0.2.2")
    assert protocol.response_counts.stats() == {"statuses": {200: 2}, "bytes": 14}
    assert protocol.access_log is not None
    protocol.access_log.close()
    assert [line.split(" ")[0] for line in log.getvalue().splitlines()] == ["192.0.2.1", "192.0.2.2"]


def test_a_refused_request_is_counted_and_logged(protocol: HTTPProtocol, log: io.StringIO) -> None:
    outcome = protocol.receiver(("192.0.2.3", 3)).receive(b"nonsense\r\n\r\n")
    assert outcome is not None
    assert outcome.kind == "refusal"
    assert protocol.response_counts.stats()["statuses"] == {400: 1}
    assert protocol.access_log is not None
    protocol.access_log.close()
    assert log.getvalue().startswith("192.0.2.3 ")


def asked(protocol: HTTPProtocol) -> Receiver:
    """A connection of another client, after a first one has asked for the file."""
    respond(received(protocol))
    return protocol.receiver(("192.0.2.2", 2))


def test_content_that_looks_like_a_request_is_content(protocol: HTTPProtocol) -> None:
    receiver = asked(protocol)
    assert receiver.receive(b"POST /file.txt HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(GET)) is None
    request = receiver.receive(GET)
    assert isinstance(request, HTTPRequest)
    assert request.head.method == "POST"
    assert request.content is not None
    assert request.content.read() == GET


def test_the_end_of_a_head_that_looks_like_a_request_is_that_end(protocol: HTTPProtocol) -> None:
    receiver = asked(protocol)
    assert receiver.receive(b"GET /none HTTP/1.1\r\nHost: h\r\nX: ") is None
    outcome = receiver.receive(GET)
    assert not isinstance(outcome, HTTPRequest) or outcome.head.path == "/none"


def test_an_empty_line_may_come_before_each_request(protocol: HTTPProtocol) -> None:
    receiver = asked(protocol)
    for _ in range(2):
        assert receiver.receive(b"\r\n") is None
        assert isinstance(receiver.receive(GET), HTTPRequest)


def test_a_turn_that_begins_while_a_relieved_leader_looks_gets_nothing_of_it(
    protocol: HTTPProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = protocol.site.find  # type: ignore[union-attr]

    def held_up(head: Head, turn: int) -> Any:
        responder = really(head, turn)
        monkeypatch.undo()
        protocol.begin_turn()  # the next leader's
        return responder

    monkeypatch.setattr(protocol.site, "find", held_up)
    assert respond(received(protocol)).endswith(b"content")
    assert protocol.found == {}


def test_a_server_that_has_stopped_keeps_no_response(start: Any, root: Path) -> None:
    running: Running = start(root=str(root))
    with Client(running) as client:
        client.send(GET)
        assert client.response().content == b"content"
    running.stop()
    assert running.server.protocol.found == {}
