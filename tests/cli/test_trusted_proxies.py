"""--trusted-proxy on the command line, and the variable that other servers read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import ask
from tests.console import failing, tpserver
from tpserver.cli import read
from tpserver.config import Config
from tpserver.environment import add_environment
from tpserver.errors import UsageError

SHOWS_CLIENT = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']}".encode()]
"""


def proxies(*typed: str) -> tuple[object, ...]:
    values = vars(read(typed))
    add_environment(values)
    return Config(**values).trusted_proxy


def test_the_variable_of_other_servers_stands_in_for_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.1, 10.1.0.0/16,::1,")
    assert proxies() == ("10.0.0.1/32", "10.1.0.0/16", "::1/128")
    assert proxies("--trusted-proxy", "unix") == ("unix",)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert proxies() == ("*",)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "")
    assert proxies() == ()


def test_a_wrong_value_of_the_variable_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "proxy.example")
    with pytest.raises(UsageError, match=r"^FORWARDED_ALLOW_IPS: 'proxy\.example' is not an address"):
        proxies()


def test_a_wrong_address_of_a_proxy_is_one_line(tmp_path: Path) -> None:
    ended = failing("--trusted-proxy", "10.0.0.1/8", cwd=tmp_path)
    assert ended.status == 2
    assert ended.stderr.count("\n") == 1
    assert "10.0.0.1/8" in ended.stderr
    assert "has host bits set" in ended.stderr


def test_a_server_behind_a_proxy(tmp_path: Path) -> None:
    (tmp_path / "shows.py").write_text(SHOWS_CLIENT)
    with tpserver(
        "shows:app", "--trusted-proxy", "127.0.0.1", "--trusted-proxy", "10.0.0.0/8", cwd=tmp_path
    ) as console:
        console.url  # noqa: B018 - it serves
        response = ask(console, "/", "X-Forwarded-For: 192.0.2.1, 10.1.1.1", "X-Forwarded-Proto: https")
        assert response.content == b"192.0.2.1 https"
        assert console.stop().status == 0
