"""Who leads: one thread at a time, by a number that grows by one with each promotion."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from types import SimpleNamespace

from line_server import Gate, LineServer, serving

from tpserver.engine import connections
from tpserver.engine.leadership import Leadership
from tpserver.engine.polling import SelectorPoller
from tpserver.engine.watcher import Watcher


def attending(leadership):
    """The leader begins to attend to a connection."""
    connection = SimpleNamespace(detached=False)
    leadership.mark += 1
    leadership.attending = connection
    return connection


def test_only_a_leader_that_attends_can_be_relieved():
    leadership = Leadership()
    assert leadership.appoint() == 1
    assert leadership.relieve(leadership.mark) is None
    connection = attending(leadership)
    assert leadership.relieve(leadership.mark) == 2
    assert connection.detached  # it is the old leader's until that one gives it back
    assert leadership.attending is None


def test_a_leader_is_relieved_once():
    leadership = Leadership()
    leadership.appoint()
    attending(leadership)
    assert [leadership.relieve(leadership.mark) for _ in range(3)] == [2, None, None]


def test_a_leader_that_has_gone_on_meanwhile_is_not_relieved():
    leadership = Leadership()
    leadership.appoint()
    attending(leadership)
    seen = leadership.mark
    connection = attending(leadership)
    assert leadership.relieve(seen) is None
    assert (leadership.number, connection.detached) == (1, False)


def test_a_new_appointment_ends_the_old_one():
    leadership = Leadership()
    assert [leadership.appoint() for _ in range(3)] == [1, 2, 3]
    connection = attending(leadership)
    assert leadership.appoint() == 4
    assert (leadership.attending, connection.detached) == (None, False)


def test_of_many_who_would_relieve_it_one_succeeds():
    leadership = Leadership()
    leadership.appoint()
    for number in range(2, 100):
        attending(leadership)
        outcomes = []
        together = threading.Barrier(4)

        def relieve(outcomes=outcomes, together=together, mark=leadership.mark):
            together.wait(20)
            outcomes.append(leadership.relieve(mark))

        threads = [threading.Thread(target=relieve) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(outcomes, key=bool) == [None, None, None, number]


def test_each_slow_request_is_one_promotion():
    with serving(LineServer(threads=4)) as running, Gate() as gate:
        clients = []
        try:
            for number in range(3):
                running.actions[b"hold%d" % number] = gate  # of one route only the first would run in place
                running.turns()
                before = running.server.leadership.number
                clients.append(running.client())
                clients[-1].send(b"hold%d\n" % number)
                gate.reached()
                with running.client() as other:
                    assert other.ask(b"here") == b"ereh"
                assert running.server.leadership.number >= before + 1
                assert running.server.admission.running >= number + 1
            gate.open()
            for number, client in enumerate(clients):
                assert client.answer() == (b"hold%d" % number)[::-1]
        finally:
            for client in clients:
                client.__exit__()
        running.until_left(0)


def test_only_one_leader_is_lost_to_a_route_that_hangs():
    with serving(LineServer(threads=4)) as running, Gate() as gate:
        running.actions[b"hold"] = gate
        with ExitStack() as stack:
            clients = [stack.enter_context(running.client()) for _ in range(3)]
            clients[0].send(b"hold\n")
            gate.reached()
            with running.client() as other:
                assert other.ask(b"here") == b"ereh"
            for client in clients[1:]:
                client.send(b"hold\n")
                gate.reached()
            assert running.server.pooled >= 2
            gate.open()
            for client in clients:
                assert client.answer() == b"dloh"
        running.until_left(0)


class CountingPoller(SelectorPoller):
    """Counts the polls that brought something."""

    fruitful = 0

    def poll(self, timeout):
        events = super().poll(timeout)
        self.fruitful += bool(events)
        return events


class WatchedWatcher(Watcher):
    """Remembers, each time a leader looks whether it sleeps, how many turns there were and were counted."""

    def __init__(self, server):
        self.looks = []
        self._server = server
        super().__init__(server)

    @property
    def sleeps(self):
        if not self._server.stopped:
            self.looks.append((self._server.leader.table.poller.fruitful, self._server.leader.turns))
        return self._asleep

    @sleeps.setter
    def sleeps(self, value):
        self._asleep = value


class WatchedServer(LineServer):
    def __init__(self):
        super().__init__()
        self.watcher = WatchedWatcher(self)


def test_a_leader_has_counted_its_turn_before_it_looks_whether_the_watcher_sleeps(monkeypatch):
    """Else a watcher that goes to sleep in between sleeps through a request that hangs."""
    monkeypatch.setattr(connections, "new_poller", CountingPoller)
    with serving(WatchedServer()) as running, running.client() as client:
        for number in range(20):
            assert client.ask(b"%d" % number) == (b"%d" % number)[::-1]
        looks = running.server.watcher.looks
    assert looks
    assert [counted for _, counted in looks] == [turn for turn, _ in looks]
