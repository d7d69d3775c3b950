"""What is still to be sent: in order, whole, whatever the socket takes at a time."""

from __future__ import annotations

import os
import random

import pytest

from tests.transport.outbox_fakes import PlainSocket, VectorSocket, is_open, sendfile_to
from tpserver.transport.outbox import FILE_STEP, Outbox

O_BINARY = getattr(os, "O_BINARY", 0)


@pytest.fixture
def opened(tmp_path):
    """Writes a file and opens it; closes at the end what the test has not closed."""
    files = []

    def open_file(content):
        path = tmp_path / f"{len(files)}"
        path.write_bytes(content)
        files.append(os.open(path, os.O_RDONLY | O_BINARY))
        return files[-1]

    yield open_file
    for file in files:
        if is_open(file):
            os.close(file)


def append_file(outbox, file, offset, length, *, version=None, more=False):
    outbox.append_file(file, offset, length, version, more)


@pytest.fixture(params=[PlainSocket, VectorSocket], ids=["send", "sendmsg"])
def make_socket(request):
    return request.param


@pytest.fixture(params=[True, False], ids=["sendfile", "no sendfile"])
def use(request, monkeypatch):
    """Makes a fake socket the one that files are sent to."""

    def use_socket(sock):
        if request.param:
            monkeypatch.setattr(os, "sendfile", sendfile_to(sock), raising=False)
        else:
            monkeypatch.delattr(os, "sendfile", raising=False)
        return sock

    return use_socket


def send_all(outbox, sock):
    """Sends in as many turns as it takes; the number of bytes that it was."""
    total = 0
    while outbox:
        sent = outbox.send(sock)
        assert sent > 0, "a turn without progress"
        total += sent
    return total


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100, 10_000])
def test_bytes_and_files_arrive_whole_and_in_order(make_socket, use, opened, step):
    sock = use(make_socket(step))
    outbox = Outbox()
    file = opened(b"0123456789" * 10)
    outbox.append(b"head ")
    outbox.append(memoryview(b"[view]"))
    append_file(outbox, os.dup(file), 0, 100)
    outbox.append(b" tail")
    append_file(outbox, os.dup(file), 95, 5)
    append_file(outbox, os.dup(file), 3, 1)
    expected = b"head [view]" + b"0123456789" * 10 + b" tail" + b"56789" + b"3"
    assert send_all(outbox, sock) == len(expected)
    assert bytes(sock.taken) == expected
    assert outbox.size == 0


@pytest.mark.parametrize("seed", range(20))
def test_many_small_pieces_with_a_socket_that_is_often_full(make_socket, seed):
    rng = random.Random(seed)
    sock = make_socket(rng.randint(1, 300), 0)
    outbox = Outbox()
    expected = b""
    for number in range(300):
        piece = b"%d;" % number * rng.randint(0, 5)
        outbox.append(piece)
        expected += piece
        if rng.random() < 0.3:
            sock.room = rng.randint(0, 60)
            outbox.send(sock)
            sock.room = 0
        assert outbox.size == len(expected) - len(sock.taken)
        assert bool(outbox) == bool(outbox.size)
    sock.room = 1 << 60
    send_all(outbox, sock)
    assert bytes(sock.taken) == expected


def test_a_full_socket_takes_nothing_and_nothing_is_lost(make_socket, use, opened):
    sock = use(make_socket(10, room=0))
    outbox = Outbox()
    outbox.append(b"head")
    append_file(outbox, opened(b"file"), 0, 4)
    assert outbox.send(sock) == 0
    assert (outbox.size, bool(outbox)) == (4, True)
    sock.room = 100
    send_all(outbox, sock)
    assert bytes(sock.taken) == b"headfile"


def test_nothing_to_send_is_nothing():
    outbox = Outbox()
    outbox.append(b"")
    assert (bool(outbox), outbox.send(PlainSocket(1))) == (False, 0)


