"""Messages out of one connection's bytes: what is remembered, what is asked for in between, what is dropped."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import BinaryIO, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpserver.errors import RequestRefused
from tpserver.http import message
from tpserver.http.head import Head
from tpserver.http.message import CONTINUE, Interim, Memory, MessageReader
from tpserver.http.section import Limits

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
SECRET = b"GET /d HTTP/1.1\r\nHost: h\r\nCookie: secret\r\n\r\n"


class Parsed(NamedTuple):
    """A message as it was read."""

    head: Head
    content: BinaryIO | None


class Reader(MessageReader[Parsed]):
    def new_message(self, head: Head, content: BinaryIO | None) -> Parsed:
        return Parsed(head, content)


class Contents:
    """Makes the files for contents, and keeps them for the test to look at."""

    def __init__(self) -> None:
        self.lengths: list[int | None] = []
        self.files: list[io.BytesIO] = []

    def __call__(self, length: int | None) -> BinaryIO:
        self.lengths.append(length)
        self.files.append(io.BytesIO())
        return self.files[-1]


def reader(memory: Memory | None = None, limits: Limits | None = None) -> Reader:
    return Reader(limits or Limits(), memory or Memory(), Contents())


def all_of(a_reader: Reader, data: bytes) -> list[Parsed]:
    """Every message that these bytes complete."""
    found = []
    outcome = a_reader.read_message(data)
    while outcome is not None:
        assert isinstance(outcome, Parsed)
        found.append(outcome)
        outcome = a_reader.read_message(b"")
    return found


def content(a_message: Parsed | Interim | None) -> bytes:
    assert isinstance(a_message, Parsed)
    assert a_message.content is not None
    return a_message.content.read()


def test_a_message_without_content_has_none() -> None:
    (got,) = all_of(reader(), GET)
    assert got.content is None
    assert got.head.path == "/a"


def test_content_is_a_file_at_its_beginning() -> None:
    assert content(reader().read_message(POST + b"hello")) == b"hello"
    assert content(reader().read_message(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n")) == b"hello"


def test_a_chunked_message_tells_the_application_its_length() -> None:
    got = reader().read_message(CHUNKED + b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n")
    assert isinstance(got, Parsed)
    assert got.head.fields == {"HTTP_HOST": "h", "CONTENT_LENGTH": "5"}


def test_the_file_for_a_content_is_made_by_its_length() -> None:
    contents = Contents()
    a_reader = Reader(Limits(), Memory(), contents)
    all_of(a_reader, GET + POST + b"hello" + CHUNKED + b"0\r\n\r\n" + POST.replace(b"5", b"0"))
    assert contents.lengths == [5, None]


@settings(deadline=None)
@given(st.lists(st.integers(0, 400)))
def test_several_messages_in_any_cuts(places: list[int]) -> None:
    data = GET + POST + b"hello" + b"\r\n" + GET + CHUNKED + b"1\r\na\r\n0\r\n\r\n" + SECRET * 2 + GET
    ends = sorted({place for place in places if place < len(data)} | {0, len(data)})
    a_reader = reader()
    found = [got for start, end in pairwise(ends) for got in all_of(a_reader, data[start:end])]
    assert [got.head.path for got in found] == ["/a", "/b", "/a", "/c", "/d", "/d", "/a"]
    assert [got.content.read() if got.content else None for got in found] == [None, b"hello", None, b"a"] + [None] * 3
    assert a_reader.part == "nothing"
    assert not a_reader.pending


def test_what_a_connection_is_in_the_middle_of() -> None:
    a_reader = reader()
    assert a_reader.part == "nothing"
    assert a_reader.read_message(POST[:10]) is None
    assert a_reader.part == "head"
    assert a_reader.read_message(POST[10:] + b"he") is None
    assert a_reader.part == "body"
    assert content(a_reader.read_message(b"llo" + GET)) == b"hello"
    assert a_reader.pending
    assert a_reader.read_message(b"") is not None
    assert a_reader.part == "nothing"
    assert not a_reader.pending


def test_a_head_that_comes_again_is_parsed_once() -> None:
    memory = Memory()
    (first,) = all_of(reader(memory), GET)
    (second,) = all_of(reader(memory), GET)
    (third,) = all_of(reader(memory), GET)
    assert second.head is not first.head  # most heads come once, and cost no place
    assert third is not second
    assert third.head is second.head


def test_a_head_that_came_in_pieces_is_remembered_as_well() -> None:
    memory = Memory()
    for _ in range(2):
        a_reader = reader(memory)
        assert a_reader.read_message(GET[:7]) is None
        (first,) = all_of(a_reader, GET[7:])
    (again,) = all_of(reader(memory), GET)
    assert again.head is first.head


@pytest.mark.parametrize("other", [POST + b"hello", SECRET])
def test_a_head_is_found_again_behind_another_of_its_connection(other: bytes) -> None:
    memory = Memory()
    for _ in range(2):
        all_of(reader(memory), GET)
    a_reader = reader(memory)
    for _ in range(2):
        all_of(a_reader, other)
        all_of(a_reader, GET)  # this one is not looked for
        (again,) = all_of(a_reader, GET)
        (once_more,) = all_of(a_reader, GET)
        assert once_more.head is again.head


@pytest.mark.parametrize("other", [POST + b"hello", SECRET])
def test_a_memory_that_is_full_is_not_cleared_for_a_head_that_is_in_it(other: bytes) -> None:
    memory = Memory()
    number = 0
    while len(memory.heads) < message.MEMORY_HEADS:
        for _ in range(2):
            all_of(reader(memory), GET.replace(b"/a", b"/%d" % number))
        number += 1
    a_reader = reader(memory)
    for data in (other, GET.replace(b"/a", b"/0"), other, GET.replace(b"/a", b"/0")):
        all_of(a_reader, data)
    assert len(memory.heads) == message.MEMORY_HEADS


def test_a_head_with_a_secret_is_remembered_by_its_own_connection_only() -> None:
    memory = Memory()
    one, other = reader(memory), reader(memory)
    (first,) = all_of(one, SECRET)
    for _ in range(3):
        all_of(reader(memory), SECRET)
    assert memory.heads == {}
    (again,) = all_of(one, SECRET)
    assert again.head is first.head
    (elsewhere,) = all_of(other, SECRET)
    assert elsewhere.head is not first.head


@pytest.mark.parametrize("data", [POST + b"hello", CHUNKED + b"0\r\n\r\n", POST.replace(b"5", b"1") + b"a"])
def test_a_head_that_announces_content_is_not_remembered(data: bytes) -> None:
    memory = Memory()
    for _ in range(3):
        all_of(reader(memory), data)
    assert memory.heads == {}


def test_a_refused_head_is_not_remembered() -> None:
    memory = Memory()
    for _ in range(3):
        with pytest.raises(RequestRefused):
            reader(memory).read_message(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert memory.heads == memory.sections.sections == {}


def test_the_memory_of_heads_is_bounded_in_number_and_size() -> None:
    memory = Memory()
    for number in range(message.MEMORY_HEADS + 10):
        for _ in range(2):
            all_of(reader(memory), b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number)
        assert len(memory.heads) <= message.MEMORY_HEADS
    assert memory.heads
    memory.heads.clear()
    for _ in range(3):
        all_of(reader(memory), b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % (b"a" * message.MEMORY_HEAD_LENGTH))
    assert memory.heads == {}


def test_a_remembered_head_does_not_cut_a_body_short() -> None:
    memory = Memory()
    for _ in range(2):
        all_of(reader(memory), GET)
    a_reader = reader(memory)
    assert a_reader.read_message(POST.replace(b"5", str(len(GET)).encode())) is None
    assert content(a_reader.read_message(GET)) == GET


def test_a_client_that_waits_is_told_to_go_on_once() -> None:
    a_reader = reader()
    asking = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    interim = a_reader.read_message(asking)
    assert isinstance(interim, Interim)
    assert interim.data == CONTINUE
    assert a_reader.read_message(b"") is None
    assert a_reader.read_message(b"he") is None
    assert content(a_reader.read_message(b"llo")) == b"hello"


def test_a_client_that_has_not_waited_needs_no_word() -> None:
    asking = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    a_reader = reader()
    assert a_reader.read_message(asking + b"h") is None
    assert content(a_reader.read_message(b"ello")) == b"hello"


def test_what_was_collected_is_dropped_with_the_connection() -> None:
    contents = Contents()
    a_reader = Reader(Limits(), Memory(), contents)
    assert a_reader.read_message(POST + b"he") is None
    a_reader.close()
    assert contents.files[0].closed
    a_reader.close()


def test_a_complete_content_is_its_receivers_to_close() -> None:
    a_reader = reader()
    got = a_reader.read_message(POST + b"hello")
    a_reader.close()
    assert content(got) == b"hello"


def test_a_full_disk_is_the_callers_to_answer() -> None:
    def no_room(length: int | None) -> BinaryIO:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        Reader(Limits(), Memory(), no_room).read_message(POST)
