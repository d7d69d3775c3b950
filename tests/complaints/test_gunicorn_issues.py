"""What users of gunicorn's threaded worker complain about, each by the number of its issue there."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests import inside
from tests.client import Client, request, several
from tests.gates import Gates
from tests.running import Start
from tests.waiting import turns, until, until_left, until_waiting


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HT",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
    ],
    ids=["nothing", "half a head", "half a content", "half a chunk"],
)
def test_2917_and_3518_silent_clients_take_no_thread(start: Start, gates: Gates, said: bytes) -> None:
    running = start(gates, threads=2)
    with several(running, 100) as silent:
        for client in silent:
            client.send(said)
        turns(running)
        with Client(running) as other:
            for number in range(10):
                assert other.ask(f"/{number}").content == f"/{number} ".encode()
        assert running.server.stats()["threads"]["busy"] == 0


def test_3518_health_checks_outlive_the_pool(start: Start, gates: Gates, tmp_path: Path) -> None:
    (tmp_path / "healthy.txt").write_text("yes")
    running = start(gates, threads=2, queue=2, root=str(tmp_path))
    with several(running, 4) as stuck, Client(running) as checker:
        for number, client in enumerate(stuck):
            client.send(request(f"/hold/{number}"))
        until_waiting(running, 2)
        for _ in range(10):
            assert checker.ask("/healthy.txt").content == b"yes"
            assert checker.ask("*", method="OPTIONS").status == 204
            assert checker.ask("/application").status == 200  # quick ones need no thread of the pool
            assert checker.ask("/hold/more").status == 503  # at once, and said
        for number in range(4):
            gates.open(str(number))


def test_2086_a_request_does_not_wait_for_ever_for_a_thread(start: Start, gates: Gates) -> None:
    running = start(gates, threads=1, queue_timeout=0.05)
    with Client(running) as first, Client(running) as second:
        first.send(request("/hold/it"))
        gates.arrived()
        assert second.ask("/waits").status == 503
        gates.open("it")
        assert first.response().status == 200
    assert "/waits" not in gates.seen


def test_2086_a_request_that_hangs_is_told_to_the_log(
    start: Start, gates: Gates, log: pytest.LogCaptureFixture
) -> None:
    running = start(gates, slow_request=0.05)
    with Client(running) as client:
        client.send(request("/hold/hangs"))
        gates.arrived()
        until(running, lambda: "/hold/hangs" in log.text)
        said = [record for record in log.records if "/hold/hangs" in record.getMessage()]
        assert said[0].levelno == logging.WARNING
        assert "gate.wait" in log.text, "the place where it hangs is not told"
        gates.open("hangs")
        assert client.response().status == 200


def test_leftover_pipelined_bytes_do_not_stall(start: Start, gates: Gates) -> None:
    """There the second request of a packet waited until a third came."""
    running = start(gates, threads=1)
    with Client(running) as client:
        client.send(request("/hold/first") + request("/second") + request("/third", method="POST", content=b"content"))
        gates.arrived()
        gates.open("first")
        assert [client.response().content for _ in range(3)] == [b"/hold/first ", b"/second ", b"/third content"]


def test_2555_how_full_it_is_can_be_asked_for(start: Start, gates: Gates) -> None:
    running = start(gates, threads=2, queue=1)
    with several(running, 4) as clients:
        for number, client in enumerate(clients[:3]):
            client.send(request(f"/hold/{number}"))
        until_waiting(running, 1)
        assert clients[3].ask("/hold/none").status == 503
        stats = running.server.stats()
        assert stats["threads"]["busy"] == stats["threads"]["limit"] == 2
        assert stats["queue"]["waiting"] == stats["queue"]["limit"] == 1
        assert sum(stats["refused"].values()) == 1
        for number in range(3):
            gates.open(str(number))


@pytest.mark.usefixtures("hard_resets")
def test_1976_and_2577_nothing_is_run_for_clients_that_have_left(
    start: Start, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside.notice_leavers_at_once(monkeypatch)
    running = start(gates, threads=1)
    with Client(running) as first:
        first.send(request("/hold/first"))
        gates.arrived()
        impatient = [Client(running) for _ in range(20)]
        for number, client in enumerate(impatient):
            client.send(request(f"/impatient/{number}"))
        until_waiting(running, 20)
        for client in impatient:
            client.reset()
        until_waiting(running, 0)
        gates.open("first")
        assert first.response().status == 200
    until_left(running, 0)
    assert gates.seen == ["/hold/first"]


def test_1659_a_body_has_a_limit(start: Start, gates: Gates) -> None:
    running = start(gates, max_body=1000)
    with Client(running) as client:
        assert client.ask("/", method="POST", content=b"x" * 1000).status == 200
        assert client.ask("/large", "Content-Length: 1001", method="POST").status == 413
    assert "/large" not in gates.seen
