"""One connection's sending: at once where the socket takes it, later where it does not, and never after the end."""

from __future__ import annotations

import os
import socket
import threading

import pytest
from tpserver.engine.timing import Pace

from tests.engine.line_server import LineReceiver
from tests.engine.outbox_fakes import VectorSocket, is_open
from tpserver.engine.connection import CLOSED, MAX_OUTBOX, Connection

PATIENCE = 20.0
PACE = Pace(0, PATIENCE, PATIENCE)


def on(sock, pace=PACE):
    return Connection(sock, ("192.0.2.1", 1), LineReceiver(), pace)


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


def test_a_lost_client_raises_nothing_where_nobody_waits(pair):
    connection, other = pair
    other.close()
    for _ in range(3):  # the system may take the first
        connection.write(b"x" * 100_000)
        connection.flush()
    assert (connection.broken, connection.keep_alive, connection.flush()) == (True, False, 0)


def test_a_lost_client_stops_whoever_produces(pair):
    connection, other = pair
    other.close()
    with pytest.raises(ConnectionAbortedError):  # noqa: PT012 - the system may take the first
        for _ in range(3):
            connection.send(b"x" * 100_000)


def test_a_producer_waits_until_its_client_reads(pair):
    connection, other = pair
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
    connection.pace = Pace(1e9, 0.05, 0.05)
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

    def getsockopt(self, *_):
        return 0


class TellingLock:
    """Tells when somebody has to wait for it."""

    def __init__(self, waited):
        self._lock, self._waited = threading.Lock(), waited

    def __enter__(self):
        if not self._lock.acquire(blocking=False):
            self._waited.set()
            self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()


@pytest.mark.parametrize("end", [lambda lent: lent.flush(), lambda lent: lent.write(b"x"), Connection.abort])
def test_who_produces_a_stream_waits_while_another_thread_sends_from_it(end):
    sock = HeldSocket()
    connection = on(sock)
    connection._lend_to = lambda _: None
    connection._lock = TellingLock(sock.may_go_on)
    connection.write(b"0123456789")
    connection.flush()
    connection._lend()
    sock.room = 4
    leader = threading.Thread(target=connection.send_lent)
    leader.start()
    assert sock.entered.wait(PATIENCE)
    end(connection)
    leader.join(PATIENCE)
    assert (sock.overlaps, sock.may_go_on.is_set()) == (0, True)
    assert not connection.lent
    assert not connection.send_lent()


def test_a_stream_is_sent_on_only_while_it_is_lent():
    sock = VectorSocket(4)
    connection = on(sock)
    assert not connection.send_lent()
    connection._lend_to = lambda _: None
    connection.write(b"0123456789")
    connection.flush()
    assert not connection.send_lent()
    connection._lend()
    assert connection.send_lent()
    assert not connection.send_lent()
    assert bytes(sock.taken) == b"0123456789"
    connection.flush()
    connection.write(b"ab")
    assert not connection.send_lent()
    assert bytes(sock.taken) == b"0123456789"
