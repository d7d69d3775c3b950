"""Another protocol on the engine: it knows no HTTP, and everything that it does for HTTP it does for any."""

from __future__ import annotations

import logging

import pytest

from tests import inside
from tests.engine.line_server import LONGEST, Gate, LineServer, serving
from tpserver.engine import admission
from tpserver.transport import connections
from tpserver.transport.pace import Timing
from tpserver.transport.polling import SelectorPoller


@pytest.fixture
def running():
    with serving(LineServer(threads=2, queue=1)) as running:
        yield running


def test_each_line_is_answered(running):
    with running.client() as client:
        assert client.ask(b"hello") == b"olleh"
        assert client.ask(b"") == b""
        assert client.ask(b"own line") == b"enil nwo"


def test_a_thousand_lines_in_one_packet(running):
    with running.client() as client:
        client.send(b"".join(b"line %d\n" % number for number in range(1000)))
        for number in range(1000):
            assert client.answer() == (b"line %d" % number)[::-1]


def test_lines_in_pieces(running):
    with running.client() as client:
        for piece in (b"a", b"bc", b"\nde", b"f\ng"):
            client.send(piece)
            running.turns()
        client.send(b"\n")
        assert [client.answer() for _ in range(3)] == [b"cba", b"fed", b"g"]


def test_nothing_is_read_behind_a_refusal(running):
    with running.client() as client:
        client.send(b"fine\n" + b"x" * (LONGEST + 1) + b"\nsmuggled\n")
        assert [client.answer() for _ in range(3)] == [b"enif", b"too long", b""]


def test_interim_answers_are_sent_in_between(running):
    with running.client() as client:
        client.send(b"?may I\n?really\nyes\n")
        assert [client.answer() for _ in range(3)] == [b"go on", b"go on", b"sey"]


def test_slow_lines_do_not_hold_up_quick_ones_and_too_many_are_told(running, monkeypatch):
    monkeypatch.setattr(admission, "_KEPT_FOR", 0.0)  # no thread is kept for the next brief one
    with Gate() as gate:
        running.actions[b"hold"] = gate
        with running.client() as a, running.client() as b, running.client() as c, running.client() as d:
            a.send(b"hold a\n")
            gate.reached()
            assert d.ask(b"quick") == b"kciuq"
            b.send(b"hold b\n")
            gate.reached()
            c.send(b"hold c\n")
            running.until(lambda: running.server.tasks.waiting == 1)
            assert d.ask(b"hold d") == b"busy"
            assert d.ask(b"own") == b"nwo"
            gate.open()
            assert [client.answer() for client in (a, b, c)] == [b"a dloh", b"b dloh", b"c dloh"]
        running.until_left(0)


def failing(argument):
    raise ZeroDivisionError("a fault of the handler's")


@pytest.mark.parametrize("line", [b"fail\n", b"own fail\n", b"fault\n"], ids=["handler", "in place", "receiver"])
def test_a_fault_costs_its_own_connection_and_a_line_in_the_log(running, log, line):
    running.actions.update({b"fail": failing, b"own": lambda argument: failing(argument) if argument == b"fail" else 0})
    with running.client() as other, running.client() as client:
        assert other.ask(b"before") == b"erofeb"
        client.send(line)
        assert client.answer() == b""
        assert other.ask(b"after") == b"retfa"
    running.until_left(0)
    faults = [record for record in log.records if record.levelno >= logging.ERROR]
    assert len(faults) == 1
    assert faults[0].exc_info[0] is ZeroDivisionError


def test_a_fault_in_the_pool_costs_its_own_connection(running, log):
    with Gate() as gate:

        def hold_and_fail(argument):
            gate()
            raise ZeroDivisionError

        running.actions[b"hold"] = hold_and_fail
        with running.client() as client, running.client() as other:
            client.send(b"hold\n")
            gate.reached()
            assert other.ask(b"before") == b"erofeb"  # by another leader
            gate.open()
            assert client.answer() == b""
            assert other.ask(b"after") == b"retfa"
        running.until_left(0)
    assert "internal error" in log.text


class StumblingPoller(SelectorPoller):
    """Fails once, when something has come."""

    stumbled = False

    def poll(self, timeout):
        events = super().poll(timeout)
        if events and not self.stumbled:
            self.stumbled = True
            raise RuntimeError("a fault of ours")
        return events


def test_a_fault_of_the_leader_makes_another_one_lead(monkeypatch, log):
    monkeypatch.setattr(connections, "new_poller", StumblingPoller)
    with serving(LineServer()) as running, running.client() as client:
        assert client.ask(b"line") == b"enil"
    assert [record.levelno for record in log.records if record.exc_info] == [logging.ERROR]


def test_one_connection_too_many_is_told():
    with (
        serving(LineServer(max_connections=2)) as running,
        running.client() as one,
        running.client() as two,
        running.client() as three,
    ):
        assert one.ask(b"a") == b"a"
        assert two.ask(b"b") == b"b"
        assert [three.answer(), three.answer()] == [b"full", b""]


def test_half_a_line_is_told_that_it_is_late():
    server = LineServer(timing=Timing(head_timeout=0.2, idle_timeout=0.2))
    with serving(server) as running, running.client() as half, running.client() as silent:
        half.send(b"half")
        assert [half.answer(), half.answer()] == [b"too late", b""]
        assert silent.answer() == b""


def test_receivers_are_closed_with_their_connections(running):
    with running.client() as client:
        assert client.ask(b"a") == b"a"
        assert not running.server.protocol.receivers[-1].closed
    running.until_left(0)
    assert all(receiver.closed for receiver in running.server.protocol.receivers[:-1])


def test_a_relieved_leader_that_is_about_to_come_back_is_not_left_behind(monkeypatch, log):
    with Gate() as gate, serving(LineServer()) as running:
        server = running.server
        running.actions[b"own"] = lambda argument: gate() if argument == b"hold" else None
        with running.client() as client, running.client() as other:
            client.send(b"own hold\n")
            gate.reached()
            assert other.ask(b"own") == b"nwo"  # by another leader
            end = server._dispatch.end_relieved

            def late():  # as long as the server takes to stop, where it does not wait for this
                inside.wait_for_end(server, 0.3)
                end()

            monkeypatch.setattr(server._dispatch, "end_relieved", late)
            gate.open()
            assert client.answer() == b"dloh nwo"
    assert "left behind" not in log.text
