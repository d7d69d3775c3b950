"""Accepting: what the backlog holds, within measure, and a rest when the system has nothing to give."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys

import pytest

from tpserver.engine import server as engine
from tpserver.transport.endpoint import Endpoint
from tpserver.transport.errors import UnsuitableSocket
from tpserver.transport.listener import Listener, capacity, check_listening_socket
from tpserver.transport.polling import NOTHING, READ


class FakePoller:
    """Remembers what is watched."""

    def __init__(self):
        self.watched = {}

    def watch(self, fd, before, wanted):
        assert self.watched.get(fd, NOTHING) == before
        self.watched[fd] = wanted


class FakeSocket:
    def __init__(self, name=0):
        self.name = name
        self.closed = False

    def fileno(self):
        return 3

    def close(self):
        self.closed = True


class FakeServer:
    """Accepts what `backlog` holds: sockets, or exceptions to raise."""

    def __init__(self, *backlog):
        self.socket = FakeSocket()
        self.sockets = [self.socket]
        self.closed = self.balances = False
        self.backlog = list(backlog)
        self.unwelcome = set()

    def get_request(self):
        if not self.backlog:
            raise BlockingIOError
        first = self.backlog.pop(0)
        if isinstance(first, Exception):
            raise first
        return first, ("192.0.2.1", first.name)

    def verify_request(self, request, client_address):
        return request.name not in self.unwelcome


def listening(*backlog):
    """A listener that is watched, its server, and a look at what the poller watches."""
    server, poller = FakeServer(*backlog), FakePoller()
    listener = Listener(server, poller)
    listener.watch()
    return listener, server, lambda: poller.watched.get(3, NOTHING)


def accepted(listener):
    return [address[1] for _, address in listener.accept()]


def test_all_that_wait_are_accepted():
    listener, _, watched = listening(*map(FakeSocket, range(5)))
    assert watched() == READ
    assert accepted(listener) == [0, 1, 2, 3, 4]
    assert accepted(listener) == []
    assert watched() == READ


def test_no_more_in_one_turn_than_leaves_the_others_theirs():
    listener, server, _ = listening(*map(FakeSocket, range(1000)))
    assert 0 < len(accepted(listener)) < 500
    assert server.backlog


def test_clients_that_have_gone_already_are_passed_over():
    gone = [ConnectionAbortedError(errno.ECONNABORTED, "gone"), OSError(errno.EPROTO, "gone")]
    listener, _, watched = listening(FakeSocket(1), *gone, FakeSocket(2))
    assert accepted(listener) == [1, 2]
    assert watched() == READ


def test_a_client_that_is_not_wanted_is_closed():
    unwanted = FakeSocket(2)
    listener, server, _ = listening(FakeSocket(1), unwanted, FakeSocket(3))
    server.unwelcome.add(2)
    assert accepted(listener) == [1, 3]
    assert unwanted.closed


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_it_rests_when_the_system_has_nothing_to_give(code):
    listener, _, watched = listening(FakeSocket(1), OSError(code, "none left"), FakeSocket(2))
    assert accepted(listener) == [1]
    assert (watched(), listener.watched) == (NOTHING, False)
    listener.watch()
    assert (watched(), listener.watched) == (READ, True)
    assert accepted(listener) == [2]


def test_it_complains_once_until_it_has_worked_again(log):
    def none_left():
        return OSError(errno.EMFILE, "none left")

    listener, server, _ = listening(none_left(), none_left(), none_left(), FakeSocket(1), none_left())
    for _ in range(10):
        listener.watch()
        accepted(listener)
    assert server.backlog == []
    assert [record.levelno for record in log.records] == [logging.ERROR] * 2


@pytest.mark.parametrize("who", ["the leader", "another thread"])
def test_closed_is_closed(who):
    listener, server, watched = listening(OSError(errno.EMFILE, "none left"))
    if who == "the leader":
        assert accepted(listener) == []
        listener.close()
    server.closed = True
    listener.watch()
    assert (watched(), listener.closed) == (NOTHING, True)
    listener.close()


def test_a_client_that_leaves_while_it_is_accepted_leaves_nothing_open(monkeypatch):
    class Leaving(socket.socket):
        def setsockopt(self, *_):
            raise OSError(errno.EINVAL, "gone")  # as macOS does

    class Accepting:
        def accept(self):
            made.append(Leaving())
            return made[-1], ("192.0.2.1", 1)

    made = []
    with engine.Server(("127.0.0.1", 0), None, None) as server:
        with monkeypatch.context() as patch:
            patch.setattr(server, "socket", Accepting())
            with pytest.raises(OSError, match="gone"):
                server.get_request()
        left = made[0].fileno()
        made[0].close()
        assert left == -1


def test_many_clients_at_one_address_do_not_keep_out_those_of_another():
    class Flooded:
        def accept(self):
            return socket.socket(), ("192.0.2.1", 1)

    with engine.Server(("127.0.0.1", 0), None, None, endpoints=[Endpoint("127.0.0.1", 0)] * 2) as server:
        quiet, flooded = server.socket, server.others[0]
        server.others = [Flooded()]
        with socket.create_connection(quiet.getsockname(), timeout=20) as client:
            found = []
            for _ in range(2):
                sock, address = server.get_request()
                sock.close()
                found.append(address)
            assert client.getsockname() in found
        flooded.close()
        server.others = ()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a socket listens until all who hold it have closed it")
def test_clients_are_refused_though_a_child_of_the_application_holds_the_socket():
    with engine.Server(("127.0.0.1", 0), None, None) as server:
        held = os.dup(server.fileno())
        try:
            server.stop_listening()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(server.server_address, timeout=20).close()
        finally:
            os.close(held)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_socket_that_encrypts_is_refused_and_told_what_to_do_instead():
    import ssl

    with engine.Server(("127.0.0.1", 0), None, None) as server:
        check_listening_socket(server.socket)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with pytest.raises(UnsuitableSocket, match="tls_cert"):
            server.serve_forever()


@pytest.mark.parametrize(
    ("wanted", "poller", "files", "allowed"),
    [
        (10_000, sys.maxsize, -1, 10_000),
        (10_000, 500, -1, 500),
        (100, 500, -1, 100),
        (10_000, sys.maxsize, 1_000_000, 10_000),
        (10_000, sys.maxsize, 1024, 960),
        (10_000, 900, 1024, 900),
        (10_000, sys.maxsize, 100, 50),  # half, where the reserve would take most
        (10, sys.maxsize, 64, 10),
    ],
)
def test_how_many_connections_there_can_be(wanted, poller, files, allowed, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY if files < 0 else files, 0))
    assert capacity(wanted, poller) == allowed
