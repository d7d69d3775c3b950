"""Response heads: what an application says becomes these bytes or an error, and what the server adds."""

from __future__ import annotations

from typing import Any

import pytest

from tpserver.errors import ApplicationError
from tpserver.http.response import (
    HOP_BY_HOP,
    MEMORY_HEAD_LENGTH,
    MEMORY_HEADS,
    REASONS,
    ResponseHead,
    application_head,
    bodiless,
    chunk,
    missing_stamp,
    own_head,
    persistence_line,
    response_memory,
    stamp,
)


def checked(status: Any, fields: Any) -> ResponseHead:
    return application_head(status, fields, response_memory())


# -- the status line


@pytest.mark.parametrize(
    ("status", "code", "line"),
    [
        ("200 OK", 200, b"HTTP/1.1 200 OK\r\n"),
        ("200 ok", 200, b"HTTP/1.1 200 ok\r\n"),
        ("200 ", 200, b"HTTP/1.1 200 \r\n"),  # RFC 9112 section 4: the reason may be empty, its space not
        ("200  two spaces", 200, b"HTTP/1.1 200  two spaces\r\n"),
        ("404 Not Found: tab\there", 404, b"HTTP/1.1 404 Not Found: tab\there\r\n"),
        ("299 Zo\xeb", 299, b"HTTP/1.1 299 Zo\xeb\r\n"),
        ("999 Own", 999, b"HTTP/1.1 999 Own\r\n"),
        ("200", 200, b"HTTP/1.1 200 OK\r\n"),  # a reason that is missing is added
        ("418", 418, b"HTTP/1.1 418 I'm a Teapot\r\n"),
        ("299", 299, b"HTTP/1.1 299 \r\n"),
    ],
)
def test_a_status_becomes_a_line(status: str, code: int, line: bytes) -> None:
    head = checked(status, [])
    assert (head.status, head.lines) == (code, line)


@pytest.mark.parametrize(
    "status",
    [
        "", " ", "OK", "OK 200", "20 OK", "2000 OK", "2OO OK", "200OK", "200-OK", "200\tOK", " 200 OK", "+20 OK",
        "-20 OK", "2_0 OK", "020 OK", "000 OK", "\u0662\u0660\u0660 OK", "\xb2\xb2\xb2 OK", "200 OK\r\n", "200 OK\n",
        "200\n", "200 O\rK", "200 O\0K", "200 O\x1bK", "200 O\x7fK", "200 \u20ac", "200 \udc80", "100 Continue",
        "101 Up", "103", "199 x",
    ],
)  # fmt: skip
def test_a_status_that_is_none_is_refused(status: str) -> None:
    with pytest.raises(ApplicationError, match="status"):
        checked(status, [])


@pytest.mark.parametrize("status", [None, 200, 200.0, b"200 OK", ("200 OK",), ["200 OK"], {}, object()])
def test_a_status_that_is_no_str_is_refused(status: Any) -> None:
    with pytest.raises(ApplicationError, match="takes a str"):
        checked(status, [])


# -- the field lines


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ([], b""),
        ([("A", "b")], b"A: b\r\n"),
        ([("a-B_c!", "")], b"a-B_c!: \r\n"),
        ([("A", " b\t c ")], b"A:  b\t c \r\n"),
        ([("A", "\xff\x80~")], b"A: \xff\x80~\r\n"),
        ([("A", 'b:"c",;=\\')], b'A: b:"c",;=\\\r\n'),
        ([("A", "1"), ("B", "2"), ("A", "3"), ("a", "4")], b"A: 1\r\nB: 2\r\nA: 3\r\na: 4\r\n"),
        ([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"),
        ([("content-LENGTH", "007")], b"content-LENGTH: 007\r\n"),
    ],
)
def test_fields_become_lines_in_their_order(fields: list[tuple[str, str]], lines: bytes) -> None:
    assert checked("200 OK", fields).lines == b"HTTP/1.1 200 OK\r\n" + lines


@pytest.mark.parametrize("fields", [None, (), (("A", "b"),), {"A": "b"}, {("A", "b")}, iter([("A", "b")]), "A: b", 5])
def test_fields_that_are_no_list_are_refused(fields: Any) -> None:
    with pytest.raises(ApplicationError, match="list"):
        checked("200 OK", fields)


def test_a_list_of_another_class_is_refused() -> None:
    # PEP 3333 asks for exactly a list, so that a server may change it.
    class List(list[Any]):
        pass

    memory = response_memory()
    for _ in range(2):
        application_head("200 OK", [("A", "b")], memory)
    with pytest.raises(ApplicationError, match="List"):
        application_head("200 OK", List([("A", "b")]), memory)


@pytest.mark.parametrize(
    "field", [None, "A: b", b"A: b", ["A", "b"], (), ("A",), ("A", "b", "c"), 5, {"A": "b"}, {"A", "b"}]
)
def test_a_field_that_is_no_pair_is_refused(field: Any) -> None:
    with pytest.raises(ApplicationError, match=r"tuple \(name, value\)"):
        checked("200 OK", [field])


