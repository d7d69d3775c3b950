"""Field lines by themselves, and the memory of them. (Whole heads full of bad ones: tests/requests.)"""

from __future__ import annotations

import pytest

from tpserver.errors import RequestRefused
from tpserver.http import fields
from tpserver.http.fields import DROPPED, field_memory, join, parse_field_line
from tpserver.http.hosts import check_host


def parse(line: bytes) -> tuple[str, str]:
    return parse_field_line(line)


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        (b"Accept: */*", ("HTTP_ACCEPT", "*/*")),
        (b"accept:*/*", ("HTTP_ACCEPT", "*/*")),
        (b"X-One-Two: \t a  b \t ", ("HTTP_X_ONE_TWO", "a  b")),
        (b"Content-Type: text/plain", ("CONTENT_TYPE", "text/plain")),
        (b"content-length: 5", ("CONTENT_LENGTH", "5")),
        (b"Cookie: a=1", ("HTTP_COOKIE", "a=1")),
        (b"COOKIE: a=1", ("HTTP_COOKIE", "a=1")),
        (b"Authorization: Basic eDp5", ("HTTP_AUTHORIZATION", "Basic eDp5")),
        (b"Referer: http://h/", ("HTTP_REFERER", "http://h/")),
        (b"X: \xe9\xff", ("HTTP_X", "\xe9\xff")),
        (b"X:\xa0a\xa0", ("HTTP_X", "\xa0a\xa0")),  # only space and tab are white space
        (b"X:", ("HTTP_X", "")),
        (b"X: a:b::c", ("HTTP_X", "a:b::c")),
        (b"Host: Example.COM:80", ("HTTP_HOST", "Example.COM:80")),
    ],
)
def test_a_line_becomes_a_name_of_cgi_and_a_value(line: bytes, pair: tuple[str, str]) -> None:
    assert parse(line) == pair


@pytest.mark.parametrize(
    "line", [b"X_Forwarded_For: 1", b"X-Forwarded_For: 1", b"_: 1", b"Content_Length: 5", b"Proxy: x", b"pROXY: x"]
)
def test_a_field_that_would_pass_for_another_is_seen_by_nobody(line: bytes) -> None:
    assert parse(line) is DROPPED


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b" X: a", "white space"),
        (b"\tX: a", "white space"),
        (b"X", "colon"),
        (b"", "colon"),
        (b"X : a", "before the colon"),
        (b"X\t: a", "before the colon"),
        (b": a", "byte"),
        (b"X Y: a", "byte"),
        (b"X: a\0", "byte"),
        (b"X: a\rb", "byte"),
        (b"X: a\nb", "LF alone"),
        (b"X: \x1b[2J", "byte"),
        (b"X: \x7f", "byte"),
        ("\u00dc: a".encode(), "byte"),
    ],
)
def test_a_malformed_line_is_refused_with_a_reason(line: bytes, reason: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse(line)
    assert refused.value.status == 400
    assert refused.value.close
    assert reason in refused.value.detail


def test_a_line_that_comes_again_is_looked_up() -> None:
    memory = field_memory()
    line = b"Accept-Language: en-US"
    assert memory.get(line) is None
    parse_field_line(line, memory)
    assert memory == {}  # it may never come again
    pair = parse_field_line(line, memory)
    assert memory == {line: pair}


@pytest.mark.parametrize("name", [b"Cookie", b"cookie", b"Authorization", b"AUTHORIZATION", b"Proxy-Authorization"])
def test_a_secret_is_never_remembered(name: bytes) -> None:
    memory = field_memory()
    for _ in range(3):
        parse_field_line(name + b": secret", memory)
    assert memory == {}


def test_what_was_refused_or_dropped_is_not_remembered() -> None:
    memory = field_memory()
    for _ in range(3):
        with pytest.raises(RequestRefused):
            parse_field_line(b"Host: a/b", memory)
        parse_field_line(b"X_Y: a", memory)
    assert memory == {}


def test_the_memory_of_lines_is_bounded_in_number_and_size() -> None:
    memory = field_memory()
    for number in range(fields.MEMORY_LINES + 10):
        for _ in range(2):
            parse_field_line(b"X: %d" % number, memory)
        assert len(memory) <= fields.MEMORY_LINES
    assert memory
    memory.clear()
    for _ in range(3):
        parse_field_line(b"X: " + b"a" * fields.MEMORY_LINE_LENGTH, memory)
    assert memory == {}


@pytest.mark.parametrize(
    ("key", "joined"),
    [("HTTP_ACCEPT", "a, b"), ("HTTP_X_FORWARDED_FOR", "a, b"), ("HTTP_COOKIE", "a; b")],
)
def test_a_second_line_of_a_name_is_joined_to_the_first(key: str, joined: str) -> None:
    assert join(key, "a", "b") == joined


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("HTTP_HOST", "Host"),
        ("CONTENT_LENGTH", "Content-Length"),
        ("CONTENT_TYPE", "Content-Type"),
        ("HTTP_AUTHORIZATION", "Authorization"),
    ],
)
def test_a_second_line_that_would_change_the_message_is_refused_by_name(key: str, name: str) -> None:
    with pytest.raises(RequestRefused, match=name):
        join(key, "a", "a")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a",
        "example.com",
        "example.com.",
        "EXAMPLE.com:8080",
        "example.com:",
        "example.com:0",
        "example.com:65535",
        f"example.com:{'0' * 5000}80",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:8888",
        "[::ffff:192.0.2.1]",
        "[v1.a:b]",
        "xn--bcher-kva.example",
        "a_b.example",
        "%41.example",
        "0.0.0.0=5000",
    ],
)
def test_a_host_that_may_be(host: str) -> None:
    check_host(host)


@pytest.mark.parametrize(
    "host",
    [
        ":80",
        "a:65536",
        "a:123456",
        "a:-1",
        "a:8o",
        "a:80:80",
        "a/b",
        "a?b",
        "a#b",
        "a@b",
        "a b",
        "a\\b",
        "a,b",
        "a,",
        "<a>",
        'a"',
        "::1",
        "[::1",
        "::1]",
        "[]",
        "[:::]",
        "[1:2:3:4:5:6:7:8:9]",
        "[::1%25eth0]",
        "[fe80::1%eth0]",
        "[v1.]",
        "%4",
        "%zz",
        "b\xfccher.example",
        "a:\u0668\u0660",
        "http://a",
    ],
)
def test_a_host_that_cannot_be(host: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        check_host(host)
    assert refused.value.status == 400


@pytest.mark.parametrize("value", ["", "+5", "-5", "5.0", "0x5", "1_0", "5, 5", "5 5", "\xb2"])
def test_a_length_that_is_no_number_never_becomes_one(value: str) -> None:
    with pytest.raises(RequestRefused):
        parse(b"Content-Length: " + value.encode("latin-1"))
