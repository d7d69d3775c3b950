"""Behind proxies: an application, the access log and the limits see the client that a trusted proxy names."""

from __future__ import annotations

import json

import pytest

from tests.client import Client, ask, chunked, exchange, parse, request, to_the_end
from tests.clock import Clock
from tests.waiting import eventually
from tpserver import Config
from tpserver.errors import UsageError
from tpserver.protocol import HTTPRequest
from tpserver.proxied import ProxiedProtocol
from tpserver.site.site import Site

KEYS = (
    "REMOTE_ADDR", "REMOTE_PORT", "REMOTE_HOST", "wsgi.url_scheme", "HTTPS", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT",
    "SCRIPT_NAME", "PATH_INFO", "HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP",
)  # fmt: skip
SPOOFED = (
    "Forwarded: for=203.0.113.9;proto=https;host=evil.example",
    "X-Real-IP: 203.0.113.9",
)
SPOOFED_X = (
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 444",
    "X-Forwarded-Prefix: /evil",
)


def told(environ, start_response):
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json")])
    seen = {key: environ[key] for key in KEYS if key in environ}
    return [json.dumps({**seen, "content": content.decode("latin-1")}).encode()]


def seen(running, *fields, **more):
    response = ask(running, more.pop("target", "/path"), *fields, **more)
    assert response.status == 200, response.content
    return json.loads(response.content)


def test_an_application_sees_the_client_of_a_trusted_proxy(start):
    running = start(told, trusted_proxy=["127.0.0.1"])
    environ = seen(
        running,
        "X-Forwarded-For: 203.0.113.9, 192.0.2.1:4711",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: www.example",
        "X-Forwarded-Prefix: /app",
    )
    assert environ == environ | {
        "REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "4711", "REMOTE_HOST": "192.0.2.1", "wsgi.url_scheme": "https",
        "HTTPS": "on", "HTTP_HOST": "www.example", "SERVER_NAME": "www.example", "SERVER_PORT": "443",
        "SCRIPT_NAME": "/app", "PATH_INFO": "/path",
    }  # fmt: skip
    environ = seen(running, 'Forwarded: for="[2001:db8::1]:80";proto=https;host="www.example:8443"')
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("2001:db8::1", "80")
    assert (environ["wsgi.url_scheme"], environ["SERVER_PORT"]) == ("https", "8443")


@pytest.mark.parametrize(("trusted", "client"), [("unix", ("192.0.2.1", "")), ("127.0.0.1", ("", ""))])
def test_the_client_of_a_unix_socket_may_be_a_proxy(trusted, client):
    protocol = ProxiedProtocol(Config(trusted_proxy=[trusted]), Site(None, None))
    message = protocol.receiver("").receive(request("/", "X-Forwarded-For: 192.0.2.1"))
    assert isinstance(message, HTTPRequest)
    assert message.remote == client


def test_each_messageof_a_connection_has_its_own_client(start):
    running = start(told, trusted_proxy=["127.0.0.0/8"])
    with Client(running) as proxy:
        for number in (1, 2, 2, 2, 3):
            response = proxy.ask("/", f"X-Forwarded-For: 192.0.2.{number}", "Cookie: a=1")
            assert json.loads(response.content)["REMOTE_ADDR"] == f"192.0.2.{number}"
        assert json.loads(proxy.ask("/").content)["REMOTE_ADDR"] == "127.0.0.1"  # such as a check of its health
        response = proxy.ask("/", "Forwarded: for=unknown;proto=https")
        assert json.loads(response.content)["REMOTE_ADDR"] == ""
        assert json.loads(proxy.ask("/").content)["wsgi.url_scheme"] == "http"


def test_pipelined_requests_of_several_clients(start):
    running = start(told, trusted_proxy=["127.0.0.1"])
    with Client(running) as proxy:
        proxy.send(b"".join(request("/", f"X-Forwarded-For: 192.0.2.{number}") for number in range(1, 9)))
        for number in range(1, 9):
            assert json.loads(proxy.response().content)["REMOTE_ADDR"] == f"192.0.2.{number}"


@pytest.mark.parametrize("options", [{}, {"stream_body": ["/"], "stream_chunked": True}])
def test_contents_come_with_their_client(start, options):
    running = start(told, trusted_proxy=["127.0.0.1"], **options)
    fields = ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"]
    for data in (
        request("/", *fields, method="POST", content=b"content"),
        chunked("/", b"con", b"tent", fields=fields),
        request("http://other.example/", *fields, "X-Forwarded-Host: www.example", method="POST", content=b"content"),
    ):
        environ = json.loads(_content(exchange(running, data)))
        assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("192.0.2.1", "https")
        assert environ["content"] == "content"
    assert environ["HTTP_HOST"] == "www.example"


