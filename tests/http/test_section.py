"""Field sections that come again: what is shared between heads, what never is, and that the memory is bounded."""

from __future__ import annotations

import sys

import pytest

from tests.rounds import rounds
from tpserver.errors import RequestRefused
from tpserver.http import section as section_rules
from tpserver.http.head import Head, take_head
from tpserver.http.section import FieldSection, Limits, SectionMemory

LIMITS = Limits(max_fields=4)


def parse(memory: SectionMemory, *lines: str, line: str = "GET / HTTP/1.1") -> Head:
    found = take_head("\r\n".join([line, *lines, "", ""]).encode("latin-1"), 0, LIMITS, memory)
    assert found is not None
    return found[0]


def filled(*lines: str) -> SectionMemory:
    """A memory that has seen a head with these lines often enough."""
    memory = SectionMemory()
    for _ in range(2):
        parse(memory, *lines)
    return memory


def test_heads_that_differ_in_path_and_cookie_share_their_section() -> None:
    memory = filled("Host: h", "Cookie: a=1", "Accept: x")
    heads = [
        parse(memory, "Host: h", "Cookie: a=2", "Accept: x", line="GET /2 HTTP/1.1"),
        parse(memory, "Cookie: a=3", "Host: h", "Accept: x", line="POST /3 HTTP/1.1"),
        parse(memory, "Host: h", "Accept: x", "Cookie: a=4 "),
        parse(memory, "Host: h", "Accept: x"),
    ]
    assert len({id(head.section) for head in heads}) == 1
    assert [head.cookie for head in heads] == ["a=2", "a=3", "a=4", None]
    assert [(head.method, head.path) for head in heads[:2]] == [("GET", "/2"), ("POST", "/3")]
    assert heads[0].fields == {"HTTP_HOST": "h", "HTTP_ACCEPT": "x"}


def test_heads_of_one_connection_share_credentials_and_no_other_sees_them() -> None:
    memory = SectionMemory()
    data = b"GET /%d HTTP/1.1\r\nHost: h\r\nAuthorization: secret\r\nCookie: %d\r\nAccept: x\r\n\r\n"
    first = take_head(data % (1, 1), 0, LIMITS, memory)
    assert first is not None
    second = take_head(data % (2, 2), 0, LIMITS, memory, first[0].section)
    assert second is not None
    assert second[0].section is first[0].section
    assert (second[0].path, second[0].cookie, second[1]) == ("/2", "2", len(data % (2, 2)))
    assert memory.sections == {}


@pytest.mark.parametrize("lines", ["", "Cookie: a\r\n"])
def test_what_follows_a_head_that_is_as_the_one_before_is_left_over(lines: str) -> None:
    """A content in the same packet, or the next request."""
    memory = SectionMemory()
    head = f"POST / HTTP/1.1\r\nHost: h\r\n{lines}Content-Length: 5\r\n\r\n".encode()
    first = take_head(head + b"hello", 0, LIMITS, memory)
    assert first is not None
    second = take_head(head + b"hello", 0, LIMITS, memory, first[0].section)
    assert second is not None
    assert second[0].section is first[0].section
    assert first[1] == second[1] == len(head)


def test_a_head_that_is_as_the_one_before_may_be_too_large_all_the_same() -> None:
    memory = SectionMemory()
    lines = b"Host: h\r\nCookie: %b\r\nAccept: x\r\n\r\n"
    limits = LIMITS._replace(max_head=100)
    found = take_head(b"GET / HTTP/1.1\r\n" + lines % b"a", 0, limits, memory)
    assert found is not None
    with pytest.raises(RequestRefused) as caught:
        take_head(b"GET / HTTP/1.1\r\n" + lines % (b"a" * 100), 0, limits, memory, found[0].section)
    assert caught.value.status == 431


@pytest.mark.parametrize(
    ("cookie", "count"),
    [
        (b"a", 1),
        (b"", 1),
        (b"a\r\nAccept: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nCookie: b", 2),
        (b"a\r\nAccept: x\r\n\r\nG /2 HTTP/1.1\r\nHost: h\r\n\r\nG /3 HTTP/1.1\r\nHost: h\r\nCookie: c", 3),
    ],
)
def test_what_looks_like_the_head_before_may_be_more_than_one(cookie: bytes, count: int) -> None:
    memory = SectionMemory()
    before, after = b"GET / HTTP/1.1\r\nHost: h\r\nCookie: ", b"\r\nAccept: x\r\n\r\n"
    found = take_head(before + after, 0, LIMITS, memory)
    data = before + cookie + after
    seen = 0
    while data:
        assert found is not None
        found = take_head(data, 0, LIMITS, memory, found[0].section)
        assert found is not None
        data = data[found[1] :]
        seen += 1
    assert seen == count


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: h", "cookie: secret"],
        ["Host: h", "Cookie:secret"],
        ["Host: h", "Authorization: secret"],
        ["Host: h", "Cookie: secret", "Cookie: secret"],
        ["Host: h", "Proxy-Authorization: secret", "Cookie: secret"],
    ],
)
def test_no_secret_is_remembered(lines: list[str]) -> None:
    memory = filled(*lines)
    assert parse(memory, *lines).secret
    assert not [block for block in [*memory.sections, *memory.lines] if b"secret" in block]


