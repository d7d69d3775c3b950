"""Small files that many ask for at once: one look for all of them, and each gets what it would get alone."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from running import Running, read_response

from tpserver.files.folder import Folder
from tpserver.handler import HTTPProtocol, Receiver
from tpserver.logs.access_log import AccessLog
from tpserver.sheets import Answer
from tpserver.site.site import Site

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
def protocol(root: Path, log: io.StringIO) -> Any:
    access_log = AccessLog(log)
    protocol = HTTPProtocol(Site(Folder(root), None), access_log=access_log)
    protocol.begin_turn()
    yield protocol
    access_log.close()


def asked(protocol: HTTPProtocol) -> Receiver:
    """A client that has asked for the file, so that the answer is ready for others."""
    receiver = protocol.receiver(("192.0.2.1", 1))
    assert isinstance(receiver.receive(GET), Answer)
    assert protocol.ready
    return receiver


def test_all_who_ask_in_one_turn_get_one_and_the_same_answer(protocol: HTTPProtocol) -> None:
    first = asked(protocol).receive(GET)
    assert protocol.receiver(("192.0.2.2", 2)).receive(GET) is first
    protocol.begin_turn()
    assert protocol.receiver(("192.0.2.2", 2)).receive(GET) is not first


def test_each_of_them_is_counted_and_logged(protocol: HTTPProtocol, log: io.StringIO) -> None:
    asked(protocol)
    protocol.receiver(("192.0.2.2", 2)).receive(GET)
    assert protocol.answers.figures() == {"statuses": {200: 2}, "bytes": 14}
    assert protocol.access_log is not None
    protocol.access_log.close()
    assert [line.split(" ")[0] for line in log.getvalue().splitlines()] == ["192.0.2.1", "192.0.2.2"]


def test_content_that_looks_like_a_request_is_content(protocol: HTTPProtocol) -> None:
    asked(protocol)
    receiver = protocol.receiver(("192.0.2.2", 2))
    assert receiver.receive(b"POST /file.txt HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(GET)) is None
    request = receiver.receive(GET)
    assert request.head.method == "POST"
    assert request.content.read() == GET


def test_the_end_of_a_head_that_looks_like_a_request_is_that_end(protocol: HTTPProtocol) -> None:
    asked(protocol)
    receiver = protocol.receiver(("192.0.2.2", 2))
    assert receiver.receive(b"GET /none HTTP/1.1\r\nHost: h\r\nX: ") is None
    outcome = receiver.receive(GET)
    assert outcome.kind == "refusal" or outcome.head.path == "/none"


def test_an_empty_line_may_come_before_each_request(protocol: HTTPProtocol) -> None:
    asked(protocol)
    receiver = protocol.receiver(("192.0.2.2", 2))
    for _ in range(2):
        assert receiver.receive(b"\r\n") is None
        assert isinstance(receiver.receive(GET), Answer)


def test_a_turn_that_begins_while_a_relieved_leader_looks_gets_nothing_of_it(
    protocol: HTTPProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = protocol.site.find

    def held_up(head: Any, turn: int) -> Any:
        found = really(head, turn)
        monkeypatch.undo()
        protocol.begin_turn()  # the next leader's
        return found

    monkeypatch.setattr(protocol.site, "find", held_up)
    assert isinstance(protocol.receiver().receive(GET), Answer)
    assert not protocol.found
    assert not protocol.ready


def test_a_server_that_has_stopped_keeps_no_answer(start: Any, root: Path) -> None:
    running: Running = start(root=str(root))
    with running.connect() as client, client.makefile("rb") as stream:
        client.sendall(GET)
        assert read_response(stream)[2] == b"content"
    running.stop()
    protocol = running.server.protocol
    assert (protocol.found, protocol.ready, protocol.sheets._counted) == ({}, {}, {})
