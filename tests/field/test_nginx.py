"""Real nginx in front, with the shipped files: the application sees the client, and only nginx says who that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import Client
from tests.field.proxies import CLIENT, MALFORMED, NGINX_ONE, NGINX_SEVERAL, SPOOFED, front, needs, seen, told
from tests.logged import errors
from tests.running import Start

pytestmark = [pytest.mark.field, needs("nginx")]


@pytest.mark.parametrize("site", [NGINX_ONE, NGINX_SEVERAL], ids=["one", "several"])
def test_an_application_sees_the_client(start: Start, tmp_path: Path, site: Path) -> None:
    server = start(told, trusted_proxy=["127.0.0.1"])
    with front(site, tmp_path / "nginx", server.address[1]) as nginx:
        host = f"www.example:{nginx.port}"
        environ = seen(nginx, host=host)
        assert environ["others"] == ["HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"]
        assert environ == environ | {
            "REMOTE_ADDR": CLIENT, "wsgi.url_scheme": "http", "HTTP_HOST": host, "SERVER_NAME": "www.example",
            "SERVER_PORT": str(nginx.port), "SCRIPT_NAME": "", "PATH_INFO": "/path",
        }  # fmt: skip
        assert "HTTPS" not in environ
        assert seen(nginx, *SPOOFED, host=host) == environ
        for line in MALFORMED:
            assert seen(nginx, line, host=host) == environ
        environ = seen(nginx, host=host, method="POST", content=b"c" * 100_000)
        assert (environ["content"], environ["REMOTE_ADDR"]) == (100_000, CLIENT)


def test_the_address_of_each_client(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "access"
    server = start(told, trusted_proxy=["127.0.0.1"], access_log=str(log))
    with front(NGINX_ONE, tmp_path / "nginx", server.address[1]) as nginx:
        for number in (7, 8, 9):
            with Client(nginx, source=f"127.0.1.{number}") as client:
                for _ in range(3):
                    assert f'"REMOTE_ADDR": "127.0.1.{number}"' in client.ask("/").content.decode()
    server.stop()
    assert [line.split()[0] for line in log.read_text().splitlines()] == [
        f"127.0.1.{number}" for number in (7, 8, 9) for _ in range(3)
    ]


def test_two_in_a_row(start: Start, tmp_path: Path) -> None:
    """The inner nginx has the lines of the shipped file's comment, and trusts the outer one as the server does."""
    server = start(told, trusted_proxy=["127.0.0.1"])
    with (
        front(NGINX_ONE, tmp_path / "inner", server.address[1], inner=True) as inner,
        front(NGINX_ONE, tmp_path / "outer", inner.port) as outer,
        Client(outer, source="127.0.1.7") as client,
    ):
        host = f"www.example:{outer.port}"
        for fields in ((), SPOOFED, ("X-Forwarded-For: 127.0.0.1",)):
            content = client.ask("/", *fields, host=host).content.decode()
            assert '"REMOTE_ADDR": "127.0.1.7"' in content
            assert '"wsgi.url_scheme": "http"' in content
            assert f'"HTTP_HOST": "{host}"' in content
            assert '"SCRIPT_NAME": ""' in content


def test_a_server_that_does_not_trust_it_sees_nothing_but_nginx(start: Start, tmp_path: Path) -> None:
    server = start(told, trusted_proxy=["192.0.2.1"])
    with front(NGINX_ONE, tmp_path / "nginx", server.address[1]) as nginx:
        environ = seen(nginx, *SPOOFED)
        assert (environ["REMOTE_ADDR"], environ["others"]) == ("127.0.0.1", [])


def test_files_and_redirects_behind_nginx(start: Start, tmp_path: Path) -> None:
    (tmp_path / "root" / "folder").mkdir(parents=True)
    (tmp_path / "root" / "folder" / "index.html").write_text("index")
    (tmp_path / "root" / "large.bin").write_bytes(bytes(3_000_000))
    server = start(root=str(tmp_path / "root"), trusted_proxy=["127.0.0.1"])
    with front(NGINX_ONE, tmp_path / "nginx", server.address[1]) as nginx, Client(nginx) as client:
        assert client.ask("/folder")["location"] == "folder/"
        assert client.ask("/folder/").content == b"index"
        assert client.ask("/large.bin").content == bytes(3_000_000)


def test_an_instance_that_is_gone_is_left_out(start: Start, tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    one, two = (start(told, trusted_proxy=["127.0.0.1"]) for _ in range(2))
    with front(NGINX_SEVERAL, tmp_path / "nginx", one.address[1], two.address[1]) as nginx:
        for _ in range(8):
            seen(nginx)
        one.stop()
        for number in range(20):
            assert seen(nginx, method="POST" if number % 2 else "GET", content=b"c")["content"] == 1
    assert errors(log) == []
