"""How encrypted connections end: told by close_notify where all is said, and never where something was cut off."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any

import pytest

from tests import inside
from tests.client import CLOSE, parse, request
from tests.gates import Gates
from tests.running import Start
from tests.tls.client import Peer, TLSClient, strict
from tests.waiting import eventually


def plain(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"answer"]


def test_the_last_response_is_followed_by_close_notify(start_tls: Start) -> None:
    with TLSClient(start_tls(plain), strict()) as client:
        assert client.ask("/", CLOSE).content == b"answer"
        assert client.told_end()


def test_a_large_response_that_ends_with_its_connection_is_told_to_be_complete(start_tls: Start) -> None:
    """Its end cannot be told in another way; and the client reads so slowly that there is no room for it at first."""

    def unframed(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([bytes(100_000)] * 30)

    server = start_tls(unframed)
    with Peer(server, receive_buffer=4096) as peer:
        peer.shake_hands()
        peer.send(request("/", version="1.0"))
        assert len(parse(peer.read_all()).content) == 3_000_000


def test_a_response_that_is_cut_off_is_not_told_to_be_complete(start_tls: Start) -> None:
    def failing(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"beginning"
        raise RuntimeError("in the middle")

    with Peer(start_tls(failing)) as peer:
        peer.shake_hands()
        peer.send(request("/", version="1.0"))
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            peer.read_all()


def test_a_client_that_ends_in_an_orderly_way_is_answered_in_the_same_way(start_tls: Start) -> None:
    with TLSClient(start_tls(plain), strict()) as client:
        client.ask("/")
        client.tls.unwrap()  # waits for the server's close_notify


def test_an_idle_connection_that_ends_is_told_so(start_tls: Start) -> None:
    with TLSClient(start_tls(plain, idle_timeout=0.1), strict()) as client:
        client.ask("/")
        assert client.told_end()


def test_a_drain_tells_the_end(start_tls: Start, gates: Gates) -> None:
    server = start_tls(gates)
    with TLSClient(server, strict()) as idle, TLSClient(server, strict()) as running:
        idle.ask("/")
        running.send(request("/hold/one"))
        gates.arrived()
        stopping = threading.Thread(target=server.server.shutdown)
        stopping.start()
        assert idle.told_end()
        gates.open("one")
        answer = running.response()
        assert (answer.status, answer["Connection"]) == (200, "close")
        assert running.told_end()
        idle.close()
        running.close()
        stopping.join()


@pytest.mark.parametrize("orderly", [True, False])
def test_a_content_that_is_cut_off_is_never_taken_for_complete(start_tls: Start, orderly: bool) -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ["PATH_INFO"])
        return plain(environ, start_response)

    server = start_tls(app)
    with Peer(server) as peer:
        peer.shake_hands()
        peer.send(request("/", "Content-Length: 100", method="POST") + b"a part")
        if orderly:
            peer.end()
        else:
            peer.sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
            assert peer.read_all() == b""
    eventually(lambda: inside.open_connections(server.server) == 0, "the connection stays")
    assert seen == []


def test_a_reset_ends_the_connection(start_tls: Start) -> None:
    server = start_tls(plain)
    client = TLSClient(server)
    client.ask("/")
    client.reset()
    eventually(lambda: inside.open_connections(server.server) == 0, "the connection stays")


def test_a_client_that_leaves_is_noticed_by_the_thread_that_streams(start_tls: Start) -> None:
    ended = threading.Event()

    def endless(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            while True:
                yield bytes(10_000)
        finally:
            ended.set()

    with TLSClient(start_tls(endless, in_place="never")) as client:
        client.send(request("/"))
        client.head()
    assert ended.wait(20)


def test_an_application_can_ask_whether_the_client_has_left(start_tls: Start) -> None:
    begun, left = threading.Event(), threading.Event()

    def asking(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        begun.set()
        eventually(environ["tpserver.client_gone"], "the client is still there")
        left.set()
        return plain(environ, start_response)

    with TLSClient(start_tls(asking)) as client:
        client.send(request("/"))
        assert begun.wait(20)
    assert left.wait(20)


@pytest.mark.parametrize("count", [1, 30, 300])
def test_half_a_handshake_ends_with_the_time_for_a_head(start_tls: Start, count: int) -> None:
    server = start_tls(plain, head_timeout=0.1)
    with Peer(server) as peer:
        try:
            peer.tls.do_handshake()
        except ssl.SSLWantReadError:
            peer.sock.sendall(peer.outgoing.read()[:count])
        while peer.sock.recv(65536):
            pass
    assert server.server.stats()["ended"]["no request"] == 1


def test_a_handshake_that_fails_is_told_and_counted(start_tls: Start) -> None:
    server = start_tls(plain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # does not trust the certificate
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate"):
        TLSClient(server, context)
    with Peer(server) as peer:
        peer.sock.sendall(b"\x16\x03\x01\x00\x05hello")
        assert peer.sock.recv(100)[:1] == b"\x15"  # an alert
    eventually(lambda: server.server.stats()["ended"].get("TLS handshake") == 2, "they are not counted")