def test_many_pieces_leave_in_one_call_where_the_system_can():
    sock = VectorSocket(10_000)
    outbox = Outbox()
    for _ in range(50):
        outbox.append(b"x" * 10)
    assert outbox.send(sock) == 500
    assert sock.calls == 1


def test_a_large_file_leaves_in_steps_so_that_others_get_their_turn(make_socket, use, opened):
    size = 2 * FILE_STEP + 1
    sock = use(make_socket(1 << 60))
    outbox = Outbox()
    append_file(outbox, opened(b"x" * size), 0, size)
    step = outbox.send(sock)
    assert step == FILE_STEP
    assert outbox.size == 0  # of memory
    assert step + send_all(outbox, sock) == size


def test_files_are_closed_when_they_are_sent(make_socket, use, opened):
    sock = use(make_socket(3))
    outbox = Outbox()
    first, second = opened(b"12345"), opened(b"67890")
    append_file(outbox, first, 0, 5)
    append_file(outbox, second, 0, 5)
    assert outbox.send(sock) == 3
    assert (is_open(first), is_open(second)) == (True, True)
    assert outbox.send(sock) == 2
    assert (is_open(first), is_open(second)) == (False, True)
    send_all(outbox, sock)
    assert not is_open(second)


def test_what_is_discarded_closes_its_files_and_nothing_follows_it(use, opened):
    sock = use(PlainSocket(4))
    outbox = Outbox()
    first, second = opened(b"12345"), opened(b"67890")
    append_file(outbox, first, 0, 5)
    outbox.append(b"between")
    append_file(outbox, second, 0, 5)
    outbox.send(sock)
    outbox.discard()
    assert (is_open(first), is_open(second)) == (False, False)
    assert (bool(outbox), outbox.size) == (False, 0)
    outbox.append(b"again")
    assert not outbox
    assert bytes(sock.taken) == b"1234"


@pytest.mark.parametrize("length", [0, 3])
def test_a_file_that_has_become_shorter_is_an_error(use, opened, length):
    sock = use(PlainSocket(100))
    outbox = Outbox()
    append_file(outbox, opened(b"x" * length), 0, 10)
    if length:
        assert outbox.send(sock) == length
    with pytest.raises(EOFError, match="shorter"):
        outbox.send(sock)
    outbox.discard()


def test_pieces_of_one_file_share_its_descriptor(make_socket, use, opened):
    sock = use(make_socket(4))
    outbox = Outbox()
    file = opened(b"0123456789")
    append_file(outbox, file, 8, 2, more=True)
    outbox.append(b"|")
    append_file(outbox, file, 0, 5, more=True)
    append_file(outbox, file, 5, 2)
    while outbox:
        assert is_open(file)
        assert outbox.send(sock)
    assert bytes(sock.taken) == b"89|0123456"
    assert not is_open(file)


@pytest.mark.parametrize("sent", [0, 1, 2])
def test_discarding_closes_a_shared_descriptor_once(use, opened, sent):
    sock = use(PlainSocket(1))
    outbox = Outbox()
    file = opened(b"0123456789")
    append_file(outbox, file, 0, 1, more=True)
    append_file(outbox, file, 1, 1, more=True)
    append_file(outbox, file, 2, 1)
    for _ in range(sent):
        outbox.send(sock)
    outbox.discard()
    assert not is_open(file)
    assert opened(b"the next to get that number") == file
    outbox.discard()
    assert is_open(file)


@pytest.fixture
def versioned(tmp_path):
    """A file of ten bytes and an old date: its path, a descriptor of it, and its version."""
    path = tmp_path / "versioned"
    path.write_bytes(b"0123456789")
    os.utime(path, (1, 1))
    file = os.open(path, os.O_RDONLY | O_BINARY)
    yield path, file, (os.fstat(file).st_mtime_ns, 10)
    if is_open(file):
        os.close(file)


