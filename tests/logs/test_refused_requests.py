"""What an operator finds of a request that was not answered as it wished: who asked for what, and why it failed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.client import Client, exchange, request, several
from tests.gates import Gates
from tests.logs.logged_site import AGENT, POST, Site, reasons
from tests.logs.test_access_log import read
from tests.waiting import eventually, until_waiting
from tpserver.files import folder, opening
from tpserver.logs import lines

# The bytes of a request; status, cause, and the request line in both logs.
REFUSED = {
    "nonsense": (b"nonsense\r\n" + AGENT.encode() + b"\r\n\r\n", 400, "bad request", "nonsense"),
    "no host": (request("/a", AGENT, host=None), 400, "bad request", "GET /a HTTP/1.1"),
    "bad host": (request("/a", AGENT, host="a b"), 400, "bad request", "GET /a HTTP/1.1"),
    "bad field": (request("/a", AGENT, "no colon"), 400, "bad request", "GET /a HTTP/1.1"),
    "bad target": (request("/%00", AGENT), 400, "bad request", "GET /%00 HTTP/1.1"),
    "both framings": (
        request("/up", AGENT, "Content-Length: 3", "Transfer-Encoding: chunked", method="POST"),
        400, "bad request", POST,
    ),
    "bad chunk": (
        request("/up", AGENT, "Transfer-Encoding: chunked", method="POST") + b"zz\r\n", 400, "bad request", POST,
    ),
    "too large": (request("/up", AGENT, "Content-Length: 5000", method="POST"), 413, "content too large", POST),
    "expects more": (
        request("/up", AGENT, "Expect: 200-ok", "Content-Length: 3", method="POST"), 417, "expectation failed", POST,
    ),
    "many fields": (
        request("/a", AGENT, *["X: y"] * 101), 431, "request header fields too large", "GET /a HTTP/1.1",
    ),
    "large head": (
        request("/a", AGENT, "X: " + "y" * 3000), 431, "request header fields too large", "GET /a HTTP/1.1",
    ),
    "other version": (request("/a", AGENT, version="2.0"), 505, "http version not supported", "GET /a HTTP/2.0"),
    "other coding": (
        request("/up", AGENT, "Transfer-Encoding: br, chunked", method="POST"), 501, "not implemented", POST,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_request_can_be_read_in_both_logs(name: str, site: Site, log: pytest.LogCaptureFixture) -> None:
    data, status, cause, line = REFUSED[name]
    running = site.start(Gates(), max_head=2000, max_body=1000)
    assert exchange(running, data).startswith(b"HTTP/1.1 %d " % status)
    assert running.server.stats()["refused"] == {cause: 1}
    (reason,) = reasons(log)
    assert reason.startswith(f'127.0.0.1 "{line}" refused with {status}: {cause}: ')
    assert reason.endswith('(agent "probe/1.0")')
    (logged,) = map(read, site.lines())
    assert (logged["request"], logged["status"], logged["agent"]) == (line, str(status), "probe/1.0")


def test_a_request_line_that_is_too_long_is_cut(site: Site, log: pytest.LogCaptureFixture) -> None:
    running = site.start(max_head=10_000)
    assert exchange(running, request("/" + "a" * 20_000)).startswith(b"HTTP/1.1 414 ")
    assert running.server.stats()["refused"] == {"uri too long": 1}
    (reason,) = reasons(log)
    assert "refused with 414: uri too long: The request line is longer than 10000 bytes." in reason
    (logged,) = map(read, site.lines())
    assert logged["request"] == ("GET /" + "a" * 3000)[: lines.LONGEST] + "..."


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", r"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        (b"GET /\x1b[2J\" HTTP/1.1\r\n\r\n", r"GET /\x1b[2J\" HTTP/1.1"),
        (b"GET /\xe2\x80\xae HTTP/1.1\r\n\r\n", r"GET /\xe2\x80\xae HTTP/1.1"),
    ],
)  # fmt: skip
def test_what_it_sent_moves_no_terminal(data: bytes, shown: str, site: Site, log: pytest.LogCaptureFixture) -> None:
    assert exchange(site.start(), data).startswith(b"HTTP/1.1 400 ")
    (reason,) = reasons(log)
    assert f'"{shown}"' in reason
    assert [read(line)["request"] for line in site.lines()] == [shown]


def test_a_head_that_does_not_come_whole(site: Site, log: pytest.LogCaptureFixture) -> None:
    running = site.start(head_timeout=0.1)
    with Client(running) as client:
        client.send(b"GET /slow HTTP/1.1\r\n" + AGENT.encode() + b"\r\n")
        assert client.response().status == 408
    assert running.server.stats()["refused"] == {"head timeout": 1}
    (reason,) = reasons(log)
    assert reason.startswith('127.0.0.1 "GET /slow HTTP/1.1" refused with 408: head timeout: ')
    assert [read(line)["request"] for line in site.lines()] == ["GET /slow HTTP/1.1"]


@pytest.mark.parametrize("stream_body", [[], ["/up"]], ids=["collected", "streamed"])
def test_a_content_that_does_not_come_whole(stream_body: list[str], site: Site, log: pytest.LogCaptureFixture) -> None:
    running = site.start(Gates(), send_timeout=0.1, stream_body=stream_body)
    with Client(running) as client:
        client.send(request("/up", AGENT, "Content-Length: 100", method="POST") + b"x")
        assert client.response().status == 408
    assert running.server.stats()["refused"] == {"slow body": 1}
    (reason,) = reasons(log)
    assert reason.startswith(f'127.0.0.1 "{POST}" refused with 408: slow body: ')
    (logged,) = map(read, site.lines())
    assert (logged["request"], logged["agent"]) == (POST, "probe/1.0")


# -- 503 for one cause or another


def test_the_causes_of_503_are_told_apart(site: Site, gates: Gates, log: pytest.LogCaptureFixture) -> None:
    running = site.start(gates, threads=1, queue=1, drain_timeout=0)
    with several(running, 3) as (first, waits, full):
        first.send(request("/hold/first"))
        gates.arrived()
        waits.send(request("/waits"))
        until_waiting(running, 1)
        assert full.ask("/full").status == 503
        running.server.begin_shutdown()
        assert waits.response().status == 503
        gates.open("first")
        eventually(lambda: not running.thread.is_alive(), "it goes on")
    refused = running.server.stats()["refused"]
    assert {"queue full": 1, "stopping": 1}.items() <= refused.items()
    assert [re.findall('"(.*) HTTP/1.1" refused with 503: (.*?) ', one)[0] for one in reasons(log)] == [
        ("GET /full", "queue"),
        ("GET /waits", "stopping"),
    ]


@pytest.mark.usefixtures("contents_on_disk")
def test_no_room_for_a_content_is_a_cause(site: Site, gates: Gates, log: pytest.LogCaptureFixture) -> None:
    running = site.start(gates, max_spool=150_000)
    with Client(running) as first, Client(running) as second:
        first.send(request("/hold/first", method="POST", content=b"x" * 100_000))
        gates.arrived()
        second.send(request("/second", "Content-Length: 100000", method="POST"))
        assert second.response().status == 503
        gates.open("first")
        assert first.response().status == 200
    assert running.server.stats()["refused"] == {"no room for content": 1}
    (reason,) = reasons(log)
    assert '"POST /second HTTP/1.1" refused with 503: no room for content: ' in reason


def test_one_connection_too_many_is_a_cause(site: Site, log: pytest.LogCaptureFixture) -> None:
    running = site.start(max_connections=1)
    with Client(running) as first:
        assert first.ask("*", method="OPTIONS").status == 204
        with Client(running) as second:
            assert second.response().status == 503
    assert reasons(log) == ['127.0.0.1 "-" refused with 503: connection limit (agent "-")']


def test_no_descriptors_is_a_cause(
    site: Site, tmp_path: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, path: str, turn: int) -> None:
        raise opening.out_of_descriptors(OSError(24, "Too many open files"))

    running = site.start(root=str(tmp_path))
    monkeypatch.setattr(folder.Folder, "find", refuse)
    assert exchange(running, request("/a", AGENT)).startswith(b"HTTP/1.1 503 ")
    assert running.server.stats()["refused"] == {"no descriptors": 1}
    (reason,) = reasons(log)
    assert '"GET /a HTTP/1.1" refused with 503: no descriptors: The server is overloaded.' in reason


def test_a_slow_request_has_its_seconds_at_the_end_of_its_line(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with Gates() as gates, monkeypatch.context() as patch:
        running = site.start(gates)
        with Client(running) as client:
            patch.setattr(lines, "SLOW", 1e-6)
            assert client.ask("/slow", AGENT).status == 200
            patch.setattr(lines, "SLOW", 3600.0)
            assert client.ask("/quick", AGENT).status == 200
    slow, quick = site.lines()
    assert re.search(r' "probe/1\.0" \d+\.\d\d\d$', slow)
    assert read(slow.rpartition(" ")[0])["request"] == "GET /slow HTTP/1.1"
    assert quick.endswith(' "probe/1.0"')


def test_lines_of_a_server_with_virtual_hosts_begin_with_the_host(site: Site, tmp_path: Path) -> None:
    running = site.start(vhost=[f"a.example={tmp_path}", f"*.b.example={tmp_path}"], root=str(tmp_path))
    for host in ("a.example", "X.b.example:80", "[::1]:99", "other", ""):
        exchange(running, request("/", host=host))
    exchange(running, request("/", host='bad "host'))
    exchange(running, b"nonsense\r\n\r\n")
    found = [line.split(" ", 1) for line in site.lines()]
    hosts = ["a.example", "x.b.example", "[::1]", "other", "-", r"bad\x20\"host", "-"]
    assert [host for host, _ in found] == [f"{host}:{running.server.server_port}" for host in hosts]
    assert {read(rest)["host"] for _, rest in found} == {"127.0.0.1"}
