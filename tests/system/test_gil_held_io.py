"""Receiving and sending without letting the interpreter go: as the methods of a socket, in every case."""

from __future__ import annotations

import errno
import socket
import sys
import threading

import pytest

from tpserver.system import gil_held_io as holding
from tpserver.system.gil_held_io import RECEIVE, receive_holding, send_holding


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def usual_receive(sock):
    return sock.recv(RECEIVE)


@pytest.fixture(params=[usual_receive, receive_holding or usual_receive], ids=["usual", "holding"])
def a_receive(request):
    return request.param


@pytest.fixture(params=[socket.socket.send, send_holding or socket.socket.send], ids=["usual", "holding"])
def a_send(request):
    return request.param


def test_what_has_come_is_received(pair, a_receive):
    ours, theirs = pair
    theirs.sendall(b"one\0two")
    assert a_receive(ours) == b"one\0two"


def test_no_more_than_a_buffer_is_received_at_once(pair, a_receive):
    ours, theirs = pair
    writer = threading.Thread(target=theirs.sendall, args=(b"x" * (RECEIVE * 3),))
    writer.start()
    received = 0
    while received < RECEIVE * 3:
        try:
            data = a_receive(ours)
        except BlockingIOError:
            continue
        assert 0 < len(data) <= RECEIVE
        assert data == b"x" * len(data)
        received += len(data)
    writer.join()


def test_nothing_has_come(pair, a_receive):
    with pytest.raises(BlockingIOError):
        a_receive(pair[0])


def test_the_end(pair, a_receive):
    pair[1].close()
    assert a_receive(pair[0]) == b""


def test_a_closed_socket_is_an_error(pair, a_receive, a_send):
    pair[0].close()
    with pytest.raises(OSError) as received:  # noqa: PT011 - the number is looked at
        a_receive(pair[0])
    with pytest.raises(OSError) as sent:  # noqa: PT011
        a_send(pair[0], b"x")
    assert received.value.errno == sent.value.errno == (errno.ENOTSOCK if sys.platform == "win32" else errno.EBADF)


def test_what_is_sent_arrives(pair, a_send):
    ours, theirs = pair
    assert a_send(ours, b"one\0two") == 7
    assert theirs.recv(100) == b"one\0two"


def test_a_full_socket_takes_a_part_and_then_none(pair, a_send):
    ours, _ = pair
    data = b"x" * 10_000_000
    assert 0 < a_send(ours, data) < len(data) + (sys.platform == "win32")  # Windows takes what begins while it has room
    with pytest.raises(BlockingIOError):
        _until_refused(a_send, ours, data)


def test_a_client_that_has_gone_is_an_error_and_no_signal(pair, a_send):
    pair[1].close()
    with pytest.raises(OSError) as raised:  # noqa: PT011
        _until_refused(a_send, pair[0], b"x")
    assert raised.value.errno in (errno.EPIPE, errno.ECONNRESET)
    assert not isinstance(raised.value, BlockingIOError)


def _until_refused(a_send, sock, data):
    while True:
        a_send(sock, data)


@pytest.mark.skipif(receive_holding is None, reason="there is nothing that holds the lock")
@pytest.mark.skipif(not hasattr(socket, "MSG_DONTWAIT"), reason="the system has no such flag")
def test_a_socket_that_has_become_blocking_does_not_stop_the_interpreter(pair):
    ours, theirs = pair
    while True:
        try:
            ours.send(b"x" * 100_000)
        except BlockingIOError:
            break
    ours.setblocking(True)
    with pytest.raises(BlockingIOError):
        send_holding(ours, b"x")
    with pytest.raises(BlockingIOError):
        receive_holding(ours)
    theirs.sendall(b"y")
    assert receive_holding(ours) == b"y"


def test_without_the_library_the_usual_ones_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ctypes", None)
    assert holding._holding_calls() == (None, None)


def test_without_a_lock_to_hold_the_usual_ones_do(monkeypatch):
    monkeypatch.setattr("sys._is_gil_enabled", lambda: False, raising=False)
    assert holding._holding_calls() == (None, None)
