"""Requests and responses of all kinds over TLS: what works in clear text works encrypted."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.client import CLOSE, chunked, parse, request
from tests.gates import Gates
from tests.running import Start
from tests.tls.certificates import client_context
from tests.tls.client import Peer, TLSClient
from tpserver.http.message import CONTINUE

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers with what it was sent."""
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(content)))])
    return [content]


def variables(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers with the strings of its environ."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    lines = [f"{name}={value}\n" for name, value in environ.items() if isinstance(value, str)]
    return ["".join(lines).encode("latin-1")]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_application_knows_how_it_was_asked(start_tls: Start, version: ssl.TLSVersion) -> None:
    server = start_tls(variables)
    with TLSClient(server, client_context(version)) as client:
        lines = client.ask("/").content.decode().splitlines()
        name, _, bits = client.tls.cipher()
    expected = {
        "wsgi.url_scheme": "https",
        "HTTPS": "on",
        "SSL_PROTOCOL": {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version],
        "SSL_CIPHER": name,
        "SSL_CIPHER_USEKEYSIZE": str(bits),
        "SSL_CLIENT_VERIFY": "NONE",
        "SERVER_PORT": str(server.address[1]),
    }
    assert [f"{name}={value}" in lines for name, value in expected.items()] == [True] * len(expected)


def test_nothing_of_tls_is_said_without_it(start: Start) -> None:
    from tests.client import ask

    content = ask(start(variables), "/").content
    assert b"wsgi.url_scheme=http\n" in content
    assert b"HTTPS" not in content
    assert b"SSL_" not in content


def test_many_requests_on_one_connection(start_tls: Start) -> None:
    with TLSClient(start_tls(echo)) as client:
        for number in range(50):
            content = b"%d" % number * 100
            assert client.ask("/", method="POST", content=content).content == content


@pytest.mark.parametrize("version", VERSIONS)
def test_requests_that_come_together_are_answered_in_their_order(start_tls: Start, version: ssl.TLSVersion) -> None:
    with TLSClient(start_tls(echo), client_context(version)) as client:
        client.send(b"".join(request("/", method="POST", content=b"%d" % number) for number in range(100)))
        assert [client.response().content for _ in range(100)] == [b"%d" % number for number in range(100)]


def test_requests_in_front_of_the_end_are_all_answered(start_tls: Start) -> None:
    """The client says that nothing more comes in the same piece as its requests."""
    with Peer(start_tls(echo)) as peer:
        peer.shake_hands()
        for number in range(30):
            peer.tls.write(request("/", method="POST", content=b"<%d>" % number))
        peer.end()
        data = peer.read_all()
    assert [b"<%d>" % number in data for number in range(30)] == [True] * 30


@pytest.mark.parametrize("version", VERSIONS)
def test_a_conversation_that_comes_byte_by_byte(start_tls: Start, version: ssl.TLSVersion) -> None:
    with Peer(start_tls(echo), version) as peer:
        peer.shake_hands(1)
        peer.send(request("/", CLOSE, method="POST", content=b"content"), 1)
        assert parse(peer.read_all()).content == b"content"


def test_a_request_that_is_cut_anywhere_is_answered(start_tls: Start) -> None:
    """At each byte of what is encrypted: in two pieces, of which the server has seen the first."""
    server = start_tls(echo)
    with Peer(server) as peer, TLSClient(server) as probe:
        peer.shake_hands()
        data = request("/", method="POST", content=b"content")
        peer.tls.write(data)
        length = peer.outgoing.pending
        peer.push()
        peer.read()
        for cut in range(1, length):
            peer.tls.write(data)
            encrypted = peer.outgoing.read()
            assert len(encrypted) == length
            peer.sock.sendall(encrypted[:cut])
            assert probe.ask("*", method="OPTIONS").status == 204
            peer.sock.sendall(encrypted[cut:])
            assert peer.read().endswith(b"content")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_large_upload_and_its_echo(start_tls: Start, version: ssl.TLSVersion) -> None:
    content = bytes(range(256)) * 20_000
    with TLSClient(start_tls(echo), client_context(version)) as client:
        assert client.ask("/", method="POST", content=content).content == content
        client.send(chunked("/", content[:100_000], content[100_000:]))
        assert client.response().content == content


def test_a_large_file_to_a_slow_reader(start_tls: Start, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    (tmp_path / "large.bin").write_bytes(content)
    with TLSClient(start_tls(root=str(tmp_path)), receive_buffer=4096) as client:
        assert client.ask("/large.bin").content == content


def test_ranges_of_a_file(start_tls: Start, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "large.bin").write_bytes(content)
    with TLSClient(start_tls(root=str(tmp_path))) as client:
        answer = client.ask("/large.bin", "Range: bytes=70000-700000")
        assert (answer.status, answer.content) == (206, content[70_000:700_001])
        answer = client.ask("/large.bin", "Range: bytes=0-0,-300000")
        assert content[-300_000:] in answer.content


def test_a_client_that_waits_to_be_told_to_continue(start_tls: Start) -> None:
    with TLSClient(start_tls(echo)) as client:
        client.send(request("/", "Content-Length: 4", "Expect: 100-continue", method="POST"))
        assert client.stream.read(len(CONTINUE)) == CONTINUE
        client.send(b"late")
        assert client.response().content == b"late"


def test_a_stream_that_a_thread_makes_while_the_client_reads_slowly(start_tls: Start) -> None:
    pieces = [bytes([number]) * 30_000 for number in range(100)]

    def streaming(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3000000")])
        return iter(pieces)

    with TLSClient(start_tls(streaming, in_place="never", max_outbox=50_000), receive_buffer=4096) as client:
        assert client.ask("/").content == b"".join(pieces)


def test_a_thread_streams_while_it_receives(start_tls: Start) -> None:
    """Two threads at one object of TLS: that of the application, and the leader that sends on."""

    def doubling(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4000000")])
        while piece := environ["wsgi.input"].read(50_000):
            yield piece + piece

    server = start_tls(doubling, stream_body=["/"], max_outbox=8 * 1024**2)
    content = bytes(range(250)) * 8000
    with TLSClient(server, receive_buffer=4096) as client:
        client.send(request("/", f"Content-Length: {len(content)}", method="POST"))
        client.send(content)
        answer = client.response()
    pieces = [content[at : at + 50_000] for at in range(0, len(content), 50_000)]
    assert answer.content == b"".join(piece + piece for piece in pieces)


def test_requests_beside_one_that_hangs(start_tls: Start, gates: Gates) -> None:
    server = start_tls(gates)
    with TLSClient(server) as held, TLSClient(server) as other:
        held.send(request("/hold/one"))
        gates.arrived()
        assert other.ask("/").status == 200
        gates.open("one")
        assert held.response().status == 200


def test_a_websocket_is_refused_readably(start_tls: Start) -> None:
    def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise KeyError("wsgi.websocket")

    with TLSClient(start_tls(failing)) as client:
        answer = client.ask("/", "Upgrade: websocket", "Connection: Upgrade")
        assert answer.status == 501


def test_a_session_is_resumed(start_tls: Start) -> None:
    server = start_tls(echo)
    for version in VERSIONS:
        context = client_context(version)
        with TLSClient(server, context) as first:
            first.ask("/")  # in TLS 1.3 the tickets come behind the handshake
            assert not first.tls.session_reused
            session = first.tls.session
        with TLSClient(server, context, session=session) as second:
            assert second.tls.session_reused
            assert second.ask("/").status == 200


def test_http_1_1_is_what_alpn_agrees_on(start_tls: Start) -> None:
    server = start_tls(echo)
    context = client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with TLSClient(server, context) as client:
        assert client.tls.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"])
def test_weak_ciphers_are_refused(start_tls: Start, cipher: str) -> None:
    context = client_context(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(cipher)
    with pytest.raises(ssl.SSLError):
        TLSClient(start_tls(echo), context)
