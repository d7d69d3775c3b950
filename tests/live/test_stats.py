"""What a server tells about itself, in the words of its users."""

from __future__ import annotations

import json

import pytest

from tests import inside
from tests.client import Client, request, several
from tests.clock import Clock
from tests.gates import Gates
from tests.waiting import until, until_left, until_waiting


def test_threads_line_and_connections_of_the_moment(start):
    with Gates() as gates:
        running = start(gates, threads=2, queue=5)
        with several(running, 4) as (one, two, three, four):
            one.send(request("/hold/one"))
            two.send(request("/hold/two"))
            gates.arrived(2)
            until(running, lambda: inside.running(running.server) == 2)
            three.send(request("/hold/three"))
            four.send(b"GET / HTTP/1.1\r\n")
            until_waiting(running, 1)
            stats = running.server.stats()
            for name in ("one", "two", "three"):
                gates.open(name)
            assert {client.response().status for client in (one, two, three)} == {200}
    assert stats["threads"] == {"limit": 2, "busy": 2, "in_place": 0}
    assert (stats["queue"]["limit"], stats["queue"]["waiting"]) == (5, 1)
    connections = stats["connections"]
    assert (connections["running"], connections["head"]) == (3, 1)
    assert connections["open"] >= 4
    assert stats["requests"]["promotions"] >= 1


def test_answers_by_status_and_their_bytes(start, tmp_path):
    (tmp_path / "file.txt").write_text("twelve bytes")
    running = start(None, root=str(tmp_path))
    with Client(running) as client:
        for _ in range(3):
            assert client.ask("/file.txt").status == 200
        assert client.ask("/none").status == 404
        client.send(b"nonsense\r\n\r\n")
        assert client.response().status == 400
    answers = running.server.stats()["answers"]
    assert answers["statuses"] == {200: 3, 400: 1, 404: 1}
    assert answers["bytes"] > 36


def test_refusals_by_cause(start):
    running = start(Gates(), head_timeout=0.1, idle_timeout=0.1)
    with Client(running) as silent, Client(running) as half, Client(running) as idle:
        half.send(b"GET /")
        assert idle.ask("/").status == 200
        assert idle.ended()
        assert half.response().status == 408
        assert silent.ended()
    until_left(running, 0)
    stats = running.server.stats()
    assert stats["refused"] == {"head timeout": 1}
    assert stats["ended"] == {"no request": 1, "idle timeout": 1}
    assert stats["answers"]["statuses"][408] == 1


def test_a_request_that_cannot_be_read_is_a_refusal_with_a_page(start, tmp_path):
    access_log = tmp_path / "access.log"
    running = start(Gates(), max_head=2000, max_body=1000, access_log=str(access_log))
    contents = 0
    for data, status in (
        (b"nonsense\r\n\r\n", 400),
        (request("/" + 2000 * "a"), 414),
        (request("/", "X: " + 2000 * "a"), 431),
        (request("/", method="POST", content=1001 * b"a"), 413),
        (request("/", version="2.0"), 505),
    ):
        with Client(running) as client:
            client.send(data)
            answer = client.response()
            assert answer.status == status
            assert client.ended()
            contents += len(answer.content)
    stats = running.server.stats()
    assert stats["answers"] == {"statuses": {400: 1, 413: 1, 414: 1, 431: 1, 505: 1}, "bytes": contents}
    assert stats["refused"] == {
        "bad request": 1,
        "uri too long": 1,
        "request header fields too large": 1,
        "content too large": 1,
        "http version not supported": 1,
    }
    running.stop()
    lengths = [int(line.split('" ')[1].split()[1]) for line in access_log.read_text().splitlines()]
    assert sum(lengths) == contents


def test_a_client_that_is_turned_away_is_in_the_figures_and_in_the_access_log(start, tmp_path):
    access_log = tmp_path / "access.log"
    with Gates() as gates:
        running = start(gates, threads=1, queue=0, max_connections=3, access_log=str(access_log))
        with Client(running) as first, Client(running) as second, Client(running) as third:
            first.send(request("/hold/it"))
            gates.arrived()
            full = second.ask("/no-room")
            assert third.ask("*", method="OPTIONS").status == 204
            with Client(running) as fourth:
                beyond = fourth.response()
            assert (full.status, beyond.status) == (503, 503)
            gates.open("it")
            held = first.response()
    stats = running.server.stats()
    assert stats["refused"] == {"queue full": 1, "connection limit": 1}
    running.stop()
    answers = running.server.stats()["answers"]
    assert answers["statuses"] == {200: 1, 204: 1, 503: 2}
    assert answers["bytes"] == len(full.content) + len(beyond.content) + len(held.content)
    lines = [line.split('"', 1)[1].split(' "-"')[0] for line in access_log.read_text().splitlines()]
    assert f'-" 503 {len(beyond.content)}' in lines
    assert f'GET /no-room HTTP/1.1" 503 {len(full.content)}' in lines


def test_a_client_that_keeps_an_answer_to_a_broken_request_waiting_is_no_slow_one(start, monkeypatch):
    clock = Clock(monkeypatch)
    running = start(Gates())
    with Client(running) as client:
        client.send(request("/", "Transfer-Encoding: chunked", method="POST"))
        clock.advance(running, 1)
        client.send(b"nonsense\r\n")
        assert client.response().status == 400
        clock.advance(running, 3)
        until_left(running, 0)
    assert running.server.stats()["refused"] == {"bad request": 1}
    assert running.server.stats()["ended"] == {}


def test_they_can_be_written_as_json_and_asked_for_before_and_after(start):
    running = start(Gates())
    with Client(running) as client:
        assert client.ask("/").status == 200
    assert json.loads(json.dumps(running.server.stats()))["threads"]["limit"] == 8
    running.stop()
    assert running.server.stats()["connections"]["open"] == 0


def test_contents_on_disk(start):
    with Gates() as gates:
        running = start(gates)
        with Client(running) as client:
            client.send(request("/hold/it", method="POST", content=b"x" * 5_000_000))
            gates.arrived()
            assert running.server.stats()["spool"]["bytes"] >= 5_000_000
            gates.open("it")
            assert client.response().status == 200
            until_left(running, 1)
    assert running.server.stats()["spool"]["bytes"] == 0


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_server_that_does_not_run_has_figures_too(start, moment):
    from tpserver import make_server

    with make_server("127.0.0.1", 0) as server:
        assert server.stats()["requests"]["handled"] == 0


def test_a_file_asked_for_with_a_content_is_answered_and_counted_once(start, tmp_path):
    (tmp_path / "file.txt").write_text("A file")
    running = start(None, root=str(tmp_path))
    with Client(running) as client:
        assert client.ask("/file.txt", content=b"of no use").content == b"A file"
        assert client.ask("/file.txt").content == b"A file"
    assert running.server.stats()["answers"]["statuses"] == {200: 2}
    assert running.server.stats()["requests"]["handled"] == 2