def _content(data):
    return parse(data).content


def test_an_untrusted_client_is_not_believed(start):
    plain = seen(start(told))
    running = start(told, trusted_proxy=["192.0.2.99"])
    for fields in (SPOOFED, SPOOFED_X, SPOOFED + SPOOFED_X):
        environ = seen(running, *fields)
        environ["SERVER_PORT"] = plain["SERVER_PORT"]
        environ["REMOTE_PORT"] = plain["REMOTE_PORT"]
        assert environ == plain  # not even a framework that looks for itself finds anything


def test_the_fields_of_strangers_are_kept_where_that_is_asked_for(start):
    for options in ({}, {"trusted_proxy": ["192.0.2.99"], "untrusted_forwarded": "keep"}):
        environ = seen(start(told, **options), *SPOOFED, *SPOOFED_X)
        assert environ["REMOTE_ADDR"] == "127.0.0.1"
        assert environ["wsgi.url_scheme"] == "http"
        assert environ["HTTP_X_FORWARDED_FOR"] == environ["HTTP_X_REAL_IP"] == "203.0.113.9"


def test_the_fields_of_strangers_are_dropped_without_a_trusted_proxy(start):
    environ = seen(start(told, untrusted_forwarded="drop"), *SPOOFED, *SPOOFED_X)
    assert not any("FORWARDED" in name or "REAL" in name for name in environ)


def test_a_malformed_value_of_a_trusted_proxy_gets_400_and_a_warning(start, log, monkeypatch):
    clock = Clock(monkeypatch)
    running = start(told, trusted_proxy=["127.0.0.1"])
    for _ in range(3):
        response = ask(running, "/", "X-Forwarded-For: 192.0.2.1, me", "Accept: text/plain")
        assert response.status == 400
        assert b"A proxy has sent 'me' as for, which is malformed." in response.content

    def warnings():
        return [one.getMessage() for one in log.records if "trusted proxy" in one.getMessage()]

    assert len(warnings()) == 1
    assert "the trusted proxy at 127.0.0.1" in warnings()[0]
    assert "X-Forwarded-For" in warnings()[0]
    clock.advance(running, 61)
    assert ask(running, "/", "X-Forwarded-For: \xe9").status == 400
    assert len(warnings()) == 2
    assert "\\xe9" in warnings()[1]


def test_what_contradicts_is_refused_and_the_proxy_goes_on_with_a_new_connection(start):
    running = start(told, trusted_proxy=["127.0.0.1"])
    response = ask(running, "/", "X-Forwarded-For: 192.0.2.1", "Forwarded: for=203.0.113.9")
    assert (response.status, response["connection"]) == (400, "close")
    assert seen(running, "X-Forwarded-For: 192.0.2.1")["REMOTE_ADDR"] == "192.0.2.1"


def test_the_access_log_has_the_client(start, tmp_path):
    log, root = tmp_path / "log", tmp_path / "root"
    root.mkdir()
    (root / "file.txt").write_text("file")
    running = start(told, root=root, access_log=str(log), trusted_proxy=["127.0.0.1"])
    for _ in range(3):  # from the disk, then from memory
        ask(running, "/file.txt", "X-Forwarded-For: 192.0.2.1")
    with Client(running) as proxy:
        proxy.ask("/app", "X-Forwarded-For: 192.0.2.2")
        proxy.ask("/app", "X-Forwarded-For: _hidden")
        proxy.ask("/app")
        proxy.send(b"GET /bad HTTP/1.1\r\n\r\n")
        assert proxy.response().status == 400
    with Client(running) as proxy:
        proxy.send(request("/bad", "X-Forwarded-For: me"))
        assert proxy.response().status == 400
    with to_the_end(running) as proxy:
        proxy.send(request("/left", "X-Forwarded-For: 192.0.2.3", "Content-Length: 5", method="POST") + b"1")
    running.stop()
    lines = [line.split() for line in log.read_text().splitlines()]
    assert [(words[0], words[6], words[8]) for words in lines] == [
        *[("192.0.2.1", "/file.txt", "200")] * 3,
        ("192.0.2.2", "/app", "200"),
        ("-", "/app", "200"),
        ("127.0.0.1", "/app", "200"),
        ("127.0.0.1", "/bad", "400"),
        ("127.0.0.1", "/bad", "400"),
        ("192.0.2.3", "/left", "499"),
    ]


