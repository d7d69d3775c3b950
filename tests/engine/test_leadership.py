"""Who leads: one thread at a time, by a term that grows by one with each promotion."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from tests.engine.line_server import Gate, LineServer, serving
from tpserver.engine.leadership import Leadership
from tpserver.engine.life import Life
from tpserver.engine.watcher import Watcher
from tpserver.transport import connections
from tpserver.transport.polling import SelectorPoller

THREAD = 77


def attending(leadership, *, runs=False):
    """The leader begins to attend to a connection, and perhaps to run a request of it."""
    connection = SimpleNamespace(detached=False)
    leadership.attention_id += 1
    leadership.current = connection
    if runs:
        assert leadership.begin(connection, SimpleNamespace(), now=5.0, patience=0.5)
    return connection


def leading():
    """One thread leads, by the first term."""
    leadership = Leadership()
    assert leadership.take(leadership.appoint(), THREAD)
    return leadership


def relieve(leadership, attention_id=None):
    """What relief returned, and what was handed on."""
    handed = []
    attention_id = leadership.attention_id if attention_id is None else attention_id
    return leadership.relieve(attention_id, lambda *what: handed.append(what)), handed


def test_only_a_leader_that_attends_can_be_relieved():
    leadership = leading()
    assert relieve(leadership) == (None, [])
    connection = attending(leadership)
    assert relieve(leadership) == (2, [(connection, None, THREAD)])
    assert connection.detached  # it is the old leader's until that one gives it back
    assert (leadership.current, leadership.thread) == (None, 0)


def test_the_request_that_a_leader_runs_is_handed_on():
    leadership = leading()
    connection = attending(leadership, runs=True)
    request = leadership.request
    assert relieve(leadership) == (2, [(connection, request, THREAD)])
    assert leadership.request is None


def test_a_request_that_begins_says_since_when_and_how_long_it_is_let_be():
    leadership = leading()
    attending(leadership, runs=True)
    assert (leadership.begun, leadership.patient_until) == (5.0, 5.5)


def test_a_leader_that_was_relieved_a_moment_ago_begins_no_request():
    """It does not know yet, and must not change what the next leader is at."""
    leadership = leading()
    connection = attending(leadership)
    relieve(leadership)
    attending(leadership, runs=True)
    request = leadership.request
    assert leadership.begin(connection, SimpleNamespace(), now=6.0, patience=9.0) is False
    assert (leadership.request, leadership.patient_until) == (request, 5.5)


def test_a_leader_is_relieved_once():
    leadership = leading()
    attending(leadership)
    assert [relieve(leadership)[0] for _ in range(3)] == [2, None, None]


def test_a_leader_that_has_gone_on_meanwhile_is_not_relieved():
    leadership = leading()
    attending(leadership)
    seen = leadership.attention_id
    connection = attending(leadership)
    assert relieve(leadership, seen) == (None, [])
    assert (leadership.term, connection.detached) == (1, False)


def test_a_leader_that_has_ended_what_it_was_at_is_not_relieved():
    leadership = leading()
    attending(leadership, runs=True)
    assert leadership.finish(1) is False
    assert (leadership.current, leadership.request) == (None, None)
    assert relieve(leadership)[0] is None


def test_a_relieved_leader_is_told_when_it_has_ended_what_it_was_at():
    leadership = leading()
    attending(leadership)
    relieve(leadership)
    assert leadership.take(2, THREAD + 1)
    current = attending(leadership)
    assert leadership.finish(1) is True
    assert leadership.current is current  # that of the new one


def test_a_term_is_taken_once():
    leadership = Leadership()
    term = leadership.appoint()
    assert [leadership.take(term, THREAD), leadership.take(term, THREAD + 1)] == [True, False]
    assert leadership.thread == THREAD


def test_a_term_that_is_over_is_not_taken():
    leadership = Leadership()
    first, second = leadership.appoint(), leadership.appoint()
    assert [leadership.take(first, THREAD), leadership.take(second, THREAD + 1)] == [False, True]


def test_a_new_appointment_ends_the_old_one():
    leadership = Leadership()
    assert [leadership.appoint() for _ in range(3)] == [1, 2, 3]
    connection = attending(leadership)
    assert leadership.appoint() == 4
    assert (leadership.current, connection.detached) == (None, False)


def test_a_leader_that_is_at_work_is_not_replaced():
    leadership = leading()
    assert leadership.replace(lambda thread, term: (thread, term) == (THREAD, 1)) is None
    assert (leadership.term, leadership.thread) == (1, THREAD)


def test_a_leader_that_is_lost_is_replaced():
    assert leading().replace(lambda *_: False) == 2


def test_a_leader_is_not_replaced_while_it_takes_its_term():
    """Two would lead at once: connections were closed under load."""
    leadership = Leadership()
    term = leadership.appoint()
    at_work = {THREAD: term}  # as it says itself, before it takes the term
    leadership.lock.acquire()
    replaced = []
    watcher = threading.Thread(
        target=lambda: replaced.append(leadership.replace(lambda thread, term: at_work.get(thread) == term))
    )
    watcher.start()
    leadership.thread = THREAD  # as `take` does, with the lock held
    leadership.lock.release()
    watcher.join()
    assert replaced == [None]


def test_when_all_ends_the_thread_that_leads_is_known():
    assert leading().close() == THREAD


def test_when_all_ends_a_thread_that_has_not_begun_to_lead_does_not_begin():
    leadership = Leadership()
    term = leadership.appoint()
    assert leadership.close() == 0
    assert not leadership.take(term, THREAD)


@pytest.mark.parametrize("step", ["hand_on", "detached", "term", "thread"])
def test_a_relief_that_was_interrupted_leaves_a_leader_that_can_be_relieved_or_replaced(step):
    class Interrupted(Leadership):
        armed = False

        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if self.armed and name == step:
                raise MemoryError

    class Fragile:
        def __setattr__(self, name, value):
            object.__setattr__(self, name, value)
            if name == step:
                raise MemoryError

    def hand_on(*_):
        if step == "hand_on":
            raise MemoryError

    leadership = Interrupted()
    leadership.take(leadership.appoint(), THREAD)
    attending(leadership)
    leadership.current = Fragile()
    leadership.armed = True
    with pytest.raises(MemoryError):
        leadership.relieve(leadership.attention_id, hand_on)
    leadership.armed = False
    leadership.current = leadership.current and SimpleNamespace(detached=False)
    replaced = leadership.finish(1)  # then no thread leads by the new term: the watcher appoints one
    assert replaced == (step in ("term", "thread"))
    attending(leadership)
    assert relieve(leadership)[0] == (3 if replaced else 2)


def test_of_many_who_would_relieve_it_one_succeeds():
    leadership = leading()
    for term in range(2, 100):
        attending(leadership)
        outcomes = []
        together = threading.Barrier(4)

        def one(outcomes=outcomes, together=together, attention_id=leadership.attention_id):
            together.wait(20)
            outcomes.append(relieve(leadership, attention_id)[0])

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(outcomes, key=bool) == [None, None, None, term]


def test_each_slow_request_is_one_promotion():
    with serving(LineServer(threads=4)) as running, Gate() as gate:
        clients = []
        try:
            for number in range(3):
                running.actions[b"hold%d" % number] = gate  # of one route only the first would run in place
                running.turns()
                before = running.server.leadership.term
                clients.append(running.client())
                clients[-1].send(b"hold%d\n" % number)
                gate.reached()
                with running.client() as other:
                    assert other.ask(b"here") == b"ereh"
                assert running.server.leadership.term >= before + 1
                assert len(running.server.tasks.running) >= number + 1
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
            assert running.server.stats()["requests"]["in_pool"] >= 2
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
        super().__init__(server.leadership, server._relieve, lambda: server.leader.turns)

    @property
    def sleeps(self):
        if Life.SERVING <= self._server.life <= Life.DRAINING:
            self.looks.append((self._server.connections.poller.fruitful, self._server.leader.turns))
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
