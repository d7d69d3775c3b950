"""Requests of the application share its threads: how many run at once, who is next, and who need not wait."""

from __future__ import annotations

import contextlib

import pytest

from tests import inside
from tests.client import CLOSE, Client, request, several
from tests.waiting import turns, until, until_left, until_waiting


@pytest.fixture
def clients():
    """Closes, in the end, the clients of this test."""
    with contextlib.ExitStack() as stack:
        yield stack.enter_context


@pytest.fixture
def hold(clients, gates):
    """One client for each name, whose request runs and waits at its gate."""

    def hold_all(running, *names):
        held = []
        for name in names:
            held.append(clients(Client(running)))
            held[-1].send(request(f"/hold/{name}"))
            assert gates.arrived() == [name]
        return held

    return hold_all


@pytest.fixture
def line_up(clients):
    """One client for each name, whose request waits for a thread, in this order."""

    def line_up_all(running, *names):
        waiting = []
        for count, name in enumerate(names, inside.waiting(running.server) + 1):
            waiting.append(clients(Client(running)))
            waiting[-1].send(request(f"/hold/{name}"))
            until_waiting(running, count)
        return waiting

    return line_up_all


def test_a_slow_request_does_not_hold_up_quick_ones(start, gates, hold):
    running = start(gates)
    (slow,) = hold(running, "slow")
    with Client(running) as quick:
        for number in range(100):
            assert quick.ask(f"/{number}").content == f"/{number} ".encode()
        gates.open("slow")
        assert slow.response().content == b"/hold/slow "


def test_no_more_run_at_once_than_there_are_threads(start, gates):
    running = start(gates, threads=3)
    with several(running, 40) as clients:
        for number, client in enumerate(clients):
            client.send(request(f"/hold/{number}"))
        held = gates.arrived(3)
        for _ in range(len(clients) - 3):
            turns(running)
            assert gates.running == 3
            gates.open(held.pop())
            held += gates.arrived()
        for name in held:
            gates.open(name)
        for number, client in enumerate(clients):
            assert client.response().content == f"/hold/{number} ".encode()
    assert gates.most == 3
    until_left(running, 0)


def test_those_that_wait_are_served_in_order(start, gates, hold, line_up):
    running = start(gates, threads=1)
    clients = hold(running, "a") + line_up(running, "b", "c", "d", "e")
    for client, name in zip(clients, "abcde", strict=True):
        gates.open(name)
        assert client.response().content == f"/hold/{name} ".encode()
    assert gates.seen == [f"/hold/{name}" for name in "abcde"]


def test_a_full_queue_gets_503_at_once_and_keeps_the_connection(start, gates, hold, line_up):
    running = start(gates, threads=1, queue=1)
    first, second = hold(running, "a") + line_up(running, "b")
    with Client(running) as third:
        for _ in range(3):  # the answers come while the others are still held
            response = third.ask("/hold/c")
            assert response.status == 503
            assert int(response.fields["retry-after"]) > 0
            assert "connection" not in response.fields
        assert third.ask("/hold/c", method="HEAD").status == 503
        assert third.ask("/hold/c", method="POST", content=b"content").status == 503
        gates.open("a")
        gates.open("b")
        assert first.response().status == second.response().status == 200
        until(running, lambda: inside.running(running.server) == 0)
        assert third.ask("/d").content == b"/d "
    assert "/hold/c" not in gates.seen


def test_a_full_queue_closes_where_the_client_wants_it_so(start, gates, hold):
    running = start(gates, threads=1, queue=0)
    hold(running, "a")
    with Client(running) as second, Client(running) as third:
        assert second.ask("/b", CLOSE).status == 503
        assert second.ended()
        assert third.ask("/c", version="1.0").status == 503
        assert third.ended()


@pytest.mark.parametrize("threads", [1, 4])
def test_files_and_own_pages_are_served_while_every_thread_hangs(start, gates, hold, line_up, tmp_path, threads):
    (tmp_path / "page.html").write_text("A page")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_text("Another")
    (tmp_path / "large.bin").write_bytes(b"x" * 4_000_000)
    running = start(gates, root=str(tmp_path), threads=threads)
    hold(running, *map(str, range(threads)))
    line_up(running, "waiting")
    with Client(running) as client:
        for _ in range(20):
            assert client.ask("/page.html").content == b"A page"
            assert client.ask("/folder/").content == b"Another"
            assert client.ask("/folder").status == 301
            assert client.ask("/page.html", "Range: bytes=0-0").status in (200, 206)
            assert client.ask("/large.bin").content == b"x" * 4_000_000
            assert client.ask("*", method="OPTIONS").status == 204
        client.send(b"nonsense\r\n\r\n")
        assert client.response().status == 400


def test_not_found_pages_are_served_at_once_without_an_application(start, tmp_path):
    with Client(start(None, root=str(tmp_path))) as client:
        for number in range(100):
            assert client.ask(f"/{number}").status == 404


def test_content_of_a_request_that_waits_is_its_own(start, gates, hold):
    running = start(gates, threads=1)
    hold(running, "a")
    with several(running, 10) as clients:
        for number, client in enumerate(clients):
            client.send(request(f"/{number}", method="POST", content=b"%d" % number * 50_000))
        until_waiting(running, len(clients))
        gates.open("a")
        for number, client in enumerate(clients):
            assert client.response().content == b"/%d " % number + b"%d" % number * 50_000


def test_requests_behind_one_that_waits_come_in_order(start, gates, hold):
    running = start(gates, threads=1)
    hold(running, "a")
    with Client(running) as client:
        client.send(request("/1") + request("/2"))
        until_waiting(running, 1)
        client.send(request("/3"))
        turns(running)
        gates.open("a")
        assert [client.response().content for _ in range(3)] == [b"/1 ", b"/2 ", b"/3 "]


@pytest.fixture
def known_as_slow(start, gates, hold, monkeypatch):
    """A server with two threads that has learnt that /hold/slow/... waits, and has just answered a quick request."""
    inside.take_short_waits_for_long(monkeypatch)
    running = start(gates, threads=2)
    for number in range(20):
        (client,) = hold(running, f"slow/{number}")
        turns(running)  # another thread leads by now
        gates.open(f"slow/{number}")
        assert client.response().status == 200
    with Client(running) as client:
        assert client.ask("/quick").status == 200
    return running


def test_slow_requests_leave_a_thread_to_brief_ones_and_quick_ones_need_none(known_as_slow, gates, hold, line_up):
    running = known_as_slow
    inside.keep_thread_for_brief_ones(running.server)
    with Client(running) as quick:
        assert quick.ask("/quick").status == 200
        first, second = hold(running, "slow/a") + line_up(running, "slow/b")
        for number in range(50):
            assert quick.ask(f"/{number}").status == 200
        assert gates.most == 2
        gates.open("slow/a")
        assert gates.arrived() == ["slow/b"]
        gates.open("slow/b")
        assert first.response().status == second.response().status == 200


def test_slow_requests_get_all_threads_where_no_brief_one_comes(known_as_slow, hold):
    hold(known_as_slow, "slow/a", "slow/b")  # the second arrives while the first goes on