def test_the_host_that_a_proxy_names_chooses_the_virtual_host(start, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(f"this is {name}")
    hosts = [f"{name}.example={tmp_path / name}" for name in ("a", "b")]
    running = start(vhost=hosts, trusted_proxy=["127.0.0.1"])
    response = ask(running, "/", "X-Forwarded-Host: b.example", host="a.example")
    assert response.content == b"this is b"
    untrusted = start(vhost=hosts, trusted_proxy=["192.0.2.99"])
    assert ask(untrusted, "/", "X-Forwarded-Host: b.example", host="a.example").content == b"this is a"


def test_a_prefix_of_a_proxy_comes_before_that_of_a_mount(start, tmp_path):
    (tmp_path / "mounted_behind_proxy.py").write_text(f"from {__name__} import told as app\n")
    running = start(mount=[f"/api={tmp_path / 'mounted_behind_proxy.py'}:app"], trusted_proxy=["127.0.0.1"])
    environ = seen(running, "X-Forwarded-Prefix: /outer", target="/api/x")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/outer/api", "/x")
    assert seen(running, target="/api/x")["SCRIPT_NAME"] == "/api"


@pytest.mark.parametrize(
    ("prefix", "rule", "location"),
    [
        ("/app", "/old=/new?a=1", "/app/new?a=1"),
        ("/a/caf%C3%A9%25/", "/old=/new", "/a/caf%C3%A9%25/new"),
        ("/", "/old=/new", "/new"),
        ("/app", "/old=https://www.example/", "https://www.example/"),
        ("/app", "/old=//www.example/", "//www.example/"),
    ],
)
def test_a_redirect_leads_behind_the_prefix_of_a_proxy(start, tmp_path, prefix, rule, location):
    running = start(root=tmp_path, redirect=[rule], trusted_proxy=["127.0.0.1"])
    assert ask(running, "/old", f"X-Forwarded-Prefix: {prefix}")["Location"] == location
    untrusted = start(root=tmp_path, redirect=[rule], trusted_proxy=["192.0.2.99"])
    assert ask(untrusted, "/old", f"X-Forwarded-Prefix: {prefix}")["Location"] == location.removeprefix(
        prefix.removesuffix("/")
    )


@pytest.mark.parametrize(
    ("fields", "logged"),
    [
        (("X-Forwarded-For: 203.0.113.9", "x-forwarded-for: 192.0.2.1"), "192.0.2.1"),
        (("Forwarded: for=192.0.2.1",), "192.0.2.1"),
        (("X-Forwarded-For: nonsense",), "127.0.0.1"),
        ((), "127.0.0.1"),
    ],
)
def test_a_request_that_is_refused_for_its_length_is_logged_with_the_client(start, tmp_path, fields, logged):
    path = tmp_path / "access.log"
    running = start(told, trusted_proxy=["127.0.0.1"], max_body=10, access_log=str(path))
    with Client(running) as client:
        client.send(request("/", *fields, "Content-Length: 1000", method="POST"))
        assert client.response().status == 413
    running.stop()
    assert path.read_text().startswith(f"{logged} ")


def test_the_connections_of_a_trusted_proxy_are_not_those_of_one_client(start):
    running = start(told, trusted_proxy=["127.0.0.1"], max_connections_per_ip=1)
    with Client(running) as one, Client(running) as two:
        assert one.ask("/").status == two.ask("/").status == 200
    running = start(told, trusted_proxy=["192.0.2.99"], max_connections_per_ip=1)
    with Client(running) as one, Client(running) as two:
        assert one.ask("/").status == 200
        assert two.response().status == 503


def test_each_client_of_a_proxy_has_its_own_share_of_the_disk(start, contents_on_disk):
    running = start(told, trusted_proxy=["127.0.0.1"], max_spool=400_000)

    def upload(client, size=150_000):
        fields = [f"X-Forwarded-For: {client}", f"Content-Length: {size + 1}"]
        proxy.send(request("/", *fields, method="POST") + b"a" * size)

    with Client(running) as proxy:
        upload("192.0.2.1")
        eventually(lambda: running.server.stats()["spool"]["bytes"] >= 150_000, "it is not stored")
        with Client(running) as proxy:
            upload("192.0.2.1")  # more than half of the space
            assert proxy.response().status == 503
        with Client(running) as proxy:
            upload("192.0.2.2")
            proxy.send(b"b")
            assert proxy.response().status == 200


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"trusted_proxy": ["10.0.0.1/8"]}, "10.0.0.1/8"),
        ({"trusted_proxy": ["proxy.example"]}, "proxy.example"),
        ({"untrusted_forwarded": "maybe"}, "maybe"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(start, options, text):
    with pytest.raises(UsageError, match=text):
        start(told, **options)
