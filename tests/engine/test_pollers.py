"""Every poller gives the same answers to the same questions."""

from __future__ import annotations

import select
import selectors
import socket
import struct
import sys

import pytest

from tpserver.engine.polling import NOTHING, READ, WRITE, EpollPoller, SelectorPoller, new_poller


def of_selector(kind):
    """A SelectorPoller with a certain selector, as on another system."""

    def make(monkeypatch):
        monkeypatch.setattr(selectors, "DefaultSelector", kind)
        return SelectorPoller()

    return make


POLLERS = {
    name: of_selector(getattr(selectors, name))
    for name in ("SelectSelector", "PollSelector", "KqueueSelector", "EpollSelector")
    if hasattr(selectors, name)
}
if hasattr(select, "epoll"):
    POLLERS["epoll"] = lambda monkeypatch: EpollPoller()


@pytest.fixture(params=POLLERS)
def poller(request, monkeypatch):
    poller = POLLERS[request.param](monkeypatch)
    yield poller
    poller.close()


@pytest.fixture
def pair():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        other = socket.create_connection(listening.getsockname())
        mine, _ = listening.accept()
    mine.setblocking(False)
    with mine, other:
        yield mine, other


def polled(poller, timeout=0.0):
    """What is ready: READ and WRITE only, for each descriptor."""
    return {fd: events & (READ | WRITE) for fd, events in poller.poll(timeout)}


def test_nothing_watched_nothing_polled(poller):
    assert polled(poller) == {}


@pytest.mark.parametrize(
    ("wanted", "quiet", "talking"), [(READ, 0, READ), (WRITE, WRITE, WRITE), (READ | WRITE, WRITE, READ | WRITE)]
)
def test_only_what_is_watched_is_told(poller, pair, wanted, quiet, talking):
    mine, other = pair
    poller.watch(mine.fileno(), NOTHING, wanted)
    assert polled(poller) == ({mine.fileno(): quiet} if quiet else {})
    other.send(b"x")
    if wanted & READ and not wanted & WRITE:
        assert polled(poller, 20) == {mine.fileno(): talking}
    assert polled(poller) == {mine.fileno(): talking}
    assert polled(poller) == {mine.fileno(): talking}  # again, until it is dealt with
    mine.recv(10) if talking & READ else None
    assert polled(poller) == ({mine.fileno(): quiet} if quiet else {})


def test_what_is_watched_can_be_changed_and_ended(poller, pair):
    mine, other = pair
    fd = mine.fileno()
    other.send(b"x")
    poller.watch(fd, NOTHING, READ)
    assert polled(poller, 20) == {fd: READ}
    poller.watch(fd, READ, WRITE)
    assert polled(poller) == {fd: WRITE}
    poller.watch(fd, WRITE, NOTHING)
    assert polled(poller) == {}
    poller.watch(fd, NOTHING, READ)
    assert polled(poller) == {fd: READ}


def test_what_is_watched_already_may_be_watched_once_more(poller, pair):
    """A leader that was interrupted has done so, and could not say it."""
    mine, _ = pair
    fd = mine.fileno()
    for wanted in (READ, WRITE):
        poller.watch(fd, NOTHING, wanted)
    assert polled(poller) == {fd: WRITE}


def test_several_are_told_at_once(poller, pair):
    mine, other = pair
    poller.watch(mine.fileno(), NOTHING, READ | WRITE)
    poller.watch(other.fileno(), NOTHING, WRITE)
    assert polled(poller) == {mine.fileno(): WRITE, other.fileno(): WRITE}


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
@pytest.mark.parametrize("wanted", [READ, READ | WRITE])
def test_the_end_of_a_connection_counts_as_something_to_read(poller, pair, reset, wanted):
    mine, other = pair
    poller.watch(mine.fileno(), NOTHING, wanted)
    if reset:
        now = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
    other.close()
    while not polled(poller, 20).get(mine.fileno(), 0) & READ:
        pass


def test_a_reset_is_told_to_one_who_waits_to_write(poller, pair):
    mine, other = pair
    while True:
        try:
            mine.send(b"x" * 100_000)
        except BlockingIOError:
            break
    poller.watch(mine.fileno(), NOTHING, WRITE)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0))
    other.close()
    assert mine.fileno() in dict(poller.poll(20))


def test_the_best_one_is_taken():
    poller = new_poller()
    assert isinstance(poller, EpollPoller if hasattr(select, "epoll") else SelectorPoller)
    poller.close()


def test_select_says_that_it_cannot_take_any_number(monkeypatch):
    poller = of_selector(selectors.SelectSelector)(monkeypatch)
    assert poller.capacity is not None
    assert 100 < poller.capacity < 1024
    poller.close()
