"""Lines that come together are answered in one turn, and their answers leave in one send."""

from __future__ import annotations

import socket

import pytest

from tests.engine.line_server import LONGEST, Gate, LineServer, serving
from tpserver.engine.leader import _PIPELINED


class CountedSocket(socket.socket):
    """Remembers how much each call was given to send."""

    sizes: list[int]

    def send(self, data, *flags):
        self.sizes.append(len(data))
        return super().send(data, *flags)

    def sendmsg(self, buffers, *more):
        self.sizes.append(sum(map(len, buffers)))
        return super().sendmsg(buffers, *more)


def lines(count):
    return [b"own %02d" % number for number in range(count)]


def packet(asked):
    return b"".join(line + b"\n" for line in asked)


def answers(client, asked):
    return [client.answer() for _ in asked] == [line[::-1] for line in asked]


@pytest.mark.skipif(not hasattr(socket.socket, "sendmsg"), reason="this system has no sendmsg")
@pytest.mark.parametrize("count", [1, 2, _PIPELINED, _PIPELINED + 1, 3 * _PIPELINED])
def test_answers_leave_in_one_send_for_each_turn(count):
    sizes = []

    def wrap(sock):
        counted = CountedSocket(fileno=sock.detach())
        counted.setblocking(False)
        counted.sizes = sizes
        return counted

    with serving(LineServer(wrap)) as running, running.client() as client:
        client.send(packet(lines(count)))
        assert answers(client, lines(count))
        length = len(packet(lines(1)))
        full, rest = divmod(count, _PIPELINED)
        assert sizes == [_PIPELINED * length] * full + [rest * length] * (rest > 0)


def test_another_client_waits_for_one_turn_only():
    with serving(LineServer()) as running, running.client() as other, running.client() as client:
        assert other.ask(b"own before") == b"erofeb nwo"
        order = []

        def act(argument):
            order.append(argument)
            if argument == b"00":
                other.send(b"own other\n")

        running.actions[b"own"] = act
        client.send(packet(lines(3 * _PIPELINED)))
        assert answers(client, lines(3 * _PIPELINED))
        assert other.answer() == b"rehto nwo"
        assert order.index(b"other") == _PIPELINED


@pytest.mark.parametrize("options", [{}, {"in_place": False}], ids=["in place", "in the pool"])
@pytest.mark.parametrize("last", [b"hold", b"own hold"])
def test_answers_are_not_held_back_by_a_line_behind_them_that_hangs(options, last):
    with Gate() as gate, serving(LineServer(**options)) as running, running.client() as client:
        running.actions[b"hold"] = gate
        running.actions[b"own"] = lambda argument: gate() if argument == b"hold" else None
        client.send(packet([*lines(5), last, *lines(5)]))
        assert answers(client, lines(5))
        gate.reached()
        gate.open()
        assert answers(client, [last, *lines(5)])
        running.until_left(1)


def test_answers_are_not_held_back_by_a_line_that_waits_or_is_refused():
    with Gate() as gate, serving(LineServer(threads=1, queue=1)) as running:
        running.actions[b"hold"] = gate
        with running.client() as first, running.client() as waits, running.client() as refused:
            first.send(b"hold\n")
            gate.reached()
            waits.send(packet([*lines(3), b"line"]))
            assert answers(waits, lines(3))
            running.until(lambda: running.server.tasks.waiting == 1)
            refused.send(packet([*lines(3), b"line"]))
            assert answers(refused, lines(3))
            assert refused.answer() == b"busy"
            gate.open()
            assert waits.answer() == b"enil"


def test_answers_before_a_refusal_are_sent_before_it():
    with serving(LineServer()) as running, running.client() as client:
        client.send(packet(lines(5)) + b"x" * (LONGEST + 1) + b"\nown more\n")
        assert answers(client, lines(5))
        assert [client.answer(), client.answer()] == [b"too long", b""]


def test_lines_may_be_cut_anywhere():
    data = b"own a\nb\n?may I\nc\nown d\n"
    with serving(LineServer()) as running:
        for cut in range(1, len(data)):
            with running.client() as client:
                client.send(data[:cut])
                running.turns()
                client.send(data[cut:])
                said = [client.answer() for _ in range(5)]
                assert said == [b"a nwo", b"b", b"go on", b"c", b"d nwo"], f"cut behind {data[:cut]!r}"


def test_a_client_that_goes_away_between_its_lines_ends_its_connection_alone():
    with serving(LineServer()) as running, running.client() as other:
        client = running.client()

        def act(argument):
            if argument == b"02":
                client.__exit__()

        running.actions[b"own"] = act
        client.send(packet(lines(3 * _PIPELINED)))
        running.until_left(1)
        assert other.ask(b"line") == b"enil"


def test_a_client_that_does_not_read_is_not_answered_any_further():
    """What the socket does not take waits for the client; the next lines wait behind it."""
    large = b"x" * 8_000_000
    with serving(LineServer()) as running, running.client() as client:
        seen = []

        def act(argument):
            seen.append(argument)
            if argument == b"02":
                connection = next(iter(running.server.connections.by_fd.values()))
                connection.write(large)

        running.actions[b"own"] = act
        client.send(packet(lines(10)))
        running.turns()
        assert [argument for argument in seen if argument != b"turn"] == [b"00", b"01", b"02"]
        assert answers(client, lines(2))
        assert client.stream.read(len(large)) == large
        assert answers(client, lines(10)[2:])


def test_new_clients_are_not_lost_with_a_leader_that_receives_from_one_of_them():
    gate = Gate()
    holding = []

    class HeldSocket(socket.socket):
        def recv(self, *args):
            data = super().recv(*args)
            if data == b"own line\n" and holding:
                holding.clear()
                gate()
            return data

    def wrap(sock):
        held = HeldSocket(fileno=sock.detach())
        held.setblocking(False)
        return held

    with gate, serving(LineServer(wrap)) as running, running.client() as client:
        new = []

        def poke(argument):
            if argument == b"line":
                return
            holding.append(True)  # first: a slow machine relieves the leader of this, too
            new.extend(running.client() for _ in range(3))  # accepted together
            for one in new:
                one.send(b"own line\n")

        running.actions[b"own"] = poke  # of the leader's own: beside a request sockets receive in another way
        client.send(b"own poke\n")
        gate.reached()
        assert [one.answer() for one in new[1:]] == [b"enil nwo"] * 2
        gate.open()
        assert new[0].answer() == b"enil nwo"
        for one in new:
            one.__exit__()
        assert client.answer() == b"ekop nwo"
