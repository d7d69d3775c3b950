"""The four forms of a request target, as a table: path, query and authority (RFC 9112 section 3.2)."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpserver.errors import RequestRefused
from tpserver.http.target import parse_target, percent_decoded


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/", ("/", "", None)),
        ("/a/b", ("/a/b", "", None)),
        ("/a?b=c&d", ("/a", "b=c&d", None)),
        ("/?", ("/", "", None)),
        ("/a?b?c", ("/a", "b?c", None)),
        ("//a//b", ("//a//b", "", None)),
        ("/a;b=c", ("/a;b=c", "", None)),
        ("/%41%7e", ("/A~", "", None)),
        ("/a%2fb", ("/a/b", "", None)),
        ("/a%2Fb", ("/a/b", "", None)),
        ("/%2e%2e/a", ("/../a", "", None)),
        ("/%252e", ("/%2e", "", None)),  # decoded once
        ("/a%3Fb?c", ("/a?b", "c", None)),
        ("/a%23b", ("/a#b", "", None)),
        ("/a+b", ("/a+b", "", None)),
        ("/%c3%a4", ("/\xc3\xa4", "", None)),  # bytes as latin-1
        ("/%ff", ("/\xff", "", None)),
        ("/%0d%0a", ("/\r\n", "", None)),
        ("/a?%00%41", ("/a", "%00%41", None)),  # a query stays as it is
        ("/a?100%", ("/a", "100%", None)),
        ("/%5c", ("/\\", "", None)),
        ("/a:b@c", ("/a:b@c", "", None)),
        ("http://h", ("/", "", "h")),
        ("http://h/", ("/", "", "h")),
        ("http://h:81/a?b", ("/a", "b", "h:81")),
        ("HTTPS://h/a%41", ("/aA", "", "h")),
        ("http://h?b", ("/", "b", "h")),
        ("http://[::1]:81/a", ("/a", "", "[::1]:81")),
        ("http://h//evil.example/..", ("//evil.example/..", "", "h")),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "X"])
def test_origin_and_absolute_form(method: str, target: str, parts: tuple[str, str, str | None]) -> None:
    assert tuple(parse_target(method, target)) == parts


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("*", ("*", "", None)),
        ("http://h", ("*", "", "h")),
        ("http://h:81", ("*", "", "h:81")),
        ("http://h/", ("/", "", "h")),
        ("http://h?a", ("/", "a", "h")),
        ("/*", ("/*", "", None)),
        ("/", ("/", "", None)),
    ],
)
def test_options_may_ask_about_the_server_itself(target: str, parts: tuple[str, str, str | None]) -> None:
    assert tuple(parse_target("OPTIONS", target)) == parts


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "*"),
        ("OPTIONS", "**"),
        ("OPTIONS", "*?a"),
        ("GET", "a"),
        ("GET", "?a"),
        ("GET", "\\a"),
        ("GET", "h:80"),
        ("GET", "http:/h"),
        ("GET", "http:///a"),
        ("GET", "http://"),
        ("GET", "http://?a"),
        ("GET", "http://user@h/"),
        ("GET", "http://h:x/"),
        ("GET", "http://h\\evil/"),
        ("GET", "ftp://h/"),
        ("GET", "file:///etc/passwd"),
        ("GET", "javascript:alert(1)"),
        ("GET", "/a#b"),
        ("GET", "/a?b#c"),
        ("GET", "http://h/#"),
        ("GET", "/%00"),
        ("GET", "/a%00.html"),
        ("CONNECT", "/"),
        ("CONNECT", "h"),
        ("CONNECT", ":80"),
        ("CONNECT", "h:"),
        ("CONNECT", "http://h:80/"),
    ],
)
def test_a_target_of_no_form_is_refused(method: str, target: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse_target(method, target)
    assert refused.value.status == 400
    assert refused.value.close


def test_connect_is_for_proxies_and_this_is_none() -> None:
    with pytest.raises(RequestRefused) as refused:
        parse_target("CONNECT", "h:443")
    assert refused.value.status == 501
    assert refused.value.close


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/100%", "/100%"),
        ("/%", "/%"),
        ("/%4", "/%4"),
        ("/%zz", "/%zz"),
        ("/%%41", "/%A"),
        ("/%u0041=%3D", "/%u0041=="),
        ("/%2541", "/%41"),
        ("http://h/50%", "/50%"),
    ],
)
def test_a_percent_sign_that_begins_no_escape_is_one(target: str, path: str) -> None:
    assert parse_target("GET", target)[0] == path


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20), st.binary(max_size=20))
def test_escapes_are_decoded_as_by_the_standard_library(text: str, octets: bytes) -> None:
    for path in (text, quote(octets) + text, text + quote(octets), "%" + text):
        assert percent_decoded(path) == unquote_to_bytes(path).decode("latin-1")
