"""Quick, waiting and computing requests from many clients at once, again and again relieving the leader."""

from __future__ import annotations

import threading
from time import monotonic

import pytest

from tests.engine.line_server import PATIENCE, LineServer, serving
from tpserver.engine import leader as leader_module
from tpserver.engine.life import Life
from tpserver.transport import connections
from tpserver.transport.polling import SelectorPoller, new_poller

CLIENTS = 16
REQUESTS = 200
THREADS = 4


class GuardedPoller:
    """A poller that remembers who used it without leading."""

    def __init__(self, poller):
        self._poller = poller
        self.server = None
        self.terms = threading.local()  # the term by which this thread leads
        self.intruders = []

    def __getattr__(self, name):
        return getattr(self._poller, name)  # what any thread may ask

    def _look(self, what):
        server = self.server
        leads = server is not None and Life.SERVING <= server.life <= Life.DRAINING
        if leads and self.terms.term != server.leadership.term:
            self.intruders.append((what, self.terms.term, server.leadership.term))

    def watch(self, fd, before, wanted):
        self._look("watch")
        self._poller.watch(fd, before, wanted)

    def poll(self, timeout):
        self._look("poll")
        events = self._poller.poll(timeout)
        self._look("poll")
        return events


@pytest.fixture(params=[new_poller, SelectorPoller])
def guarded(request, monkeypatch):
    """The poller of the next server, which looks who uses it."""
    guarded = GuardedPoller(request.param())
    lead = leader_module.Leader.lead

    def lead_by_term(leader, term):
        guarded.terms.term = term
        lead(leader, term)

    monkeypatch.setattr(connections, "new_poller", lambda: guarded)
    monkeypatch.setattr(leader_module.Leader, "lead", lead_by_term)
    return guarded


class Work:
    """The actions, and how many of them ran at once."""

    def __init__(self, leadership):
        self.leadership = leadership
        self.relieved = False
        self.lock = threading.Lock()
        self.never = threading.Event()
        self.running = 0
        self.most = 0
        self.done = []

    def doing(self, work):
        def act(argument):
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            work(argument)
            with self.lock:
                self.running -= 1
                self.done.append(argument)

        return act

    def wait(self, argument):
        """The first one until its leader is relieved."""
        end = monotonic() + PATIENCE
        while not self.relieved and monotonic() < end:
            self.never.wait(0.001)
            self.relieved = self.leadership.term > 1
        self.never.wait(0.002 + int(argument.rpartition(b" ")[2]) % 5 / 1000)

    def compute(self, argument):
        sum(number * number for number in range(20_000))

    def quick(self, argument):
        pass


def lines_of(which):
    """What one client asks, in what bundles."""
    lines = []
    for number in range(REQUESTS):
        kind = "wait" if number % 11 == which % 11 else "compute" if number % 13 == which % 13 else "quick"
        lines.append(b"%b %d %d" % (kind.encode(), which, number) if number % 7 else b"own %d %d" % (which, number))
    at, size = 0, 1
    while at < len(lines):
        yield lines[at : at + size]
        at, size = at + size, size % 5 + 1


def test_every_answer_is_right_and_nothing_is_left_over(guarded):
    wrong = []

    def ask(which):
        with running.client() as client:
            for lines in lines_of(which):
                client.send(b"".join(line + b"\n" for line in lines))
                for line in lines:
                    answer = client.answer()
                    if answer != line[::-1]:
                        wrong.append((line, answer))
                        return

    with serving(LineServer(threads=THREADS)) as running:
        guarded.server = running.server
        work = Work(running.server.leadership)
        for kind in (b"wait", b"compute", b"quick"):
            running.actions[kind] = work.doing(getattr(work, kind.decode()))
        first = running.server.leadership.term
        threads = [threading.Thread(target=ask, args=(which,)) for which in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a client still waits for its answer"
        assert wrong == []
        running.until_left(0)
        assert running.server.leadership.term > first, "no leader was relieved: the test tests nothing"
        held = running.server.connections
        assert not any(connection.detached for connection in held.by_fd.values())
        assert (len(held.ready), len(held.mailbox.posts)) == (0, 0)
        assert running.server.tasks.everything() == []
    assert guarded.intruders == []
    expected = sum(
        not line.startswith(b"own") for which in range(CLIENTS) for lines in lines_of(which) for line in lines
    )
    assert len(work.done) == len(set(work.done)) == expected
    # What a leader runs in place is counted when it is relieved: for a tick there may be one more.
    assert 1 < work.most <= THREADS + 1


def test_pipelining_clients_lose_nothing(guarded):
    """Each sends all that it has at once, so that the leader always knows of more requests than it has begun."""
    with serving(LineServer(threads=THREADS)) as running:
        guarded.server = running.server
        work = Work(running.server.leadership)
        for kind in (b"wait", b"compute", b"quick"):
            running.actions[kind] = work.doing(getattr(work, kind.decode()))
        clients = [running.client() for _ in range(CLIENTS)]
        try:
            asked = [[line for lines in lines_of(which) for line in lines] for which in range(CLIENTS)]
            for client, lines in zip(clients, asked, strict=True):
                client.send(b"".join(line + b"\n" for line in lines))
            for client, lines in zip(clients, asked, strict=True):
                assert [client.answer() for _ in lines] == [line[::-1] for line in lines]
        finally:
            for client in clients:
                client.__exit__()
        running.until_left(0)
    assert guarded.intruders == []
    assert work.most <= THREADS + 1  # see above
