"""The connections of a server, with the test as their leader."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import threading
from collections import Counter

import pytest

from tests.engine.line_server import PATIENCE, LineProtocol
from tpserver.transport.connection import CLOSED, HEAD, IDLE, LINGERING, RUNNING, SENDING
from tpserver.transport.connections import SWEEP, Connections
from tpserver.transport.errors import EngineBroken
from tpserver.transport.listener import ListeningServer
from tpserver.transport.pace import Timing
from tpserver.transport.polling import NOTHING, READ, WRITE
from tpserver.transport.states import count

NOW = 1000.0

posix = pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(select, "poll"), reason="there a socket is no descriptor"
)


class Led:
    """Connections, and what their server would have."""

    def __init__(self, listening, **options):
        self.protocol = LineProtocol()
        self.protocol.draining = False
        self.refused, self.ended = Counter(), Counter()
        self.listening = listening
        self.connections = Connections(
            self.protocol,
            listening,
            timing=Timing(),
            refused=self.refused,
            ended=self.ended,
            **{"max_connections": 10, "max_connections_per_ip": 0, "max_outbox": 1000, **options},
        )
        self.clients = contextlib.ExitStack()

    def connect(self):
        """A client that waits to be accepted."""
        return self.clients.enter_context(socket.create_connection(self.listening.server_address, timeout=PATIENCE))

    def admit(self, client=None):
        """A client, perhaps one that waits, and its connection."""
        client = client or self.connect()
        known = set(self.connections.by_fd.values())
        while not set(self.connections.by_fd.values()) - known:
            self.connections.poll()
            self.connections.accept(NOW)
        [connection] = set(self.connections.by_fd.values()) - known
        return client, connection

    def detached(self):
        """The same, while a thread runs its request."""
        client, connection = self.admit()
        connection.state, connection.detached = RUNNING, True
        return client, connection


@pytest.fixture
def led():
    with ListeningServer(("127.0.0.1", 0), None) as listening:
        led = Led(listening)
        with led.clients:
            yield led
        led.connections.close()


def test_a_new_connection_waits_for_its_first_head_and_is_ended_when_none_comes(led):
    client, connection = led.admit()
    assert (connection.state, connection.polled) == (HEAD, NOTHING)
    assert list(led.connections.ready) == [connection]  # its request may be here already
    led.connections.ready.clear()
    led.connections.settle(connection, NOW)
    assert (connection.state, connection.polled) == (HEAD, READ)
    assert count(led.connections.by_fd.values())["head"] == 1
    led.connections.sweep(NOW + Timing().head_timeout - 1)
    assert connection.state is HEAD
    led.connections.sweep(NOW + Timing().head_timeout)
    assert client.recv(10) == b""
    assert (connection.state, led.connections.by_fd, led.ended) == (CLOSED, {}, {"no request": 1})


def test_a_connection_may_be_given_back_twice(led):
    _, connection = led.detached()
    for _ in range(2):
        led.connections.mailbox.post(led.connections.take_back, connection)
    led.connections.mailbox.deliver()
    assert (connection.state, connection.detached, connection.polled) == (IDLE, False, READ)


def test_one_that_was_closed_meanwhile_is_given_back(led):
    client, connection = led.detached()
    led.connections.drop(connection)
    led.connections.take_back(connection)
    assert (connection.state, connection.detached) == (CLOSED, False)
    assert client.recv(10) == b""


def test_a_stream_is_watched_for_room_until_all_is_sent_and_only_while_it_is_detached(led):
    client, connection = led.detached()
    client.settimeout(0)
    connection.max_outbox = 100_000_000
    total = 0
    while not connection.outbox:  # Windows takes a whole piece as long as it has any room
        connection.send(b"x" * 20_000_000)
        total += 20_000_000
    led.connections.mailbox.deliver()
    assert connection.polled == WRITE
    received = 0
    while connection.polled == WRITE:
        with contextlib.suppress(BlockingIOError):
            received += len(client.recv(1_000_000))
        led.connections.send_on(connection)
    assert (connection.polled, bool(connection.outbox)) == (NOTHING, False)
    client.settimeout(PATIENCE)
    while received < total:
        received += len(client.recv(1_000_000))
    while not connection.outbox:
        connection.send(b"x" * 20_000_000)
    led.connections.take_back(connection)
    led.connections.mailbox.deliver()
    assert (connection.state, connection.polled) == (SENDING, WRITE)


def test_a_producer_that_waits_for_its_client_goes_on_when_the_server_has_stopped(led):
    _, connection = led.detached()
    raised = []

    def produce():
        try:
            while True:
                connection.send(b"x" * 1_000_000)
        except ConnectionAbortedError as error:
            raised.append(error)

    producer = threading.Thread(target=produce)
    producer.start()
    while not connection.outbox or connection.outbox.size <= connection.max_outbox:
        led.connections.poll()
    led.connections.close()
    producer.join(PATIENCE / 2)
    assert len(raised) == 1


def test_a_drain_closes_what_is_idle_and_is_over_when_the_rest_has_gone(led):
    _, idle = led.admit()
    _, busy = led.detached()
    led.protocol.draining = True
    led.connections.begin_drain(NOW)
    assert (idle.state, led.connections.drained) == (LINGERING, False)
    led.connections.take_back(busy)
    assert busy.state is LINGERING
    led.connections.drop(busy)
    assert led.connections.drained


@pytest.mark.parametrize("limit", [0, 2])
def test_an_address_has_no_more_connections_than_its_limit_until_one_ends(limit):
    with ListeningServer(("127.0.0.1", 0), None) as listening:
        led = Led(listening, max_connections_per_ip=limit)
        with led.clients:
            some = [led.admit()[1] for _ in range(4)]
            refused = [one for one in some if one.state is LINGERING]
            assert refused == (some[2:] if limit else [])
            for one in (some[0], some[0], some[3]):  # only the first has been counted, once
                led.connections.drop(one)
            assert [led.admit()[1].state for _ in range(2)] == [HEAD, LINGERING if limit else HEAD]
            led.connections.close()
            assert led.connections._address_limit._counts == {}


@posix
@pytest.mark.parametrize("detached", [True, False])
def test_a_number_that_was_closed_by_other_code_is_its_new_clients_alone(led, log, detached):
    one, old = led.admit()
    old.detached = detached
    waiting = led.connect()
    os.close(old.fd)
    other, new = led.admit(waiting)
    assert new.fd == old.fd
    assert list(led.connections.by_fd.values()) == [new]
    old.write(b"not for you")
    old.flush()
    led.connections.take_back(old)
    new.write(b"hello")
    new.flush()
    assert other.recv(100) == b"hello"
    assert one.recv(100) == b""
    assert "does not own" in log.text


@posix
@pytest.mark.parametrize("what", ["listening", "wake-up"])
def test_a_socket_that_it_cannot_do_without_is_missed_within_a_sweep_and_once(led, what):
    connections = led.connections
    fd = connections.listener.fds[0] if what == "listening" else connections.mailbox.sockets[1].fileno()
    connections.sweep(NOW)
    os.close(fd)
    taken = os.open(os.devnull, os.O_WRONLY)  # other code has the number now
    try:
        assert taken == fd
        with pytest.raises(EngineBroken, match=what):
            connections.sweep(NOW + SWEEP)
        connections.sweep(NOW + SWEEP)
        connections.mailbox.wake()
        connections.close()
        led.listening.server_close()
        os.fstat(taken)  # still open
    finally:
        os.close(taken)


@posix
def test_a_client_that_gets_the_number_of_the_wake_up_socket_is_sent_nothing(led):
    client = led.connect()
    os.close(led.connections.mailbox.sockets[1].fileno())
    with pytest.raises(EngineBroken):
        led.admit(client)
    led.connections.mailbox.wake()
    assert client.recv(10) == b""


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="the poller has no descriptor")
def test_a_poller_that_other_code_has_closed_cannot_poll(led):
    os.close(led.connections.poller._selector.fileno())
    with pytest.raises(EngineBroken):
        led.connections.poll()
