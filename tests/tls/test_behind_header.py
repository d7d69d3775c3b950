"""TLS behind the header of a proxy that passes bytes on: the client encrypts for this server, not for the proxy."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest

from tests.client import Client, Serving, request
from tests.field.proxies import told
from tests.live.test_proxy_protocol import LOCAL, V1
from tests.logged import errors
from tests.running import Running, Start
from tests.tls.certificates import client_context
from tests.tls.client import Peer
from tpserver.transport.handshakes import Handshakes

ONCE = request("/", "Connection: close")


@pytest.fixture
def behind(start_tls: Start) -> Running:
    """A server with TLS whose connections begin with the header of a proxy at this machine."""
    return start_tls(told, trusted_proxy=["127.0.0.1"], proxy_protocol=True)


def environ_of(answer: bytes) -> dict[str, Any]:
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return dict(json.loads(content))


def begin(peer: Peer, header: bytes = V1, size: int = 100_000) -> None:
    """Sends the header, and the handshake right behind it, in pieces of `size` bytes."""
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    data = header + peer.outgoing.read()
    for at in range(0, len(data), size):
        peer.sock.sendall(data[at : at + size])
    peer.pull()
    peer.shake_hands()


@pytest.mark.parametrize("size", [1, 7, len(V1) - 1, len(V1), len(V1) + 1, 100_000])
def test_the_client_is_the_one_of_the_header_however_the_bytes_come(behind: Running, size: int) -> None:
    with Peer(behind) as peer:
        begin(peer, size=size)
        for _ in range(2):
            peer.send(request("/"))
            environ = environ_of(peer.read())
            assert environ == environ | {"REMOTE_ADDR": "192.0.2.1", "wsgi.url_scheme": "https", "HTTPS": "on"}
        peer.send(ONCE)
        assert environ_of(peer.read_all())["REMOTE_ADDR"] == "192.0.2.1"


def test_a_connection_of_the_proxys_own_is_encrypted_as_well(behind: Running) -> None:
    with Peer(behind) as peer:
        begin(peer, LOCAL)
        peer.send(ONCE)
        assert environ_of(peer.read_all())["REMOTE_ADDR"] == "127.0.0.1"


def test_plain_http_behind_the_header_gets_a_page_that_says_so(behind: Running) -> None:
    for pieces in ([V1 + ONCE], [V1, ONCE]):
        with Client(behind) as client:
            for piece in pieces:
                client.send(piece)
            answer = client.response()
            assert answer.status == 400
            assert b"https://" in answer.content
            assert client.ended()


def ended_without_an_answer(client: Client) -> bool:
    """Whether not a byte comes before the end: what waits for TLS cannot read any other answer."""
    try:
        return client.sock.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("data", [ONCE, b"\x16\x03\x01\x02\x00\x01", b"PROXY TCP4 nonsense\r\n"])
def test_a_connection_without_the_header_ends_without_an_answer(behind: Running, data: bytes) -> None:
    with Client(behind) as client:
        client.send(data)
        assert ended_without_an_answer(client)
    assert behind.server.stats()["refused"] == {"PROXY protocol": 1}


def test_a_connection_of_another_than_the_proxy_ends_without_an_answer(start_tls: Start) -> None:
    with Client(start_tls(told, trusted_proxy=["192.0.2.1"], proxy_protocol=True)) as client:
        client.send(V1)
        assert ended_without_an_answer(client)


def test_half_a_header_that_goes_on_too_late_ends_without_an_answer(start_tls: Start) -> None:
    server = start_tls(told, trusted_proxy=["127.0.0.1"], proxy_protocol=True, head_timeout=0.1)
    with Client(server) as client:
        client.send(V1[:20])
        assert ended_without_an_answer(client)
    assert server.server.stats()["refused"] == {"head timeout": 1}


def test_a_connection_beyond_the_limit_ends_without_an_answer(start_tls: Start) -> None:
    server: Serving = start_tls(told, trusted_proxy=["127.0.0.1"], proxy_protocol=True, max_connections=1)
    with Peer(server) as one, Client(server) as two:
        begin(one)
        assert ended_without_an_answer(two)
        one.send(ONCE)
        assert environ_of(one.read_all())["REMOTE_ADDR"] == "192.0.2.1"


def test_a_handshake_that_is_none_ends_its_connection_only(behind: Running, log: pytest.LogCaptureFixture) -> None:
    with Client(behind) as client:
        client.send(V1 + b"\x16\x03\x01\x00\x05nonsense and more of it")
        assert client.stream.read()[:1] == b"\x15"  # an alert
    with Peer(behind) as peer:
        begin(peer)
        peer.send(ONCE)
        assert environ_of(peer.read_all())["REMOTE_ADDR"] == "192.0.2.1"
    assert behind.server.stats()["ended"]["TLS handshake"] == 1
    assert errors(log) == []


def test_a_handshake_that_has_to_wait_for_another_turn_is_not_lost(
    behind: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, False])
    monkeypatch.setattr(Handshakes, "may_begin", lambda self: next(answers, True))
    with Peer(behind) as peer:
        begin(peer)
        peer.send(ONCE)
        assert environ_of(peer.read_all())["REMOTE_ADDR"] == "192.0.2.1"
    assert next(answers, True)


def test_a_refusal_in_clear_text_has_no_hsts(start_tls: Start) -> None:
    server = start_tls(told, trusted_proxy=["127.0.0.1"], proxy_protocol=True, hsts=300)
    with Client(server) as client:
        client.send(V1 + ONCE)
        assert client.response().all("Strict-Transport-Security") == []


def test_a_client_of_the_header_that_has_too_many_connections_is_refused(start_tls: Start) -> None:
    server: Serving = start_tls(told, trusted_proxy=["127.0.0.1"], proxy_protocol=True, max_connections_per_ip=1)
    with Peer(server) as one, Client(server) as two:
        begin(one)
        two.send(V1 + b"\x16\x03\x01\x02\x00")
        assert two.ended()  # not told so in clear text
        one.send(ONCE)
        assert environ_of(one.read_all())["REMOTE_ADDR"] == "192.0.2.1"


def test_the_names_of_the_certificates_are_those_of_the_client(behind: Running) -> None:
    with Client(behind) as client:
        client.send(V1)
        with client_context().wrap_socket(client.sock, server_hostname="localhost") as sock:
            sock.sendall(ONCE)
            answer = b""
            while piece := sock.recv(1 << 16):
                answer += piece
    assert environ_of(answer)["REMOTE_ADDR"] == "192.0.2.1"
