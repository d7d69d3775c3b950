"""A leader is relieved in the middle of something: whatever it was, the connection goes on where it was."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from tests.engine.line_server import LONGEST, PATIENCE, Gate, LineServer, serving
from tpserver.system.clock import clock

LARGE = b"x" * 8_000_000  # more than the kernel keeps for a connection


class Hold:
    """Stops the thread that uses a socket in a certain way, once, until it is told to go on."""

    def __init__(self) -> None:
        self.operation = ""
        self._reached = threading.Event()
        self._go_on = threading.Event()

    def at(self, operation: str) -> None:
        self._reached.clear()
        self._go_on.clear()
        self.operation = operation

    def pass_by(self, operation: str) -> None:
        if self.operation == operation:
            self.operation = ""
            self._reached.set()
            self._go_on.wait(PATIENCE)

    def reached(self) -> None:
        assert self._reached.wait(PATIENCE)

    def go_on(self) -> None:
        self._go_on.set()


class HeldSocket(socket.socket):
    """A socket whose operations can be held."""

    hold: Hold

    def recv(self, *args):
        self.hold.pass_by("recv")
        return super().recv(*args)

    def send(self, *args):
        self.hold.pass_by("send")
        return super().send(*args)

    if hasattr(socket.socket, "sendmsg"):

        def sendmsg(self, *args):
            self.hold.pass_by("sendmsg")
            return super().sendmsg(*args)


@pytest.fixture
def hold():
    hold = Hold()
    yield hold
    hold.go_on()


@pytest.fixture
def running(hold, monkeypatch):
    """A line server whose clock stands still, so that nothing ends by itself; its first connection can be held."""
    monkeypatch.setattr(clock, "monotonic", lambda: 1000.0)
    taken = []

    def wrap(sock):
        if taken:
            return sock
        held = HeldSocket(fileno=sock.detach())
        held.setblocking(False)
        held.hold = hold
        taken.append(held)
        return held

    with serving(LineServer(wrap, threads=2)) as running:
        yield running
        hold.go_on()


@pytest.fixture
def client(running):
    """The one whose connection can be held."""
    with running.client() as client:
        assert client.ask(b"first") == b"tsrif"
        yield client


@pytest.fixture
def held(running, client):
    """The server's side of it."""
    return next(iter(running.server.connections.by_fd.values()))


def another_thread_leads(running):
    """The old leader has been relieved, and the new one has seen what has come on the held connection."""
    running.turns(3)


def test_while_it_receives_a_line(running, client, hold):
    hold.at("recv")
    client.send(b"line\n")
    hold.reached()
    another_thread_leads(running)
    hold.go_on()
    assert client.answer() == b"enil"
    assert client.ask(b"next") == b"txen"


def test_while_it_receives_half_a_line(running, client, hold):
    hold.at("recv")
    client.send(b"half ")
    hold.reached()
    another_thread_leads(running)
    hold.go_on()
    running.turns()
    client.send(b"line\n")
    assert client.answer() == b"enil flah"


def test_while_it_receives_several_lines(running, client, hold):
    hold.at("recv")
    client.send(b"one\ntwo\nthree\n")
    hold.reached()
    another_thread_leads(running)
    hold.go_on()
    assert [client.answer() for _ in range(3)] == [b"eno", b"owt", b"eerht"]


@pytest.mark.skipif(not hasattr(socket.socket, "sendmsg"), reason="this system has no sendmsg")
def test_while_it_sends_what_a_slow_client_has_left(running, client, held, hold):
    def large(argument):
        held.write(LARGE)
        held.write(LARGE)

    running.actions[b"large"] = large
    client.send(b"large\nnext\n")
    running.turns()
    hold.at("sendmsg")
    expected = LARGE + LARGE + b"egral\ntxen\n"
    received = bytearray()
    client.sock.settimeout(0)
    while not hold._reached.is_set():  # what is there, without waiting: the server may be held by now
        with contextlib.suppress(BlockingIOError):
            received += client.sock.recv(100_000)
    client.sock.settimeout(PATIENCE)
    another_thread_leads(running)
    hold.go_on()
    received += client.stream.read(len(expected) - len(received))
    assert received == expected
    assert client.ask(b"again") == b"niaga"


def test_answers_that_were_held_back_are_sent_by_the_next_leader(running, client, hold):
    with running.client() as other:
        assert other.ask(b"one") == b"eno"

        def poke(argument):  # polled together: the other's line is answered, then the held one keeps the leader
            other.send(b"line\n")
            client.send(b"half ")
            hold.at("recv")

        running.actions[b"poke"] = poke
        with running.client() as third:
            third.send(b"poke\n")
            hold.reached()
            assert third.answer() == b"ekop"
            assert other.answer() == b"enil"
            hold.go_on()
    client.send(b"line\n")
    assert client.answer() == b"enil flah"


def test_while_it_waits_for_a_refused_client_to_close(running, client, held, hold):
    client.send(b"x" * (LONGEST + 1) + b"\n")
    assert [client.answer(), client.answer()] == [b"too long", b""]
    hold.at("recv")
    client.send(b"more")
    hold.reached()
    another_thread_leads(running)
    hold.go_on()
    running.until(lambda: not held.detached)
    client.sock.shutdown(socket.SHUT_WR)
    running.until_left(0)  # the server has seen the end


def test_while_a_client_goes_away(running, client, hold):
    hold.at("recv")
    client.sock.shutdown(socket.SHUT_WR)
    hold.reached()
    another_thread_leads(running)
    hold.go_on()
    assert client.answer() == b""
    running.until_left(0)


def test_while_others_have_their_next_lines_ready(running, client, hold):
    with running.client() as other:

        def poke(argument):
            hold.at("recv")
            client.send(b"line\n")  # polled with the other's next lines

        running.actions[b"poke"] = poke
        other.send(b"poke\n" + b"".join(b"%d\n" % number for number in range(100)))
        assert other.answer() == b"ekop"
        for number in range(100):
            assert other.answer() == (b"%d" % number)[::-1]
        hold.reached()
    hold.go_on()
    assert client.answer() == b"enil"


def test_one_that_is_about_to_come_back_when_the_server_stops_does_not_leave_its_sockets_open(monkeypatch, caplog):
    gate = Gate()
    with serving(LineServer(threads=2)) as running:
        server = running.server
        remove = server.tasks.remove

        def late(task):
            # As long as the server takes to stop where it does not wait for this.
            if server._stopped.acquire(timeout=0.3):
                server._stopped.release()
            return remove(task)

        monkeypatch.setattr(server.tasks, "remove", late)
        running.actions[b"own"] = lambda argument: gate() if argument == b"hold" else None
        with running.client() as client:
            client.send(b"own hold\n")
            gate.reached()
            running.until(lambda: server.tasks.detours)
            gate.open()
            assert client.answer() == b"dloh nwo"
        server.shutdown()
    assert server.connections.mailbox._sending.fileno() == -1
    assert "left behind" not in caplog.text
