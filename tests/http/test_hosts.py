"""Virtual hosts: the host that a Host field names, and the patterns that take it."""

from __future__ import annotations

import pytest

from tpserver.errors import RequestRefused
from tpserver.http.hosts import VirtualHost, check_host, host_name, parents, parse_pattern, parse_virtual_host


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.Com", "example.com"),
        ("example.com:8080", "example.com"),
        ("example.com:", "example.com"),
        ("example.com.", "example.com"),
        ("example.com.:80", "example.com"),
        ("127.0.0.1:8888", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[::1]:8888", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[2001:DB8::A]", "[2001:db8::a]"),
        ("[v1.Fe80]", "[v1.fe80]"),
        ("my_site.example", "my_site.example"),
        ("ex%41mple.com", "ex%41mple.com"),
        ("0.0.0.0=5000", "0.0.0.0=5000"),
        (f"{'a' * 63}.example", f"{'a' * 63}.example"),
        ("a." * 126 + "a", "a." * 126 + "a"),
        ("a." * 127, ("a." * 127)[:-1]),
        ("", ""),
        ("no host", ""),
    ],
)
def test_the_host_of_a_field(value: str, host: str) -> None:
    assert host_name(value) == host


@pytest.mark.parametrize(
    "value",
    [
        ".", "..", "..b.example", ".b.example", "b..example", "b.example..", "-.b.example", "-a.example", "a-.example",
        "*.b.example", "*", "a*b.example", "ex%4.com", "a!b.example", "a~b", f"{'a' * 64}.example", "a." * 127 + "a",
        "." * 65_000,
        "a." * 32_000, "a" * 65_000, "[" + ":" * 65_000 + "]", "[" + "1:" * 30_000 + "]",
        f"[v1.{'a' * 65_000}]", ".:80",
    ],
    ids=lambda value: f"{value[:12]}-{len(value)}",
)  # fmt: skip
def test_what_is_no_name_of_a_host_is_refused_before_anything_looks_at_it(value: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        check_host(value)
    assert caught.value.status == 400
    assert host_name(value) == ""


@pytest.mark.parametrize(
    ("host", "patterns"),
    [
        ("www.a.example", ["www.a.example", "*.a.example", "*.example"]),
        ("example", ["example"]),
        ("", [""]),
        ("[2001:db8::1.2.3.4]", ["[2001:db8::1.2.3.4]"]),
    ],
)
def test_the_nearest_pattern_comes_first(host: str, patterns: list[str]) -> None:
    assert parents(host) == patterns


@pytest.mark.parametrize(
    ("written", "pattern"),
    [
        ("example.com", "example.com"),
        ("Example.COM.", "example.com"),
        ("*.Example.com", "*.example.com"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[0::1]", "[::1]"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("my_site.example", "my_site.example"),
    ],
)
def test_a_pattern(written: str, pattern: str) -> None:
    assert parse_pattern(written) == pattern


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("*", "all other hosts get --root and --app"),
        ("example.com:80", "has a port"),
        ("*.example.com:80", "has a port"),
        ("m\u00fcnchen.example", "with xn--"),
        ("[::1", "is not an IPv6 address"),
        ("[::g]", "is not an IPv6 address"),
        ("[1:2]", "is not an IPv6 address"),
        ("[v1.x]", "is not an IPv6 address"),
        ("*.[::1]", "is not a host"),
        ("::1", "is not a host"),
        ("www.*.example", "is not a host"),
        ("*.*.example", "is not a host"),
        ("*example", "is not a host"),
        ("a..b", "is not a host"),
        ("-a.example", "is not a host"),
        ("a b", "is not a host"),
        ("http://a.example", "is not a host"),
        ("a" * 64 + ".example", "is not a host"),
        (".".join(["a" * 60] * 5), "is not a host"),
    ],
)
def test_what_is_no_pattern(written: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_pattern(written)


def test_a_virtual_host_is_a_host_and_what_it_has() -> None:
    assert parse_virtual_host("A.example=C:\\x=y") == VirtualHost("a.example", "C:\\x=y")
    assert parse_virtual_host("*.a.example=site:app") == VirtualHost("*.a.example", "site:app")


@pytest.mark.parametrize("text", ["", "a.example", "a.example=", "=html"])
def test_what_is_no_virtual_host(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST=DIR or HOST=MODULE:CALLABLE"):
        parse_virtual_host(text)
