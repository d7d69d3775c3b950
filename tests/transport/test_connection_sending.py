"""One connection's sending: at once where the socket takes it, later where it does not, and never after the end."""

from __future__ import annotations

import os
import select
import socket
import threading

import pytest

from tests.engine.line_server import LineReceiver
from tests.transport.outbox_fakes import PlainSocket, VectorSocket, fill, is_open
from tpserver.transport import connection as connection_module
from tpserver.transport import outbox as outbox_module
from tpserver.transport.connection import CLOSED, MAX_OUTBOX, Connection
from tpserver.transport.pace import Timing

PATIENCE = 20.0
TIMING = Timing(min_rate=0, send_timeout=PATIENCE)


def on(sock, **options):
    return Connection(sock, ("192.0.2.1", 1), LineReceiver(), TIMING, **options)


def lead(connection):
    """What a leader does that is told of a stream: sends on when the client has read."""

    def send_on():
        more = True
        while more:
            select.select([], [connection.sock], [], PATIENCE)
            more = connection.send_on()

    threading.Thread(target=send_on).start()


@pytest.fixture
def pair():
    """A connection, and the socket at its other end."""
    mine, other = socket.socketpair()
    mine.setblocking(False)
    other.settimeout(PATIENCE)
    with mine, other:
        yield on(mine), other


def read(sock, length):
    data = bytearray()
    while len(data) < length and (piece := sock.recv(length - len(data))):
        data += piece
    return bytes(data)


def test_a_small_answer_leaves_in_one_piece():
    sock = VectorSocket(1000)
    connection = on(sock)
    connection.write(b"answer")
    assert sock.taken == b""  # not before it is flushed
    assert connection.flush() == 6
    assert (bytes(sock.taken), sock.calls, bool(connection.outbox)) == (b"answer", 1, False)
    assert connection.flush() == 0


def test_several_pieces_leave_together():
    sock = VectorSocket(1000)
    connection = on(sock)
    for piece in (b"head ", b"", b"content ", b"more"):
        connection.write(piece)
    connection.flush()
    assert (bytes(sock.taken), sock.calls) == (b"head content more", 1)


def test_a_system_that_takes_any_piece_as_a_whole_is_offered_small_ones(monkeypatch):
    """As Windows does: else all of a response would be in its memory before anybody sees that the client is slow."""
    for module in (connection_module, outbox_module):
        monkeypatch.setattr(module, "OFFERED", 1000)
    content = bytes(range(250)) * 13
    for pieces in ([content], [b"head", content]):
        sock = PlainSocket(1 << 60)
        connection = on(sock)
        for piece in pieces:
            connection.write(piece)
        while connection.sending:
            before = len(sock.taken)
            connection.flush()
            assert 0 < len(sock.taken) - before <= len(b"head") + 1000
        assert sock.taken == b"".join(pieces)


@pytest.mark.parametrize("room", [0, 1, 4, 9])
def test_what_the_socket_does_not_take_is_kept_in_order(room):
    sock = VectorSocket(3, room)
    connection = on(sock)
    connection.write(b"0123456789")
    assert connection.flush() == min(room, 3)
    connection.write(b"abc")
    connection.write(b"def")
    sock.room = 1000
    while connection.outbox:
        assert connection.flush() > 0
    assert sock.taken == b"0123456789abcdef"
    connection.write(b"next")
    while connection.flush():
        pass
    assert sock.taken == b"0123456789abcdefnext"


def test_head_and_file_come_whole_through_a_real_socket(pair, tmp_path):
    connection, other = pair
    content = bytes(range(256)) * 20_000
    (tmp_path / "file").write_bytes(content)
    file = os.open(tmp_path / "file", os.O_RDONLY | getattr(os, "O_BINARY", 0))
    connection.write(b"head")
    connection.write_file(file, 1, len(content) - 1)
    connection.write(b"tail")
    received = b""
    while connection.outbox:
        connection.flush()
        received += other.recv(1 << 20)
    expected = b"head" + content[1:] + b"tail"
    received += read(other, len(expected) - len(received))
    assert received == expected
    assert not is_open(file)
    assert not connection.broken


