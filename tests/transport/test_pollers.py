"""Every poller gives the same answers to the same questions."""

from __future__ import annotations

import select
import selectors
import socket
import sys

import pytest

from tests.client import RESET
from tpserver.transport.polling import NOTHING, READ, WRITE, EpollPoller, SelectorPoller, new_poller, wait_for


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
    quiet, other = socket.socketpair()
    with quiet, other:
        # As the server does: it always watches what wakes it. (select() of Windows refuses to wait for nothing.)
        poller.watch(quiet.fileno(), NOTHING, READ)
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
    """The descriptors that are ready."""
    return {fd for fd, _ in poller.poll(timeout)}


def test_nothing_watched_nothing_polled(poller):
    assert polled(poller) == set()


@pytest.mark.parametrize("wanted", [READ, WRITE])
def test_only_what_is_watched_is_told(poller, pair, wanted):
    mine, other = pair
    poller.watch(mine.fileno(), NOTHING, wanted)
    quiet = {mine.fileno()} if wanted == WRITE else set()
    assert polled(poller) == quiet
    other.send(b"x")
    for _ in range(3):  # again, until it is dealt with
        assert polled(poller, 20) == {mine.fileno()}
    mine.recv(10)
    assert polled(poller) == quiet


def test_what_is_watched_can_be_changed_and_ended(poller, pair):
    mine, other = pair
    fd = mine.fileno()
    other.send(b"x")
    poller.watch(fd, NOTHING, READ)
    assert polled(poller, 20) == {fd}
    mine.recv(10)
    assert polled(poller) == set()
    poller.watch(fd, READ, WRITE)
    assert polled(poller) == {fd}
    poller.watch(fd, WRITE, NOTHING)
    assert polled(poller) == set()
    other.send(b"x")
    poller.watch(fd, NOTHING, READ)
    assert polled(poller, 20) == {fd}


def test_what_is_watched_already_may_be_watched_once_more(poller, pair):
    """A leader that was interrupted has done so, and could not say it."""
    mine, _ = pair
    fd = mine.fileno()
    for wanted in (READ, WRITE):
        poller.watch(fd, NOTHING, wanted)
    assert polled(poller) == {fd}


def test_several_are_told_at_once(poller, pair):
    mine, other = pair
    poller.watch(mine.fileno(), NOTHING, WRITE)
    poller.watch(other.fileno(), NOTHING, WRITE)
    assert polled(poller) == {mine.fileno(), other.fileno()}


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
def test_the_end_of_a_connection_counts_as_something_to_read(poller, pair, reset):
    mine, other = pair
    poller.watch(mine.fileno(), NOTHING, READ)
    if reset:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    other.close()
    assert polled(poller, 20) == {mine.fileno()}


@pytest.mark.skipif(
    sys.platform == "win32", reason="select() of Windows tells it to who waits to read; wine 8 tells both"
)
def test_a_reset_is_told_to_one_who_waits_to_write(poller, pair):
    mine, other = pair
    while True:
        try:
            mine.send(b"x" * 100_000)
        except BlockingIOError:
            break
    poller.watch(mine.fileno(), NOTHING, WRITE)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    other.close()
    assert polled(poller, 20) == {mine.fileno()}


def test_the_best_one_is_taken():
    poller = new_poller()
    assert isinstance(poller, EpollPoller if hasattr(select, "epoll") else SelectorPoller)
    poller.close()


def test_select_says_that_it_cannot_take_any_number(monkeypatch):
    poller = of_selector(selectors.SelectSelector)(monkeypatch)
    assert 100 < poller.capacity < 1024
    poller.close()


@pytest.mark.parametrize("wanted", [READ, WRITE])
def test_one_socket_is_waited_for(pair, wanted):
    mine, other = pair
    assert wait_for(mine, wanted, 0) is (wanted == WRITE)
    other.send(b"x")
    assert wait_for(mine, wanted, 20)
    mine.close()
    assert wait_for(mine, wanted, 20)  # the next call says so


def test_one_that_another_thread_closes_meanwhile_is_ready(pair, monkeypatch):
    mine, _ = pair

    class OfWindows(selectors.SelectSelector):
        def select(self, timeout=None):
            mine.close()
            raise OSError(10038, "not a socket")

    monkeypatch.setattr(selectors, "PollSelector", OfWindows, raising=False)
    assert wait_for(mine, WRITE, 20)
