"""--proxy-protocol: a connection begins with a header that says who the client is, or it is refused."""

from __future__ import annotations

import json
import logging
import socket
import struct

import pytest

from tests import inside
from tests.client import Client, ask, request
from tests.clock import Clock
from tests.live.test_proxies import seen, told
from tests.waiting import eventually
from tpserver import Config
from tpserver.errors import UsageError

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n"
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
TLS = b"\x20\x00\x05\x01\x00\x00\x00\x00"


def v2(client: str = "192.0.2.1", fields: bytes = b"") -> bytes:
    block = socket.inet_aton(client) + socket.inet_aton("198.51.100.2") + struct.pack("!HH", 4711, 443) + fields
    return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", len(block)) + block


@pytest.fixture
def begin(start):
    """Starts a server that trusts this machine, and begins a connection of `header`."""

    def run(**options):
        return start(told, trusted_proxy=["127.0.0.1"], proxy_protocol=True, **options)

    return run


def told_to(client, *fields, **more):
    response = client.ask("/", *fields, **more)
    assert response.status == 200
    return json.loads(response.content)


@pytest.mark.parametrize("header", [V1, v2()])
def test_an_application_sees_the_client_of_the_header(begin, header):
    with Client(begin()) as client:
        client.send(header)
        for _ in range(3):
            environ = told_to(client)
            assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("192.0.2.1", "4711")
            assert environ["wsgi.url_scheme"] == "http"


@pytest.mark.parametrize("header", [V1, v2(fields=TLS), LOCAL])
def test_a_header_and_a_request_cut_at_every_byte(begin, header):
    running = begin()
    data = header + request("/", "Connection: close")
    with Client(running) as whole:
        whole.send(data)
        expected = whole.response().content
    if header == LOCAL:
        assert json.loads(expected)["REMOTE_ADDR"] == "127.0.0.1"
    with Client(running) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for position in range(len(data)):
            client.send(data[position : position + 1])
        content = client.response().content
        if header == LOCAL:  # each connection has a port of its own
            assert {**json.loads(content), "REMOTE_PORT": ""} == {**json.loads(expected), "REMOTE_PORT": ""}
        else:
            assert content == expected


def test_a_proxy_that_ends_tls_says_so_in_the_header(begin):
    with Client(begin()) as client:
        client.send(v2(fields=TLS))
        for _ in range(2):
            environ = told_to(client)
            assert (environ["wsgi.url_scheme"], environ["HTTPS"], environ["SERVER_PORT"]) == ("https", "on", "443")


