"""More connections than the server takes, and a system that has no descriptor left for one more."""

from __future__ import annotations

import contextlib
import errno
import logging
import selectors
import socket
import sys
import threading
from types import SimpleNamespace

import pytest

from tests import inside
from tests.client import CLOSE, PATIENCE, Client, request, several
from tests.clock import Clock
from tests.gates import Gates
from tests.waiting import turns, until_left, until_waiting
from tpserver import Server
from tpserver.transport import connections


def test_one_connection_too_many_gets_503_and_those_there_are_go_on(start):
    running = start(Gates(), max_connections=2)
    with Client(running) as one, Client(running) as two:
        assert one.ask("/a").status == two.ask("/b").status == 200
        with Client(running) as third:
            response = third.response()  # without having asked
            assert (response.status, response.fields["connection"]) == (503, "close")
            assert int(response.fields["retry-after"]) > 0
            assert third.ended()
        assert one.ask("/a").status == two.ask("/b").status == 200


def test_a_connection_that_ends_makes_room(start):
    running = start(Gates(), max_connections=2)
    with Client(running) as one:
        assert one.ask("/a").status == 200
        for _ in range(10):
            with Client(running) as two:
                assert two.ask("/b", CLOSE).status == 200
                assert two.ended()
            while inside.open_connections(running.server) > 1:
                assert one.ask("*", method="OPTIONS").status == 204


def test_an_address_beyond_its_limit_takes_no_places_from_others(start, monkeypatch):
    Clock(monkeypatch)  # stands still: no client that was turned away leaves by itself
    inside.replace_addresses(monkeypatch, lambda port: "greedy" if port in greedy else "")
    greedy = set()

    def greedy_client():
        """Bound before it connects, so that the server knows it by its port."""
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE)
        greedy.add(sock.getsockname()[1])
        sock.connect(running.address)
        return sock

    running = start(Gates(), max_connections=6, max_connections_per_ip=2)
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(greedy_client()) for _ in range(30)]
        assert crowd[2].recv(12) == b"HTTP/1.1 503"  # so are all behind it, but few of them are given time to hear it
        for _ in range(10):
            with Client(running) as other:
                assert other.ask("/a", CLOSE).status == 200
                assert other.ended()
        assert inside.open_connections(running.server) <= 2 + 8 + 1
    assert running.server.stats()["refused"] == {"connection limit of one address": 28}


def beyond_capacity(monkeypatch):
    """How many sockets more than its capacity a `select` takes on Windows, where it takes 512."""
    with monkeypatch.context() as windows:
        windows.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
        windows.setattr(sys, "platform", "win32")
        poller = inside.SelectorPoller()
    poller.close()
    return 512 - poller.capacity


def small_poller(monkeypatch):
    """Has `select`'s ways, with a smaller number: it takes as many sockets as it says and a few more, and no more."""
    more = beyond_capacity(monkeypatch)

    class SmallPoller(inside.SelectorPoller):
        def __init__(self):
            super().__init__()
            self.capacity = 5

        def poll(self, timeout):
            if len(self._selector.get_map()) > self.capacity + more:
                threading.Event().wait(0.1)  # a server that tries again and again does not flood the log
                raise ValueError("too many file descriptors in select()")
            return super().poll(timeout)

    inside.use_poller(monkeypatch, SmallPoller)


def test_a_crowd_beyond_what_select_takes_does_not_end_the_server(start, monkeypatch):
    small_poller(monkeypatch)
    Clock(monkeypatch)  # stands still: no client of the crowd leaves by itself
    running = start(Gates())
    with Client(running) as client:
        assert client.ask("/a").status == 200
        with several(running, 100):
            for _ in range(3):
                assert client.ask("/b").status == 200


class NoDescriptors:
    """Makes accepting fail, as in a process that has as many files open as it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failing = threading.Event()
        self.calls = 0
        really = Server.get_request

        def get_request(server):
            if self.failing.is_set():
                self.calls += 1
                raise OSError(errno.EMFILE, "Too many open files")
            return really(server)

        monkeypatch.setattr(Server, "get_request", get_request)


def complaints(log):
    return [record for record in log.records if "cannot accept" in record.getMessage()]


def test_no_descriptor_left_is_logged_once_and_the_server_goes_on(start, monkeypatch, log):
    accepting = NoDescriptors(monkeypatch)
    running = start(Gates())
    with Client(running) as client:
        assert client.ask("/a").status == 200
        accepting.failing.set()
        with Client(running) as late:
            while accepting.calls < 3:
                assert client.ask("/b").status == 200
            accepting.failing.clear()
            assert late.ask("/late").content == b"/late "
    assert [record.levelno for record in complaints(log)] == [logging.ERROR]


def test_no_descriptor_left_does_not_make_the_server_spin(start, monkeypatch):
    clock = Clock(monkeypatch)
    accepting = NoDescriptors(monkeypatch)
    running = start(Gates())
    with Client(running) as client:
        assert client.ask("/a").status == 200
        accepting.failing.set()
        with Client(running) as late:
            while not accepting.calls:
                assert client.ask("/b").status == 200
            for _ in range(20):
                assert client.ask("/b").status == 200
            assert accepting.calls == 1  # it rests as long as its clock stands still
            accepting.failing.clear()
            clock.now += 1
            inside.wake_leader(running.server)
            assert late.ask("/late").content == b"/late "


def test_two_hundred_clients_at_once(start):
    with Gates() as gates:
        running = start(gates)
        with several(running, 200) as clients:
            for number, client in enumerate(clients):
                client.send(request(f"/hold/{number}"))
            gates.arrived(inside.threads(running.server))
            until_waiting(running, 200 - inside.threads(running.server))
            turns(running)
            for number in range(200):
                gates.open(str(number))
            for number, client in enumerate(clients):
                assert client.response().content == f"/hold/{number} ".encode()
        until_left(running, 0)
        assert gates.most == inside.threads(running.server)


@pytest.mark.parametrize("asked", [True, False])
def test_that_fewer_are_possible_is_said_to_who_asked_for_more(monkeypatch, start, log, asked):
    monkeypatch.setattr(connections, "capacity", lambda wanted, poller_capacity: 500)
    monkeypatch.setattr("tpserver.run.sys", SimpleNamespace(platform="win32"))
    start(Gates(), **({"max_connections": 501} if asked else {}))
    told = [one.getMessage() for one in log.records if one.levelno >= logging.WARNING]
    assert len(told) == asked
    assert all(line.startswith("--max-connections reduced from 501 to 500: ") for line in told)