@pytest.mark.parametrize(
    ("lines", "cookie"),
    [
        (["Cookie: a", "Cookie: b"], "a; b"),
        (["cookie: a", "Cookie: b"], "a; b"),
        (["Cookie: a", "cookie: b"], "a; b"),
        (["Cookie: a", "Accept: x", "COOKIE:b"], "a; b"),
    ],
)
def test_several_cookie_lines_make_one_value_in_their_order(lines: list[str], cookie: str) -> None:
    memory = filled("Host: h", *lines)
    head = parse(memory, "Host: h", *lines)
    assert head.cookie is None
    assert head.fields["HTTP_COOKIE"] == cookie


def test_a_cookie_counts_as_a_field_beside_a_section_that_is_remembered() -> None:
    lines = ["Host: h", *(f"X{number}: 1" for number in range(LIMITS.max_fields - 1))]
    memory = filled(*lines)
    parse(memory, *lines)
    with pytest.raises(RequestRefused) as caught:
        parse(memory, *lines, "Cookie: a")
    assert caught.value.status == 431


@pytest.mark.parametrize("cookie", ["a\nb", "a\0", "a\rb", "\x7f", "a\r\n b"])
def test_a_bad_cookie_is_refused_beside_a_section_that_is_remembered(cookie: str) -> None:
    memory = filled("Host: h", "Accept: text/html")
    with pytest.raises(RequestRefused) as caught:
        parse(memory, "Host: h", "Accept: text/html", f"Cookie: {cookie}")
    assert caught.value.status == 400


def test_the_refusal_of_a_head_knows_what_the_client_accepts() -> None:
    memory = filled("Host: h", "Accept: text/html")
    for lines, line in ((["Cookie: \0"], "GET / HTTP/1.1"), ([], "GET /# HTTP/1.1")):
        with pytest.raises(RequestRefused) as caught:
            parse(memory, "Host: h", "Accept: text/html", *lines, line=line)
        assert caught.value.accept == "text/html"


def test_http_1_0_reads_the_same_lines_in_its_own_way() -> None:
    memory = filled("Host: h")
    assert parse(memory, "Host: h").section.keep_alive
    assert not parse(memory, "Host: h", line="GET / HTTP/1.0").section.keep_alive
    assert parse(memory, "Host: h", line="GET / HTTP/1.0").protocol == "HTTP/1.0"


def test_a_target_in_absolute_form_changes_its_own_host_only() -> None:
    memory = filled("Host: h")
    assert parse(memory, "Host: h", line="GET http://other/ HTTP/1.1").fields == {"HTTP_HOST": "other"}
    assert parse(memory, "Host: h").fields == {"HTTP_HOST": "h"}

    large = FieldSection({"HTTP_HOST": "h", "CONTENT_LENGTH": "999999999"}, max_body=999_999_999)
    assert large.of_host("other").content_length == 999_999_999


def test_a_content_in_chunks_may_be_as_large_as_is_allowed() -> None:
    size = 2 * Limits().max_body
    section = FieldSection({"HTTP_HOST": "h", "HTTP_TRANSFER_ENCODING": "chunked"}, max_body=size)
    assert section.of_length(size).content_length == size


def test_what_names_a_content_is_no_simple_request() -> None:
    assert FieldSection({"HTTP_HOST": "h"}).simple
    assert not FieldSection({"HTTP_HOST": "h", "CONTENT_LENGTH": "0"}).simple
    # Its chunks have come, and were none: there is a file to close.
    assert not FieldSection({"HTTP_HOST": "h", "HTTP_TRANSFER_ENCODING": "chunked"}).of_length(0).simple


@pytest.mark.timeout(240)  # 5 s of computing, on a machine that may be busy
def test_a_million_heads_that_all_differ_do_not_fill_the_memory() -> None:
    memory = SectionMemory()
    before = sys.getsizeof(memory.lines) + sys.getsizeof(memory.sections)
    for number in range(rounds(1_000_000)):
        take_head(b"GET /%d HTTP/1.1\r\nHost: h\r\nX: %d\r\n\r\n" % (number, number), 0, LIMITS, memory)
    # A few are taken for one that has come before, since as many hashes are known as one in some billions is equal.
    assert len(memory.sections) <= 3
    assert len(memory.lines) <= 3  # the line with the host is one
    assert sys.getsizeof(memory.lines) + sys.getsizeof(memory.sections) <= before + 1000


def test_sections_that_come_twice_and_collide_are_told_apart_and_bounded() -> None:
    memory = SectionMemory()
    blocks = {}
    number = 0
    while len(blocks) < 2 * section_rules.MEMORY_SECTIONS:  # their places in any table of up to 1024 are the same
        number += 1
        if hash(block := b"\r\nHost: h%d" % number) & 1023 == 1:
            blocks[number] = block
    for number in blocks:
        for _ in range(3):
            head = parse(memory, f"Host: h{number}")
            assert head.fields == {"HTTP_HOST": f"h{number}"}
        assert len(memory.sections) <= section_rules.MEMORY_SECTIONS
    assert memory.sections