def test_the_client_of_the_header_does_not_speak_for_others(begin):
    with Client(begin()) as client:
        client.send(V1)
        environ = told_to(client, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
        assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("192.0.2.1", "http")
        assert "HTTP_X_FORWARDED_PROTO" not in environ


def test_a_client_of_the_header_that_is_a_trusted_proxy_names_its_own_clients(start):
    running = start(told, trusted_proxy=["127.0.0.1", "192.0.2.1"], proxy_protocol=True)
    with Client(running) as client:
        client.send(v2(fields=TLS))
        environ = told_to(client, "X-Forwarded-For: 198.51.100.7")
        assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("198.51.100.7", "https")
        environ = told_to(client, "X-Forwarded-For: 198.51.100.8", "X-Forwarded-Proto: http")
        assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("198.51.100.8", "http")


def test_a_star_trusts_who_connects_and_not_the_client_of_the_header(start):
    running = start(told, trusted_proxy=["*"], proxy_protocol=True, max_connections_per_ip=1)
    with Client(running) as one, Client(running) as two, Client(running) as three:
        one.send(v2("192.0.2.1"))
        environ = told_to(one, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
        assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("192.0.2.1", "http")
        two.send(v2("192.0.2.2"))
        assert told_to(two)["REMOTE_ADDR"] == "192.0.2.2"
        three.send(v2("192.0.2.1") + request("/"))
        assert three.response().status == 503


def test_a_connection_without_the_header_is_refused(begin, log):
    running = begin()
    for data in (request("/"), b"\x16\x03\x01", b"PROXY TCP5 a b c d\r\n" + request("/")):
        with Client(running) as client:
            client.send(data)
            response = client.response()
            assert (response.status, response["connection"]) == (400, "close")
            assert b"PROXY protocol" in response.content
            assert client.ended()
    warnings = [text for text in map(logging.LogRecord.getMessage, log.records) if "trusted proxy" in text]
    assert len(warnings) == 1
    assert "127.0.0.1" in warnings[0]
    assert "--proxy-protocol" in warnings[0]


def test_a_header_that_is_malformed_is_told_as_such(begin, log):
    with Client(begin()) as client:
        client.send(b"PROXY TCP5 a b c d\r\n" + request("/"))
        assert b"A header of the PROXY protocol, version 1, is malformed" in client.response().content
    (warning,) = [text for text in map(logging.LogRecord.getMessage, log.records) if "trusted proxy" in text]
    assert "is refused: A header of the PROXY protocol" in warning
    assert "--proxy-protocol" not in warning


def test_a_connection_of_a_stranger_is_refused_also_with_a_header(start):
    running = start(told, trusted_proxy=["192.0.2.99"], proxy_protocol=True)
    for data in (V1 + request("/"), request("/")):
        with Client(running) as client:
            client.send(data)
            response = client.response()
            assert response.status == 400
            assert b"come from a proxy" in response.content


def test_a_second_header_is_no_request(begin):
    with Client(begin()) as client:
        client.send(V1 + V1 + request("/"))
        assert client.response().status == 400


def test_a_header_of_a_silent_proxy_has_as_long_as_a_head(begin, monkeypatch):
    clock = Clock(monkeypatch)
    running = begin(head_timeout=10)
    probe = Client(running)
    with probe, Client(running) as client, Client(running) as silent:
        probe.send(V1)
        client.send(V1[:20])
        assert probe.ask("/").status == 200
        eventually(lambda: inside.open_connections(running.server) == 3, "they are not accepted")
        clock.now += 11
        assert client.response().status == 408
        assert silent.ended()


def test_connections_are_counted_for_the_client_of_the_header(begin):
    running = begin(max_connections_per_ip=1)
    with Client(running) as one, Client(running) as two, Client(running) as three:
        one.send(v2("192.0.2.1"))
        assert told_to(one)["REMOTE_ADDR"] == "192.0.2.1"
        two.send(v2("192.0.2.2"))
        assert told_to(two)["REMOTE_ADDR"] == "192.0.2.2"
        three.send(v2("192.0.2.1") + request("/"))
        assert three.response().status == 503
        one.close()
        eventually(lambda: inside.open_connections(running.server) <= 2, "it is not closed")
        with Client(running) as again:
            again.send(v2("192.0.2.1"))
            assert told_to(again)["REMOTE_ADDR"] == "192.0.2.1"


def test_the_access_log_has_the_client_of_the_header(begin, tmp_path):
    running = begin(access_log=str(tmp_path / "log"))
    with Client(running) as client:
        client.send(v2())
        assert client.ask("/").status == 200
    running.stop()
    assert (tmp_path / "log").read_text().startswith("192.0.2.1 - - [")


def test_without_the_option_a_header_is_no_request(start):
    running = start(told, trusted_proxy=["127.0.0.1"])
    for header in (V1, v2()):
        with Client(running) as client:
            client.send(header + request("/"))
            assert client.response().status in (400, 505)
    assert ask(running, "/").status == 200
    assert seen(running)["REMOTE_ADDR"] == "127.0.0.1"


def test_the_option_needs_a_trusted_proxy():
    with pytest.raises(UsageError, match="--trusted-proxy"):
        Config(proxy_protocol=True)


def test_the_proxy_redirects_where_it_says_who_its_client_is():
    with pytest.raises(UsageError, match="let the proxy redirect"):
        Config(proxy_protocol=True, trusted_proxy=["127.0.0.1"], tls_cert=["cert.pem"], redirect_http=80)