def test_a_lost_client_raises_nothing_where_no_thread_waits(pair):
    connection, other = pair
    other.close()
    for _ in range(3):  # the system may take the first
        connection.write(b"x" * 100_000)
        connection.flush()
    assert (connection.broken, connection.keep_alive, connection.flush()) == (True, False, 0)


def test_a_lost_client_stops_the_thread_that_produces(pair):
    connection, other = pair
    other.close()
    with pytest.raises(ConnectionAbortedError):  # noqa: PT012 - the system may take the first
        for _ in range(3):
            connection.send(b"x" * 100_000)


def test_a_producer_waits_until_its_client_reads(pair):
    connection, other = pair
    connection._tell_leader = lead
    pieces = [bytes([number]) * (MAX_OUTBOX // 4) for number in range(64)]
    most = []

    def produce():
        for piece in pieces:
            connection.send(piece)
            most.append(connection.outbox.size if connection.outbox else 0)
        while connection.outbox:
            connection.flush()

    producer = threading.Thread(target=produce)
    producer.start()
    expected = b"".join(pieces)
    assert read(other, len(expected)) == expected
    producer.join(PATIENCE)
    assert not producer.is_alive()
    assert max(most) <= MAX_OUTBOX


def test_a_producer_is_told_when_its_client_reads_too_slowly(pair, tmp_path):
    connection, _ = pair
    fill(connection.sock)
    connection.timing = Timing(min_rate=1e9, grace=0.05, send_timeout=0.05)
    (tmp_path / "file").write_bytes(b"file")
    file = os.open(tmp_path / "file", os.O_RDONLY)
    connection.write(b"x" * MAX_OUTBOX)
    connection.write_file(file, 0, 4)
    with pytest.raises(ConnectionAbortedError, match="slow"):
        connection.send(b"x" * 16 * MAX_OUTBOX)
    assert (connection.broken, bool(connection.outbox)) == (True, False)
    assert not is_open(file)


def test_nothing_is_sent_behind_a_gap():
    """An application may go on after it was told that its client is gone; what it sends then must not arrive."""
    sock = VectorSocket(4)
    connection = on(sock)
    connection.write(b"0123456789")
    connection.flush()
    connection.abort()
    connection.write(b"beyond")
    assert connection.flush() == 0
    with pytest.raises(ConnectionAbortedError):
        connection.send(b"beyond")
    assert bytes(sock.taken) == b"0123"


def test_a_shared_descriptor_that_comes_too_late_is_closed_once(pair, tmp_path):
    connection, _ = pair
    (tmp_path / "file").write_bytes(b"file")
    file = os.open(tmp_path / "file", os.O_RDONLY)
    connection.abort()
    connection.write_file(file, 0, 1, more=True)
    assert is_open(file)
    connection.write_file(file, 1, 1)
    assert not is_open(file)


@pytest.mark.usefixtures("hard_resets")
def test_a_file_that_ends_too_early_resets_the_connection(tmp_path):
    """The client must not take what it got for the whole, though it does not count."""
    (tmp_path / "file").write_bytes(b"file")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        other = socket.create_connection(listening.getsockname(), timeout=PATIENCE)
        mine, _ = listening.accept()
    with mine, other:
        mine.setblocking(False)
        connection = on(mine)
        connection.write(b"head")
        connection.write_file(os.open(tmp_path / "file", os.O_RDONLY), 0, 100)
        for _ in range(3):
            connection.flush()
        assert (connection.broken, connection.keep_alive) == (True, False)
        connection.close()
        with pytest.raises(ConnectionResetError):
            read(other, 100)


def test_closing_gives_everything_back(pair, tmp_path):
    connection, other = pair
    (tmp_path / "file").write_bytes(b"file")
    file = os.open(tmp_path / "file", os.O_RDONLY)
    connection.write(b"never sent")
    connection.write_file(file, 0, 4)
    connection.close()
    assert (connection.state, connection.receiver.closed, is_open(file)) == (CLOSED, True, False)
    assert other.recv(100) == b""


class HeldSocket(VectorSocket):
    """The first send goes on when it may; another one beside it must not be."""

    def __init__(self):
        super().__init__(4)
        self.entered, self.may_go_on = threading.Event(), threading.Event()
        self.inside = self.overlaps = 0

    def fileno(self):
        return 0

    def take(self, data):
        self.overlaps += self.inside
        self.inside += 1
        taken = super().take(data)
        if self.room < 100:
            self.entered.set()
            if self.inside > 1:
                self.may_go_on.set()
            assert self.may_go_on.wait(PATIENCE)
        self.inside -= 1
        return taken


class TellingLock:
    """Tells when a thread has to wait for it."""

    def __init__(self, waited):
        self._lock, self._waited = threading.Lock(), waited

    def __enter__(self):
        if not self._lock.acquire(blocking=False):
            self._waited.set()
            self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()


def streaming(sock):
    """A connection whose stream has something left over, and whose lock tells when a thread waits for it."""
    connection = on(sock)
    connection.send(b"0123456789")
    connection.outbox._lock = TellingLock(sock.may_go_on)
    return connection


@pytest.mark.parametrize("act", [Connection.flush, lambda one: one.write(b"x"), Connection.abort, Connection.reset])
def test_who_produces_a_stream_waits_while_the_leader_sends_from_it(act):
    sock = HeldSocket()
    connection = streaming(sock)
    sock.room = 4
    leader = threading.Thread(target=connection.send_on)
    leader.start()
    assert sock.entered.wait(PATIENCE)
    act(connection)
    leader.join(PATIENCE)
    assert (sock.overlaps, sock.may_go_on.is_set()) == (0, True)
    assert sock.taken.startswith(b"01234567")


def test_the_leader_is_told_of_what_is_left_over_and_only_of_that():
    told = []
    sock = VectorSocket(100, 6)
    connection = on(sock, tell_leader=told.append)
    connection.send(b"012")
    assert told == []
    for _ in range(2):
        connection.send(b"345678")
    assert told == [connection]
    assert not on(sock).send_on()
    sock.room = 1000
    assert not connection.send_on()
    connection.send(b"9")
    assert (told, bytes(sock.taken)) == ([connection], b"0123456783456789")


def test_the_end_of_a_stream_comes_behind_what_is_left_over():
    sock = VectorSocket(100, 4)
    connection = on(sock)
    connection.write(b"head ")
    connection.send(b"piece ")
    connection.write(b"end")
    sock.room = 1000
    assert not connection.send_on()
    connection.flush()
    assert bytes(sock.taken) == b"head piece end"


class FailingSocket(VectorSocket):
    """Fails when it is told how."""

    error = None

    def take(self, data):
        if self.error:
            raise self.error
        return super().take(data)


@pytest.mark.parametrize("error", [BrokenPipeError, MemoryError])
def test_a_producer_finds_out_what_has_happened_to_the_leader(error):
    sock = FailingSocket(4)
    connection = on(sock)
    connection.send(b"0123456789")
    sock.error = error
    assert not connection.send_on()
    sock.error = None  # it would take something again
    assert (connection.broken, connection.keep_alive, connection.sending) == (True, False, False)
    with pytest.raises(ConnectionAbortedError):
        connection.send(b"beyond the gap")
    assert bytes(sock.taken) == b"0123"


@pytest.mark.parametrize(("pause", "in_place", "left"), [(0.0, False, True), (1e-3, False, False), (0.0, True, False)])
def test_the_leader_sends_pieces_that_follow_each_other_fast_many_at_once(monkeypatch, pause, in_place, left):
    times = iter(number * pause for number in range(1000))
    monkeypatch.setattr("tpserver.system.clock.clock.perf_counter", lambda: next(times))
    told = []
    sock = VectorSocket(1000)
    connection = on(sock, tell_leader=told.append)
    connection.detached = not in_place
    pieces = [b"%d;" % number for number in range(100)]
    for piece in pieces:
        connection.send(piece)
    assert bool(told) is left
    calls = sock.calls
    assert (calls < 20) is left
    connection.send_on()
    assert bytes(sock.taken) == b"".join(pieces)


def test_what_the_leader_has_sent_of_a_stream_counts_for_its_client():
    sock = VectorSocket(1000)
    connection = on(sock)
    connection.detached = True
    for _ in range(100):
        connection.send(b"0123456789")
    connection.send_on()
    assert connection.taken == len(sock.taken)