@pytest.mark.parametrize("content", [b"9876543210", b"98765"], ids=["as long", "shorter"])
def test_a_file_that_is_written_anew_is_never_sent_to_its_end(use, versioned, content):
    sock = use(PlainSocket(4))
    path, file, version = versioned
    outbox = Outbox()
    append_file(outbox, file, 0, 10, version=version)
    outbox.send(sock)
    path.write_bytes(content)
    with pytest.raises(EOFError, match="changed"):
        send_all(outbox, sock)
    assert len(sock.taken) < 10
    outbox.discard()


def test_a_file_that_changes_while_it_waits_behind_another_is_not_sent(use, versioned):
    sock = use(PlainSocket(100))
    path, file, version = versioned
    outbox = Outbox()
    append_file(outbox, file, 0, 2, version=version, more=True)
    append_file(outbox, file, 5, 5, version=version)
    outbox.send(sock)
    path.write_bytes(b"9876543210")
    with pytest.raises(EOFError, match="changed"):
        outbox.send(sock)
    assert bytes(sock.taken) == b"01"
    outbox.discard()


@pytest.mark.parametrize("length", [10, 100_000])
@pytest.mark.parametrize("first", [0, 7])
@pytest.mark.parametrize("changed", ["all of it", "the beginning", "the middle", "the end"])
def test_a_file_that_is_written_anew_and_longer_is_never_sent_to_its_end(use, tmp_path, first, length, changed):
    sock = use(PlainSocket(length // 4))
    path = tmp_path / "versioned"
    path.write_bytes(b"o" * (first + length + 5))
    os.utime(path, (1, 1))
    file = os.open(path, os.O_RDONLY | O_BINARY)
    outbox = Outbox()
    append_file(outbox, file, first, length, version=(os.fstat(file).st_mtime_ns, first + length + 5))
    outbox.send(sock)
    again = bytearray(b"o" * (first + length + 100))
    places = {"the beginning": first, "the middle": first + length // 2, "the end": first + length - 1}
    if changed in places:
        again[places[changed]] = ord("n")
    else:
        again = again.replace(b"o", b"n")
    path.write_bytes(again)
    with pytest.raises(EOFError, match="changed"):
        send_all(outbox, sock)
    assert len(sock.taken) < length
    outbox.discard()


@pytest.mark.parametrize("change", ["grow", "same", "replace"])
def test_a_file_that_grows_or_is_replaced_is_sent_as_it_was(use, versioned, change):
    sock = use(PlainSocket(4))
    path, file, version = versioned
    outbox = Outbox()
    append_file(outbox, file, 0, 10, version=version)
    outbox.send(sock)
    if change == "grow":
        with path.open("ab") as stream:
            stream.write(b"more")
    elif change == "replace" and os.name != "nt":
        path.with_name("new").write_bytes(b"new")
        os.replace(path.with_name("new"), path)
    send_all(outbox, sock)
    assert bytes(sock.taken) == b"0123456789"


def test_a_lost_client_is_an_error():
    class Lost(PlainSocket):
        def send(self, data, flags=0):
            raise ConnectionResetError

    outbox = Outbox()
    outbox.append(b"data")
    with pytest.raises(ConnectionResetError):
        outbox.send(Lost(1))


class TestStream:
    """One thread produces, the leader sends on what is left over."""

    def test_the_leader_is_told_once_until_all_is_sent(self):
        sock = VectorSocket(4)
        outbox = Outbox()
        assert not outbox.watch()
        assert not outbox.send_on(sock)
        for left in (True, False):
            outbox.append(b"012345")
            assert outbox.watch() is left
        while outbox.send_on(sock):
            pass
        assert sock.taken == b"012345012345"
        outbox.append(b"6")
        assert outbox.watch()
        outbox.send(sock)  # the producer, by itself
        assert not outbox.watch()
        assert not outbox.send_on(sock)
