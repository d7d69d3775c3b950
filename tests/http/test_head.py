"""Where a head ends, and what it says of its message: length, persistence, expectation. (Bad heads: tests/requests.)"""

from __future__ import annotations

import pytest

from tpserver.errors import RequestRefused
from tpserver.http import head as head_rules
from tpserver.http.head import Head, head_end, take_head
from tpserver.http.section import Limits, SectionMemory

LIMITS = Limits(max_head=200_000, max_fields=5, max_body=100)


def head_of(data: bytes, limits: Limits = LIMITS) -> Head:
    found = take_head(data, 0, limits, SectionMemory())
    assert found is not None
    return found[0]


def parse(*lines: str, method: str = "GET", version: str = "1.1", limits: Limits = LIMITS) -> Head:
    text = "\r\n".join([f"{method} / HTTP/{version}", "Host: h", *lines, "", ""])
    return head_of(text.encode("latin-1"), limits)


def refused(*lines: str, **options: str) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        parse(*lines, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", -1),
        (b"GET", -1),
        (b"GET / HTTP/1.1\r", -1),
        (b"GET / HTTP/1.1\r\n", -1),
        (b"GET / HTTP/1.1\r\n\r", -1),
        (b"GET / HTTP/1.1\r\n\r\n", 18),
        (b"GET / HTTP/1.1\r\n\r\nmore\nof it", 18),
        (b"a\r\n\r\nb\r\n\r\n", 5),
    ],
)
def test_a_head_ends_behind_its_empty_line(data: bytes, end: int) -> None:
    for scanned in range(len(data) if end < 0 else 1):
        assert head_end(data, scanned, 100) == end


@pytest.mark.parametrize("data", [b"\n", b"a\n", b"GET / HTTP/1.1\r\nb\n", b"a\n\n", b"GET / HTTP/1.1\nHost: h\n\n"])
def test_a_line_that_ends_with_lf_alone_is_refused_before_the_head_is_complete(data: bytes) -> None:
    with pytest.raises(RequestRefused, match="LF alone") as caught:
        head_end(data, 0, 100)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\nX: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\n\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\n\r\n\r\n",
    ],
)
def test_a_line_that_ends_with_lf_alone_is_refused_in_a_complete_head(data: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        head_of(data[: head_end(data, 0, 100)])
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /", 400),
        (b"GET / HTTP/1.1 x", 400),
        (b"G\0T / HTTP/1.1", 400),
        (b"GET / HTTP/2.0", 505),
        (b"HEAD / HTTP/0.9", 505),
        (b"HEAD /", 400),
    ],
)
@pytest.mark.parametrize("rest", [b"", b"Ho", b"Host: h\r\n", b"Host: h\n", 100 * b"x", b"Host: h\r\n\r\n"])
def test_a_request_line_that_cannot_be_served_is_refused_as_soon_as_it_is_there(
    line: bytes, status: int, rest: bytes
) -> None:
    data = line + b"\r\n" + rest
    if data.endswith(b"\r\n\r\n"):
        with pytest.raises(RequestRefused) as whole:
            head_of(data)
        assert whole.value.status == status
        return
    for scanned in range(len(line) + 2):
        with pytest.raises(RequestRefused) as caught:
            head_end(data, scanned, 100)
        assert caught.value.status == status
        assert caught.value.close


def test_the_request_line_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[bytes] = []
    monkeypatch.setattr(head_rules, "parse_request_line", lambda data, end: looked_at.append(data[:end]))
    data = b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n"
    for cut in range(len(data)):
        assert head_end(data[: cut + 1], cut, 100) == -1
    assert looked_at == [b"GET / HTTP/1.1"]


def test_a_line_end_that_was_cut_in_two_is_no_bare_lf() -> None:
    head = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    for cut in range(len(head)):
        assert head_end(head[:cut], 0, 100) == -1
        assert head_end(head, cut, 100) == len(head)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * 100, 414),
        (b"GET /" + b"a" * 100 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 100, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 100 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 77 + b"\r\n\r\n", None),  # one hundred bytes in all
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 78 + b"\r\n\r\n", 431),
    ],
)
def test_a_head_has_a_limit(data: bytes, status: int | None) -> None:
    if status is None:
        assert head_end(data, 0, 100) == len(data) == 100
        return
    with pytest.raises(RequestRefused) as caught:
        head_end(data, 0, 100)
    assert caught.value.status == status
    assert caught.value.close


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "Close", False),
        ("1.1", "keep-alive", True),
        ("1.1", "upgrade , CLOSE", False),
        ("1.1", "closed", True),
        ("1.1", "keep-alive, close", False),
        ("1.1", "", True),
        ("1.2", None, True),
        ("1.0", None, False),
        ("1.0", "keep-alive", True),
        ("1.0", "Keep-Alive", True),
        ("1.0", "keep-alive, close", False),
        ("1.0", "keep-alives", False),
    ],
)
def test_whether_the_connection_is_kept(version: str, connection: str | None, kept: bool) -> None:
    lines = [] if connection is None else [f"Connection: {connection}"]
    assert parse(*lines, version=version).section.keep_alive is kept


