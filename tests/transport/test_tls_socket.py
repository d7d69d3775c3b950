"""The filter: what goes in plain comes out encrypted and back, however the socket takes and gives it."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest

from tests.tls.certificates import client_context, server_context
from tpserver.transport import handshakes, tls_socket
from tpserver.transport.handshakes import Handshakes
from tpserver.transport.server_name import Contexts
from tpserver.transport.tls_socket import TLSSocket

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="between the ends of a pair that goes by TCP bytes take their time"
)

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Peer:
    """A client by `ssl.MemoryBIO`, whose bytes a test carries to and fro."""

    def __init__(self, sock: socket.socket, version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> None:
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client_context(version).wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def try_handshake(self) -> bool:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def push(self, size: int = 1 << 30) -> None:
        """Sends what the client has encrypted, `size` bytes of it at the most."""
        data = self.outgoing.read(size)
        if data:
            self.sock.sendall(data)

    def pull(self, size: int = 1 << 20) -> None:
        """Receives encrypted bytes, `size` of them at the most."""
        try:
            data = self.sock.recv(size)
        except BlockingIOError:
            return
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def read(self) -> bytes:
        """All that can be decrypted by now."""
        plain = b""
        try:
            while piece := self.tls.read(1 << 20):
                plain += piece
        except ssl.SSLWantReadError:
            pass
        return plain


class Ends:
    """A filter and its client, at the two ends of a pair of sockets."""

    def __init__(self, version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> None:
        mine, other = socket.socketpair()
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        other.setblocking(False)
        self.handshakes = Handshakes(Contexts(server_context()))
        self.sock = TLSSocket(mine, self.handshakes)
        self.other = other
        self.peer = Peer(other, version)

    def shake_hands(self) -> None:
        done = False
        while not done:
            done = self.peer.try_handshake()
            self.peer.push()
            received(self.sock)
            self.peer.pull()


def received(sock: TLSSocket) -> bytes | None:
    """What `recv` has; None where there is nothing yet."""
    try:
        return sock.recv(65536)
    except BlockingIOError:
        return None


def fill(sock: TLSSocket) -> None:
    """Until it takes nothing more."""
    with contextlib.suppress(BlockingIOError):
        while True:
            socket.socket.send(sock, bytes(1))


@pytest.fixture(params=VERSIONS, ids=["1.2", "1.3"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    made = Ends(request.param)
    made.shake_hands()
    yield made
    made.sock.close()
    made.other.close()


@pytest.fixture
def new() -> Iterator[Ends]:
    """Before the handshake."""
    made = Ends()
    yield made
    made.sock.close()
    made.other.close()


def test_what_is_sent_arrives(ends: Ends) -> None:
    assert ends.sock.send(b"answer") == 6
    ends.peer.pull()
    assert ends.peer.read() == b"answer"


def test_several_buffers_are_one_record(ends: Ends) -> None:
    ends.peer.pull()
    ends.peer.read()  # the tickets
    assert ends.sock.sendmsg([b"head", memoryview(b"content")]) == 11
    record = ends.other.recv(4096)
    assert record[0] == 0x17
    assert int.from_bytes(record[3:5], "big") == len(record) - 5


def test_all_records_that_have_come_are_decrypted_at_once(ends: Ends) -> None:
    for piece in (b"one", b"two", b"three"):
        ends.peer.tls.write(piece)
    ends.peer.push()
    assert received(ends.sock) == b"onetwothree"
    assert received(ends.sock) is None


def test_a_record_that_comes_in_pieces_is_kept_until_it_is_whole(ends: Ends) -> None:
    ends.peer.tls.write(b"request")
    while ends.peer.outgoing.pending > 1:
        ends.peer.push(1)
        assert received(ends.sock) is None
        assert ends.sock.has_come()
    ends.peer.push()
    assert received(ends.sock) == b"request"
    assert not ends.sock.has_come()


@pytest.mark.parametrize("step", [1, 1000, 5000, 100_000])
def test_a_slow_reader_gets_every_byte_once(ends: Ends, step: int) -> None:
    """The caller offers again what was not reported as sent, as an outbox does."""
    content = bytes(range(256)) * 2000
    left, came, reported = memoryview(content), b"", 0
    while len(came) < len(content):
        if left:
            try:
                sent = ends.sock.send(left)
                assert 0 < sent <= len(left)
                left = left[sent:]
                reported += sent
            except BlockingIOError:
                pass
        ends.peer.pull(max(step, 100))
        came += ends.peer.read()
        assert len(came) <= reported + 64 * 1024 + 16 * 1024  # what is encrypted and not reported is bounded
    assert came == content
    assert not left


def test_what_is_reported_as_sent_has_left(ends: Ends) -> None:
    """Else a response would be taken for sent whose end is still here."""
    sent = 0
    content = bytes(1_000_000)
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += ends.sock.send(memoryview(content)[sent:])
    came = b""
    while True:
        before = len(came)
        ends.peer.pull()
        came += ends.peer.read()
        if len(came) == before:
            break
    assert sent - 16 * 1024 <= len(came) <= sent  # but for the last record, of which a part has left


def test_a_client_that_tells_its_end_is_told_apart_from_what_came_before(ends: Ends) -> None:
    ends.peer.tls.write(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        ends.peer.tls.unwrap()
    ends.peer.push()
    assert not ends.sock.stuck
    assert received(ends.sock) == b"last words"
    assert ends.sock.stuck  # no byte follows that would tell the poller
    assert received(ends.sock) == b""
    assert ends.sock.send(b"answer") == 6  # it may still read


def test_a_client_that_just_closes_has_ended_too(ends: Ends) -> None:
    ends.peer.tls.write(b"half a record")
    ends.peer.push(10)
    ends.other.shutdown(socket.SHUT_WR)
    assert received(ends.sock) is None
    assert received(ends.sock) == b""


def test_the_end_is_told_by_close_notify(ends: Ends) -> None:
    ends.sock.send(b"answer")
    ends.sock.shutdown(socket.SHUT_WR)
    ends.peer.pull()
    ends.peer.pull()
    assert ends.peer.tls.read(100) == b"answer"
    assert ends.peer.tls.read(100) == b""  # an end without it raises SSLEOFError


def test_close_notify_waits_for_room(ends: Ends) -> None:
    content = memoryview(bytes(300_000))
    while content:
        try:
            content = content[ends.sock.send(content) :]
        except BlockingIOError:
            ends.peer.pull(5000)
            ends.peer.read()
    fill(ends.sock)
    assert not ends.sock.end()
    ends.other.recv(1 << 20)
    assert ends.sock.end()


def test_bytes_that_are_no_tls_end_the_connection_with_an_alert(ends: Ends) -> None:
    ends.other.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(ssl.SSLError):
        ends.sock.recv(65536)
    ends.peer.pull()
    with pytest.raises(ssl.SSLError, match=r"(?i)alert bad record mac"):
        ends.peer.tls.read(100)


def test_what_came_before_bytes_that_are_no_tls_is_not_lost(ends: Ends) -> None:
    ends.peer.tls.write(b"one")
    ends.peer.tls.write(b"two")
    ends.other.send(ends.peer.outgoing.read() + b"\x17\x03\x03\x00\x20" + bytes(32))
    assert received(ends.sock) == b"onetwo"
    assert ends.sock.stuck  # no byte follows that would tell the poller
    for _ in range(2):
        with pytest.raises(ssl.SSLError, match=r"(?i)bad record mac|decryption failed"):
            ends.sock.recv(65536)
    ends.peer.pull()
    with pytest.raises(ssl.SSLError, match=r"(?i)alert bad record mac"):
        ends.peer.read()


def test_nothing_is_sent_before_the_handshake_has_ended(new: Ends) -> None:
    with pytest.raises(ConnectionAbortedError):
        new.sock.send(b"secret")
    new.peer.try_handshake()
    new.peer.push()
    assert received(new.sock) is None
    with pytest.raises(ConnectionAbortedError):
        new.sock.send(b"secret")


def test_a_handshake_that_comes_byte_by_byte(new: Ends) -> None:
    done = False
    while not done:
        done = new.peer.try_handshake()
        while new.peer.outgoing.pending:
            new.peer.push(1)
            received(new.sock)
        new.peer.pull(1)
    new.peer.tls.write(b"request")
    new.peer.push()
    assert received(new.sock) == b"request"


def test_a_part_of_the_handshake_that_finds_no_room_is_sent_later(new: Ends) -> None:
    fill(new.sock)
    new.peer.try_handshake()
    new.peer.push()
    assert received(new.sock) is None
    assert new.sock.stuck
    while True:  # what has filled the socket
        try:
            new.other.recv(1 << 20)
        except BlockingIOError:
            break
    assert received(new.sock) is None
    assert not new.sock.stuck
    new.peer.pull()
    assert new.peer.try_handshake()


def test_clear_text_passes_as_it_is_and_is_told() -> None:
    mine, other = socket.socketpair()
    told = []
    with TLSSocket(mine, Handshakes(Contexts(server_context())), lambda: told.append(1)) as sock, other:
        other.send(b"GET / HTTP/1.1\r\n\r\n")
        assert sock.recv(65536) == b"GET / HTTP/1.1\r\n\r\n"
        assert told == [1]
        assert sock.send(b"refused") == 7
        assert other.recv(100) == b"refused"


def test_new_keys_without_end_for_a_client_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_socket, "_STEP", 100)
    made = Ends()
    made.shake_hands()
    with made.sock as sock, made.other:
        sock._outgoing.write(bytes(50))
        made.peer.tls.write(b"x")
        made.peer.push()
        assert received(sock) == b"x"
        fill(sock)
        sock._unsent = b"answers that the client does not read"
        sock._outgoing.write(bytes(200))
        made.peer.tls.write(b"x")
        made.peer.push()
        with pytest.raises(ConnectionAbortedError):
            sock.recv(65536)


def test_the_oldest_handshake_ends_where_too_many_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "MOST_HANDSHAKES", 2)
    made = Handshakes(Contexts(server_context()))
    pairs = [socket.socketpair() for _ in range(3)]
    socks = [TLSSocket(mine, made) for mine, _ in pairs]
    for sock, (_, other) in zip(socks, pairs, strict=True):
        other.send(b"\x16\x03")
        assert received(sock) is None
    assert received(socks[0]) == b""
    assert received(socks[1]) is None
    for one in (*socks, *(other for _, other in pairs)):
        one.close()


def test_some_handshakes_begin_in_one_turn_and_the_others_in_the_next() -> None:
    made = Handshakes(Contexts(server_context()))
    turn = 1
    made.turn = lambda: turn
    pairs = [socket.socketpair() for _ in range(20)]
    socks = [TLSSocket(mine, made) for mine, _ in pairs]
    for _, other in pairs:
        other.send(b"\x16\x03")
    for sock in socks:
        assert received(sock) is None
    assert sum(sock.has_come() for sock in socks) == 20  # none is forgotten
    left = [sock for sock in socks if sock._tls is None]
    assert 0 < len(left) < 20
    while left:
        turn += 1
        for sock in left:
            assert received(sock) is None
        left = [sock for sock in left if sock._tls is None]
    for one in (*socks, *(other for _, other in pairs)):
        one.close()
