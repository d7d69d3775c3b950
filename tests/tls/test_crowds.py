"""Many clients that say nothing, or only begin; and what a wire-tapper sees."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests import inside
from tests.client import PATIENCE, request
from tests.running import Running, Start
from tests.tls.client import Peer, TLSClient
from tests.waiting import eventually
from tpserver.transport import handshakes

SECRET = b"correct horse battery staple"


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read()]


@pytest.mark.slow
def test_a_request_is_answered_beside_two_thousand_silent_clients(start_tls: Start) -> None:
    """1 000 that have only connected, and 1 000 that have sent the first byte of a handshake."""
    resource = pytest.importorskip("resource", reason="Windows: select() takes 500 sockets")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < 5000:
        pytest.skip("too few open files are allowed")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (5000, most))
    try:
        server = start_tls(echo)
        with contextlib.ExitStack() as stack:
            for number in range(2000):
                sock = stack.enter_context(socket.create_connection(server.address, timeout=PATIENCE))
                if number % 2:
                    sock.sendall(b"\x16")
            eventually(lambda: inside.open_connections(server.server) == 2000, "they are not all accepted")
            with TLSClient(server) as client:
                assert client.ask("/", method="POST", content=SECRET).content == SECRET
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_handshake_that_is_not_finished_holds_up_nobody(start_tls: Start) -> None:
    """cheroot#748: one slow handshake froze the whole server, even with a single thread."""
    server = start_tls(echo, threads=1)
    with Peer(server) as slow:
        with contextlib.suppress(ssl.SSLWantReadError):
            slow.tls.do_handshake()
        slow.push()
        for _ in range(3):
            with TLSClient(server) as client:
                assert client.ask("/").status == 200
        slow.shake_hands()
        slow.send(request("/"))
        assert slow.read().startswith(b"HTTP/1.1 200 ")


def test_the_oldest_unfinished_handshake_gives_way(start_tls: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "MOST_HANDSHAKES", 3)
    server = start_tls(echo)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer(server)) for _ in range(5)]
        for peer in peers:
            with contextlib.suppress(ssl.SSLWantReadError):
                peer.tls.do_handshake()
            peer.push()
            peer.pull()
        assert [peer.sock.recv(100) for peer in peers[:2]] == [b"", b""]
        for peer in peers[2:]:
            peer.shake_hands()
            peer.send(request("/"))
            assert peer.read().startswith(b"HTTP/1.1 200 ")


def test_clients_that_come_at_once_are_all_served(start_tls: Start) -> None:
    server = start_tls(echo)
    answers = []

    def one() -> None:
        with TLSClient(server) as client:
            answers.append(client.ask("/", method="POST", content=SECRET).content)

    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [SECRET] * 40


class Relay:
    """Passes connections on to a server, and records what it sees."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = self._listening.getsockname()
        self.recorded = bytearray()
        self._socks = [self._listening]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        client, _ = self._listening.accept()
        server = socket.create_connection(self._server.address)
        self._socks += [client, server]
        self._threads += [
            threading.Thread(target=self._pass_on, args=ends) for ends in ((client, server), (server, client))
        ]
        for thread in self._threads[1:]:
            thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1000):
                self.recorded += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for thread in list(self._threads):
            thread.join(PATIENCE)
        for sock in self._socks:
            sock.close()


@pytest.fixture
def tapped(start_tls: Start, tmp_path: Any) -> Iterator[tuple[Relay, Running]]:
    """A relay in front of a server with a file and an application that is answered in all ways."""
    (tmp_path / "secret.txt").write_bytes(SECRET * 10_000)
    numbers = iter(range(1000))

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/stream":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return iter([SECRET] * 500)
        if environ["PATH_INFO"] == "/fail":
            raise ValueError(next(numbers))
        return echo(environ, start_response)

    server = start_tls(app, root=str(tmp_path))
    relay = Relay(server)
    yield relay, server
    relay.close()


def test_the_wire_never_carries_plain_text(tapped: tuple[Relay, Running]) -> None:
    """Whatever thread answers: in place, in the pool beside others, files, streams, errors, interim responses."""
    relay, _ = tapped
    with TLSClient(relay) as client:
        assert client.ask("/", method="POST", content=SECRET * 100).content == SECRET * 100
        assert client.ask("/secret.txt").content == SECRET * 10_000
        assert client.ask("/secret.txt", "Range: bytes=28-55").content == SECRET
        assert client.ask("/stream").content == SECRET * 500
        assert client.ask("/fail").status == 500
        client.send(request("/", "Expect: 100-continue", "Content-Length: 28", method="POST"))
        assert client.stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        client.stream.readline()
        client.send(SECRET)
        assert client.response().content == SECRET
        client.send(b"nonsense\r\n\r\n")
        assert client.response().status == 400
    relay.close()
    for text in (b"HTTP/1.", b"horse", b"Content-", b"GET ", b"secret"):
        assert text not in relay.recorded
    assert len(relay.recorded) > 300_000


def test_the_wire_never_carries_plain_text_beside_requests_that_compute(start_tls: Start) -> None:
    """Then bytes are moved by calls that keep the interpreter, which know no TLS."""
    running, leave = threading.Barrier(3), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/compute":
            running.wait(PATIENCE)
            leave.wait(PATIENCE)
        return echo(environ, start_response)

    server = start_tls(app)
    relay = Relay(server)
    with TLSClient(server) as one, TLSClient(server) as two, TLSClient(relay) as client:
        for held in (one, two):
            held.send(request("/compute"))
        running.wait(PATIENCE)
        for _ in range(20):
            assert client.ask("/", method="POST", content=SECRET).content == SECRET
        leave.set()
        for held in (one, two):
            assert held.response().status == 200
    relay.close()
    assert b"horse" not in relay.recorded
    assert b"HTTP" not in relay.recorded