def test_a_later_minor_version_is_answered_as_ours() -> None:
    assert parse(version="1.9").protocol == "HTTP/1.1"
    assert parse(version="1.0").protocol == "HTTP/1.0"


@pytest.mark.parametrize(
    ("lines", "length", "chunked"),
    [
        ([], None, False),
        (["Content-Length: 0"], 0, False),
        (["Content-Length: 100"], 100, False),
        (["Content-Length: 0000000000000000000000010"], 10, False),
        (["Transfer-Encoding: chunked"], None, True),
        (["Transfer-Encoding: CHUNKED"], None, True),
    ],
)
def test_how_the_content_is_framed(lines: list[str], length: int | None, chunked: bool) -> None:
    head = parse(*lines, method="POST")
    assert (head.section.content_length, head.section.chunked) == (length, chunked)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Content-Length: 101"], 413),
        (["Content-Length: 000101"], 413),
        (["Content-Length: " + "9" * 18], 413),
        (["Content-Length: 1" + "0" * 100_000], 413),
        (["Content-Length: 1", "Transfer-Encoding: chunked"], 400),
        (["Transfer-Encoding: chunked, chunked"], 400),
        (["Transfer-Encoding: gzip, chunked"], 501),
        (["Transfer-Encoding: Deflate ,x-gzip\t,\tCHUNKED"], 501),
        (["Transfer-Encoding: gzip,, chunked"], 400),
        (["Transfer-Encoding: gzip, chunked, chunked"], 400),
        (["Transfer-Encoding: chunked, gzip"], 400),
        (["Transfer-Encoding: , chunked"], 400),
        (["Transfer-Encoding: gzip"], 400),
        (["Transfer-Encoding: nonsense"], 400),
        (["Transfer-Encoding:"], 400),
        (["Expect: something"], 417),
        (["A: 1", "B: 1", "C: 1", "D: 1", "E: 1"], 431),
    ],
)
def test_what_cannot_be_framed_or_met_is_refused_and_the_connection_ends(lines: list[str], status: int) -> None:
    refusal = refused(*lines, method="POST")
    assert refusal.status == status
    assert refusal.close


@pytest.mark.parametrize(
    ("lines", "version", "expected"),
    [
        (["Expect: 100-continue", "Content-Length: 5"], "1.1", True),
        (["Expect: 100-Continue", "Transfer-Encoding: chunked"], "1.1", True),
        (["Expect: 100-continue"], "1.1", False),
        (["Expect: 100-continue", "Content-Length: 0"], "1.1", False),
        (["Expect: 100-continue", "Content-Length: 5"], "1.0", False),
        (["Expect: nonsense", "Content-Length: 5"], "1.0", False),
        (["Content-Length: 5"], "1.1", False),
    ],
)
def test_whether_the_client_waits_for_a_word(lines: list[str], version: str, expected: bool) -> None:
    assert parse(*lines, method="POST", version=version).section.expects_continue is expected


@pytest.mark.parametrize(
    ("line", "secret", "conditional"),
    [
        ("Cookie: a", True, False),
        ("Authorization: a", True, False),
        ("Proxy-Authorization: a", True, False),
        ("If-Match: *", False, True),
        ("If-None-Match: *", False, True),
        ("If-Modified-Since: now", False, True),
        ("If-Unmodified-Since: now", False, True),
        ("Range: bytes=0-", False, True),
        ("If-Range: now", False, True),
        ("Accept: */*", False, False),
    ],
)
def test_a_head_knows_whether_it_has_secrets_and_conditions(line: str, secret: bool, conditional: bool) -> None:
    head = parse(line)
    assert (head.secret, head.section.conditional) == (secret, conditional)


def test_an_absolute_target_stands_for_the_host_field() -> None:
    head = head_of(b"GET http://other:81/a HTTP/1.1\r\nHost: h\r\n\r\n")
    assert head.fields["HTTP_HOST"] == "other:81"
    assert (head.path, head.target) == ("/a", "http://other:81/a")


def test_fields_of_one_name_are_joined_in_their_order() -> None:
    head = parse("X: 1", "Cookie: a", "x: 2", "Cookie: b", limits=Limits())
    assert head.fields == {"HTTP_HOST": "h", "HTTP_X": "1, 2", "HTTP_COOKIE": "a; b"}


def test_dropped_fields_leave_no_trace_and_do_not_hide_others() -> None:
    head = parse("X_A: spoofed", "X-A: real", "Proxy: evil", limits=Limits())
    assert head.fields == {"HTTP_HOST": "h", "HTTP_X_A": "real"}


def test_the_number_of_fields_that_is_allowed_is_allowed() -> None:
    assert len(parse("A: 1", "B: 1", "C: 1", "D: 1").fields) == 5


@pytest.mark.parametrize("line", ["Content-Length: x", "Expect: nonsense"])
def test_a_refusal_knows_what_its_answer_may_be(line: str) -> None:
    assert refused("Accept: application/json", line).accept == "application/json"