@pytest.mark.parametrize(
    "field", [(b"A", "b"), ("A", b"b"), ("A", 5), ("A", None), (None, "b"), (5, "b"), ("A", ["b"]), ("A", bytearray())]
)
def test_a_field_of_anything_but_str_is_refused(field: Any) -> None:
    with pytest.raises(ApplicationError, match="names and values are str"):
        checked("200 OK", [("A", "b"), field])


@pytest.mark.parametrize(
    "name",
    ["", " ", "A B", "A:", ":A", "A\r\nB", "A\n", "\nA", "A\0", "\tA", "A(b)", "A/b", "A,b", "A=b", "[A]", "\xdf"],
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ApplicationError, match="field name"):
        checked("200 OK", [(name, "b")])


@pytest.mark.parametrize(
    "value",
    [
        "\r",
        "\n",
        "\r\n",
        "b\r\nC: d",
        "b\r\n\r\n<html>",
        "b\n c",
        "b\n",
        "\0",
        "b\0",
        "\x1f",
        "\x7f",
        "\u20ac",
        "\udc80",
    ],
)
def test_a_value_with_a_control_character_or_beyond_latin_1_is_refused(value: str) -> None:
    with pytest.raises(ApplicationError, match="outside latin-1"):
        checked("200 OK", [("A", value)])


@pytest.mark.parametrize("character", [chr(number) for number in (*range(0x20), 0x7F)])
def test_no_control_character_but_the_tab_passes(character: str) -> None:
    if character == "\t":
        assert checked("200 O\tK", [("A", "\t")]).lines == b"HTTP/1.1 200 O\tK\r\nA: \t\r\n"
        return
    for status, fields in [(f"200 O{character}K", []), ("200 OK", [("A", character)]), ("200 OK", [(character, "b")])]:
        with pytest.raises(ApplicationError):
            checked(status, fields)


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
@pytest.mark.parametrize("written", [str.lower, str.upper, str.title])
def test_a_hop_by_hop_field_is_refused(name: str, written: Any) -> None:
    with pytest.raises(ApplicationError, match="hop-by-hop"):
        checked("200 OK", [(written(name), "b")])


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP - {"connection"}))
@pytest.mark.parametrize("value", ["close", "keep-alive"])
def test_other_hop_by_hop_fields_are_refused_with_any_value(name: str, value: str) -> None:
    with pytest.raises(ApplicationError, match="hop-by-hop"):
        checked("200 OK", [(name, value)])


@pytest.mark.parametrize("value", ["", "upgrade", "close, upgrade", "keep-alive, X-Hop", "close;a", "closed"])
def test_a_connection_field_that_names_another_field_is_refused(value: str) -> None:
    with pytest.raises(ApplicationError, match="hop-by-hop"):
        checked("200 OK", [("Connection", value)])


@pytest.mark.parametrize(
    ("values", "closes"),
    [
        (["keep-alive"], False),
        (["Keep-Alive"], False),
        (["close"], True),
        (["CLOSE"], True),
        (["keep-alive, Close"], True),
        (["close", "keep-alive"], True),
        (["keep-alive", "close"], True),
    ],
)
def test_whether_to_close_is_read_from_the_connection_field_which_is_dropped(values: list[str], closes: bool) -> None:
    head = checked("200 OK", [*(("Connection", value) for value in values), ("A", "b")])
    assert head.closes is closes
    assert head.lines == b"HTTP/1.1 200 OK\r\nA: b\r\n"


@pytest.mark.parametrize(
    "name", ["Connection-Id", "X-Connection", "Tea", "Upgrade-Insecure-Requests", "WWW-Authenticate"]
)
def test_a_field_that_only_looks_hop_by_hop_is_sent(name: str) -> None:
    assert checked("200 OK", [(name, "b")]).lines.endswith(f"{name}: b\r\n".encode())


# -- Content-Length


@pytest.mark.parametrize(("value", "length"), [("0", 0), ("5", 5), ("00005", 5), ("9" * 18, 10**18 - 1)])
def test_a_content_length_is_read(value: str, length: int) -> None:
    assert checked("200 OK", [("Content-Length", value)]).content_length == length


def test_without_a_content_length_it_is_not_known() -> None:
    assert checked("200 OK", [("X-Content-Length", "5")]).content_length is None


@pytest.mark.parametrize(
    "value", ["", " ", "five", "+5", "-5", " 5", "5 ", "5,5", "5, 5", "5;5", "0x5", "5_0", "5.0", "\xb2", "1" * 19]
)
def test_a_content_length_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(ApplicationError, match="not a number of bytes"):
        checked("200 OK", [("Content-Length", value)])


@pytest.mark.parametrize("other", ["5", "6"])
def test_a_second_content_length_is_refused(other: str) -> None:
    with pytest.raises(ApplicationError, match="twice"):
        checked("200 OK", [("Content-Length", "5"), ("CONTENT-length", other)])


