"""How an address to listen on is written."""

from __future__ import annotations

import pytest

from tpserver.transport.endpoint import Endpoint, parse_endpoint


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:8000", Endpoint("127.0.0.1", 8000)),
        ("127.0.0.1", Endpoint("127.0.0.1")),
        ("localhost:0", Endpoint("localhost", 0)),
        ("my_host.example:80", Endpoint("my_host.example", 80)),
        ("[::1]:8000", Endpoint("::1", 8000)),
        ("[::]", Endpoint("::")),
        ("::", Endpoint("::")),
        ("fe80::1%eth-0", Endpoint("fe80::1%eth-0")),
        ("[fe80::1%eth0]:80", Endpoint("fe80::1%eth0", 80)),
        (":8000", Endpoint("0.0.0.0", 8000)),
        ("*:8000", Endpoint("0.0.0.0", 8000)),
        ("*", Endpoint("0.0.0.0")),
        ("http://localhost:8000/", Endpoint("localhost", 8000)),
        ("tcp://127.0.0.1:8000", Endpoint("127.0.0.1", 8000)),
        ("unix:/run/x.sock", Endpoint(path="/run/x.sock")),
        ("unix:///run/x.sock", Endpoint(path="/run/x.sock")),
        ("unix:x.sock", Endpoint(path="x.sock")),
        ("unix:a:1", Endpoint(path="a:1")),
        ("unix:@name", Endpoint(path="@name")),
        ("fd:3", Endpoint(descriptor=3)),
        ("fd://3", Endpoint(descriptor=3)),
        ("fd:0", Endpoint(descriptor=0)),
    ],
)
def test_what_it_means(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "write HOST:PORT"),
        ("8000", r"write 127\.0\.0\.1:8000"),
        ("host:65536", "65535 at most"),
        ("host:800000", "is no address"),
        ("host:", "is no address"),
        ("host:http", "is no address"),
        ("/run/x.sock", "is no address"),
        ("C:\\x", "is no address"),
        ("a b", "is no address"),
        ("[localhost]:80", "only an IPv6 address"),
        ("[::1", "is no address"),
        ("::1]:80", "is no address"),
        ("[::1]x:80", "is no address"),
        ("https://localhost", "is no address"),
        ("unix:", "names no unix socket"),
        ("unix:@", "names no unix socket"),
        ("unix:a\0b", "names no unix socket"),
        ("fd:", "names no descriptor"),
        ("fd:-1", "names no descriptor"),
        ("fd:three", "names no descriptor"),
        ("fd:9999999999", "names no descriptor"),
    ],
)
def test_what_is_none(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_endpoint(text)


@pytest.mark.parametrize(
    "text", ["127.0.0.1:8000", "[::1]:8000", "::1", "unix:/run/x.sock", "unix:@name", "fd:3", "host"]
)
def test_it_is_shown_as_it_is_written(text: str) -> None:
    assert parse_endpoint(str(parse_endpoint(text))) == parse_endpoint(text)
