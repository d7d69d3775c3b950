"""Quick, waiting and computing requests from many clients at once, again and again relieving the leader."""

from __future__ import annotations

import threading

import pytest
from line_server import LineServer, serving

from tpserver.engine import connections
from tpserver.engine import leader as leader_module
from tpserver.engine.polling import SelectorPoller, new_poller

CLIENTS = 16
REQUESTS = 200
THREADS = 4


class GuardedPoller:
    """A poller that remembers who used it without leading."""

    def __init__(self, poller):
        self._poller = poller
        self.server = None
        self.ranks = threading.local()  # the number by which this thread leads
        self.intruders = []

    def __getattr__(self, name):
        return getattr(self._poller, name)  # what any thread may ask

    def _look(self, what):
        server = self.server
        if server is not None and not server.stopped and self.ranks.number != server.leadership.number:
            self.intruders.append((what, self.ranks.number, server.leadership.number))

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

    def lead_by_number(leader, number):
        guarded.ranks.number = number
        guarded.server = leader._server
        lead(leader, number)

    monkeypatch.setattr(connections, "new_poller", lambda: guarded)
    monkeypatch.setattr(leader_module.Leader, "lead", lead_by_number)
    return guarded


class Work:
    """The actions, and how many of them ran at once."""

    def __init__(self):
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
    work = Work()
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
        for kind in (b"wait", b"compute", b"quick"):
            running.actions[kind] = work.doing(getattr(work, kind.decode()))
        first = running.server.leadership.number
        threads = [threading.Thread(target=ask, args=(which,)) for which in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a client still waits for its answer"
        assert wrong == []
        running.until_left(0)
        assert running.server.leadership.number > first, "nobody was relieved: the test tests nothing"
        leader = running.server.leader
        assert not any(connection.detached for connection in leader.table.by_fd.values())
        assert (len(leader.table.ready), len(leader.table.mailbox.posts)) == (0, 0)
    assert guarded.intruders == []
    expected = sum(
        not line.startswith(b"own") for which in range(CLIENTS) for lines in lines_of(which) for line in lines
    )
    assert len(work.done) == len(set(work.done)) == expected
    # What a leader runs in place is counted when it is relieved: for a tick there may be one more.
    assert 1 < work.most <= THREADS + 1


def test_pipelining_clients_lose_nothing(guarded):
    """Each sends all that it has at once, so that the leader always knows of more requests than it has begun."""
    work = Work()
    with serving(LineServer(threads=THREADS)) as running:
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