@pytest.mark.parametrize(("status", "sent"), [("200 OK", True), ("204 No Content", False), ("304 Not Modified", False)])
def test_a_content_length_is_not_sent_where_there_is_no_content(status: str, sent: bool) -> None:
    head = checked(status, [("Content-Length", "5"), ("A", "b")])
    assert (b"Content-Length: 5\r\n" in head.lines) == sent
    assert head.lines.endswith(b"A: b\r\n")
    assert head.bodiless != sent


# -- the memory


def test_a_head_that_comes_again_is_remembered() -> None:
    memory = response_memory()
    assert application_head("200 OK", [("A", "b")], memory) is not None
    assert memory == {}  # it may never come again
    second = application_head("200 OK", [("A", "b")], memory)
    assert application_head("200 OK", [("A", "b")], memory) is second
    assert application_head("200 OK", [("A", "c")], memory).lines == b"HTTP/1.1 200 OK\r\nA: c\r\n"
    assert application_head("201 OK", [("A", "b")], memory).lines == b"HTTP/1.1 201 OK\r\nA: b\r\n"
    assert application_head("200 OK", [("A", "b"), ("A", "b")], memory).lines.count(b"A: b") == 2


@pytest.mark.parametrize("name", ["Set-Cookie", "set-cookie", "SET-COOKIE"])
def test_a_head_that_sets_a_cookie_is_never_remembered(name: str) -> None:
    memory = response_memory()
    for _ in range(3):
        application_head("200 OK", [(name, "secret")], memory)
        application_head("200 OK", [("A", "b"), (name, "secret"), ("C", "d")], memory)
    assert memory == {}


def test_a_long_head_is_not_remembered() -> None:
    memory = response_memory()
    for _ in range(3):
        application_head("200 OK", [("A", "b" * MEMORY_HEAD_LENGTH)], memory)
    assert memory == {}


def test_the_memory_has_an_end() -> None:
    memory = response_memory()
    for number in range(2 * MEMORY_HEADS + 1):
        for _ in range(2):
            head = application_head("200 OK", [("A", str(number))], memory)
        assert head.lines == b"HTTP/1.1 200 OK\r\nA: %d\r\n" % number
        assert len(memory) <= MEMORY_HEADS


@pytest.mark.parametrize(
    ("status", "fields"),
    [("200 OK\n", [("A", "b")]), ("200 OK", [("A", "\n")]), (200, [("A", "b")]), ("200 OK", [("A", ["b"])])],
)
def test_what_was_refused_once_is_refused_again(status: Any, fields: Any) -> None:
    memory = response_memory()
    for _ in range(2):
        with pytest.raises(ApplicationError):
            application_head(status, fields, memory)
    assert memory == {}


# -- what the server adds

BOTH = stamp("Sun, 06 Nov 1994 08:49:37 GMT", "tpserver/1")
DATE, SERVER = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", b"Server: tpserver/1\r\n"


@pytest.mark.parametrize(
    ("fields", "added"),
    [
        ([], DATE + SERVER),
        ([("Date", "x")], SERVER),
        ([("dATE", "x")], SERVER),
        ([("Server", "x")], DATE),
        ([("SERVER", "x"), ("DATE", "x")], b""),
        ([("X-Date", "x"), ("Servers", "x")], DATE + SERVER),
    ],
)
def test_date_and_server_are_added_unless_they_are_there(fields: list[tuple[str, str]], added: bytes) -> None:
    head = checked("200 OK", fields)
    assert missing_stamp(head, BOTH) == added
    assert (head.has_date, head.has_server) == (DATE not in added, SERVER not in added)


@pytest.mark.parametrize(
    ("protocol", "keep_alive", "line"),
    [
        ("HTTP/1.1", True, b""),
        ("HTTP/1.1", False, b"Connection: close\r\n"),
        ("HTTP/1.0", True, b"Connection: keep-alive\r\n"),
        ("HTTP/1.0", False, b"Connection: close\r\n"),
    ],
)
def test_persistence_is_told_where_it_is_not_the_custom(protocol: str, keep_alive: bool, line: bytes) -> None:
    assert persistence_line(protocol, keep_alive) == line


@pytest.mark.parametrize(
    ("data", "framed"),
    [(b"x", b"1\r\nx\r\n"), (b"\r\n", b"2\r\n\r\n\r\n"), (b"x" * 26, b"1a\r\n" + b"x" * 26 + b"\r\n")],
)
def test_a_chunk_has_its_size_in_hex(data: bytes, framed: bytes) -> None:
    assert chunk(data) == framed


def test_a_head_of_the_servers_own_is_written() -> None:
    assert own_head(413, [("A", "b"), ("A", "c")]) == b"HTTP/1.1 413 Content Too Large\r\nA: b\r\nA: c\r\n"


@pytest.mark.parametrize("status", sorted(REASONS))
def test_every_known_status_can_be_sent(status: int) -> None:
    assert own_head(status, []).startswith(b"HTTP/1.1 %d " % status)
    assert bodiless(status) == (status in (204, 205, 304) or status < 200)
