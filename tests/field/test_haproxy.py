"""Real HAProxy in front, with the shipped files: by the PROXY protocol for one instance, by fields for several."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.client import Client
from tests.field.proxies import (
    CLIENT,
    HAPROXY_ONE,
    HAPROXY_SEVERAL,
    MALFORMED,
    NGINX_ONE,
    SPOOFED,
    front,
    needs,
    seen,
    told,
)
from tests.logged import errors
from tests.running import Running, Start
from tests.tls.certificates import write
from tests.tls.client import TLSClient
from tests.waiting import eventually

pytestmark = [pytest.mark.field, needs("haproxy")]


def behind(start: Start, site: Path, **options: object) -> Running:
    return start(told, trusted_proxy=["127.0.0.1"], proxy_protocol=site is HAPROXY_ONE, **options)


@pytest.mark.parametrize("site", [HAPROXY_ONE, HAPROXY_SEVERAL], ids=["one", "several"])
def test_an_application_sees_the_client(
    start: Start, tmp_path: Path, site: Path, log: pytest.LogCaptureFixture
) -> None:
    server = behind(start, site)
    with front(site, tmp_path / "haproxy", server.address[1]) as haproxy:
        host = f"www.example:{haproxy.port}"
        environ = seen(haproxy, host=host)
        assert environ == environ | {
            "REMOTE_ADDR": CLIENT, "wsgi.url_scheme": "http", "HTTP_HOST": host, "SCRIPT_NAME": "",
            "PATH_INFO": "/path",
        }  # fmt: skip
        assert "HTTPS" not in environ
        assert seen(haproxy, *SPOOFED, host=host) == environ
        for line in MALFORMED:
            assert seen(haproxy, line, host=host) == environ
        for number in (7, 8, 9):
            with Client(haproxy, source=f"127.0.1.{number}") as client:
                for _ in range(3):
                    assert f'"REMOTE_ADDR": "127.0.1.{number}"' in client.ask("/").content.decode()
        assert seen(haproxy, host=host, method="POST", content=b"c" * 100_000)["content"] == 100_000
    assert errors(log) == []


@pytest.mark.parametrize("site", [HAPROXY_ONE, HAPROXY_SEVERAL], ids=["one", "several"])
def test_its_checks_of_health_are_answered(start: Start, tmp_path: Path, site: Path) -> None:
    server = behind(start, site)
    with front(site, tmp_path / "haproxy", server.address[1]) as haproxy:
        eventually(lambda: server.server.stats()["requests"]["handled"] >= 2, "no check comes")
        assert seen(haproxy)["REMOTE_ADDR"] == CLIENT
        assert server.server.stats()["refused"] == {}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls_that_ends_at_haproxy_is_seen_by_the_application(start: Start, tmp_path: Path) -> None:
    pem, key = tmp_path / "site.pem", tmp_path / "site.key"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=www.example"]
    subprocess.run([*made, "-keyout", key, "-out", pem], check=True, capture_output=True)
    pem.write_text(pem.read_text() + key.read_text())
    for site in (HAPROXY_ONE, HAPROXY_SEVERAL):
        secure = tmp_path / site.name
        secure.write_text(
            site.read_text().replace("bind :80\n", f"bind :80\n    bind 127.0.0.1:{_free()} ssl crt {pem}\n")
        )
        server = behind(start, site)
        port = int(secure.read_text().partition("bind 127.0.0.1:")[2].partition(" ")[0])
        with front(secure, tmp_path / f"haproxy-{site.name}", server.address[1]):
            content = _ask_by_tls(port, pem)
            assert '"wsgi.url_scheme": "https"' in content
            assert '"HTTPS": "on"' in content
            assert '"SERVER_PORT": "443"' in content
            assert '"REMOTE_ADDR": "127.0.0.1"' in content


def test_tls_that_haproxy_passes_on_ends_at_the_server(start: Start, tmp_path: Path) -> None:
    certificate, key = write(tmp_path)
    server = start(told, trusted_proxy=["127.0.0.1"], proxy_protocol=True, tls_cert=[certificate], tls_key=[key])
    passing = tmp_path / "passing.cfg"
    passing.write_text(
        "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n"
        "frontend all\n    bind :80\n    default_backend one\n"
        "backend one\n    server one 127.0.0.1:8000 send-proxy-v2\n"
    )
    with (
        front(passing, tmp_path / "haproxy", server.address[1]) as haproxy,
        TLSClient(haproxy, source="127.0.1.7") as client,
    ):
        for _ in range(2):
            content = client.ask("/").content.decode()
            assert '"REMOTE_ADDR": "127.0.1.7"' in content
            assert '"wsgi.url_scheme": "https"' in content


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _ask_by_tls(port: int, pem: Path) -> str:
    context = ssl.create_default_context(cafile=str(pem))
    context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="www.example") as sock,
    ):
        sock.sendall(b"GET / HTTP/1.1\r\nHost: www.example\r\nConnection: close\r\n\r\n")
        return sock.makefile("rb").read().decode("latin-1")


@needs("haproxy", "nginx")
def test_haproxy_in_front_of_nginx(start: Start, tmp_path: Path) -> None:
    server = start(told, trusted_proxy=["127.0.0.1"])
    with (
        front(NGINX_ONE, tmp_path / "inner", server.address[1], inner=True) as inner,
        front(HAPROXY_SEVERAL, tmp_path / "outer", inner.port) as outer,
        Client(outer, source="127.0.1.7") as client,
    ):
        for fields in ((), SPOOFED):
            content = client.ask("/", *fields, host="www.example").content.decode()
            assert '"REMOTE_ADDR": "127.0.1.7"' in content
            assert '"wsgi.url_scheme": "http"' in content
            assert '"HTTP_HOST": "www.example"' in content
            assert '"SCRIPT_NAME": ""' in content


def test_a_client_that_goes_around_haproxy_is_refused(start: Start, tmp_path: Path) -> None:
    server = behind(start, HAPROXY_ONE)
    with front(HAPROXY_ONE, tmp_path / "haproxy", server.address[1]), Client(server) as direct:
        direct.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert direct.response().status == 400
