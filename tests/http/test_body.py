"""Bodies by length and in chunks: in any cuts, in linear time, and never a byte of the next request.

What is refused in them is in tests/requests.
"""

from __future__ import annotations

import contextlib
import io
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpserver.errors import RequestRefused
from tpserver.http.body import MAX_CHUNK_LINE, ChunkedBody, LengthBody
from tpserver.http.section import Limits

NEXT = b"GET /next HTTP/1.1\r\n"


def feed(body: Any, pieces: list[bytes]) -> bytes | None:
    """Feeds piece by piece; what is left over behind the body, or None when it is not complete."""
    for number, piece in enumerate(pieces):
        taken = body.feed(piece)
        if taken is not None:
            return b"".join([piece[taken:], *pieces[number + 1 :]])
    return None


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


def chunked(limits: Limits | None = None) -> tuple[ChunkedBody, io.BytesIO]:
    content = io.BytesIO()
    return ChunkedBody(content, limits or Limits()), content


def test_a_body_of_known_length_ends_there() -> None:
    content = io.BytesIO()
    body = LengthBody(content, 5)
    assert body.feed(b"ab") is None
    assert body.remaining == 3
    assert body.feed(b"cdeXYZ") == 3
    assert content.getvalue() == b"abcde"


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(0, 100)))
def test_a_body_of_known_length_in_any_cuts(data: bytes, places: list[int]) -> None:
    content = io.BytesIO()
    assert feed(LengthBody(content, len(data)), cut(data + NEXT, places)) == NEXT
    assert content.getvalue() == data


CHUNKS = b'4\r\nWiki\r\n7;a=b;c="d\\"e"\r\npedia i\r\nB \t; x\r\nn \r\nchunks.\r\n000\r\nX-Sum: 1\r\nY:\r\n\r\n'


@settings(deadline=None)
@given(st.lists(st.integers(0, len(CHUNKS) + len(NEXT))))
def test_chunks_in_any_cuts(places: list[int]) -> None:
    body, content = chunked()
    assert feed(body, cut(CHUNKS + NEXT, places)) == NEXT
    assert content.getvalue() == b"Wikipedia in \r\nchunks."
    assert body.length == 22


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=30), max_size=8), st.lists(st.integers(0, 400)))
def test_any_content_survives_being_chunked(chunks: list[bytes], places: list[int]) -> None:
    data = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    body, content = chunked()
    assert feed(body, cut(data + NEXT, places)) == NEXT
    assert content.getvalue() == b"".join(chunks)


@pytest.mark.parametrize("end", [len(CHUNKS) - 1, len(CHUNKS) - 2, len(CHUNKS) - 4, 10, 3, 1])
def test_chunks_that_break_off_are_not_complete(end: int) -> None:
    body, _ = chunked()
    assert feed(body, [CHUNKS[:end]]) is None


class Counting:
    """Content that is counted, not kept; and how much was written at once."""

    def __init__(self) -> None:
        self.length = 0
        self.writes = 0

    def write(self, data: bytes, /) -> int:
        self.length += len(data)
        self.writes += 1
        return len(data)


def test_a_chunk_that_comes_in_pieces_is_passed_on_at_once_and_not_kept() -> None:
    content = Counting()
    body = ChunkedBody(content, Limits(max_body=10**9))
    assert body.feed(b"3B9ACA00\r\n") is None
    for _ in range(100):
        assert body.feed(b"a" * 1000) is None
    assert content.length == body.length == 100_000
    assert len(body._buffer) == 0


def test_the_limit_counts_the_content_of_all_chunks() -> None:
    limits = Limits(max_body=10)
    body, content = chunked(limits)
    assert feed(body, [b"5\r\nabcde\r\n5\r\nfghij\r\n0\r\n\r\n"]) == b""
    assert content.getvalue() == b"abcdefghij"
    body, content = chunked(limits)
    with pytest.raises(RequestRefused) as refused:
        feed(body, [b"5\r\nabcde\r\n6\r\n"])
    assert refused.value.status == 413
    assert content.getvalue() == b"abcde"


def test_a_chunk_too_large_is_refused_before_any_of_it_comes() -> None:
    body, content = chunked(Limits(max_body=10))
    with pytest.raises(RequestRefused):
        body.feed(b"FFFFFFFFFFFFFFFF\r\n")
    assert content.getvalue() == b""


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_chunk_line_without_end_is_refused_when_it_is_too_long(step: int) -> None:
    body, _ = chunked()
    line = b"5;" + b"a" * (MAX_CHUNK_LINE + 10)
    with pytest.raises(RequestRefused) as refused:
        feed(body, cut(line, list(range(0, len(line), step))))
    assert refused.value.status == 400


def test_a_chunk_line_may_be_as_long_as_the_limit() -> None:
    line = b"1;" + b"a" * (MAX_CHUNK_LINE - 2)
    for step in (1, len(line)):
        body, content = chunked()
        data = line + b"\r\nx\r\n0\r\n\r\n"
        assert feed(body, cut(data, list(range(0, len(data), step)))) == b""
        assert content.getvalue() == b"x"


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_trailers_have_the_limits_of_a_head(step: int) -> None:
    limits = Limits(max_head=100, max_fields=3)
    for data in (b"0\r\n" + b"X: 1\r\n" * 4, b"0\r\nX: " + b"a" * 200, b"0\r\n" + b"X: %b\r\n" % (b"a" * 40) * 3):
        body, _ = chunked(limits)
        with pytest.raises(RequestRefused) as refused:
            feed(body, cut(data, list(range(0, len(data), step))))
        assert refused.value.status == 431


@pytest.mark.parametrize("step", [1, 6, 7, 10_000])
def test_as_many_trailers_as_are_allowed_are_taken_however_they_come(step: int) -> None:
    data = b"0\r\n" + b"X: 1\r\n" * 3 + b"\r\n"
    body, _ = chunked(Limits(max_fields=3))
    assert feed(body, [data[:3], *cut(data[3:], list(range(0, len(data) - 3, step)))]) == b""


def test_many_chunks_of_one_byte_are_read_in_one_go() -> None:
    body, content = chunked()
    assert feed(body, [b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n" + NEXT]) == NEXT
    assert content.getvalue() == b"a" * 50_000


def test_chunks_of_one_byte_are_written_together() -> None:
    content = Counting()
    body = ChunkedBody(content, Limits())
    assert body.feed(b"1\r\na\r\n" * 10_000) is None
    assert content.length == body.length == 10_000
    assert content.writes < 5


SIGNED = b";chunk-signature=" + b"0123456789abcdef" * 4


@pytest.mark.parametrize("size", [1024, 8192, 65_536])
def test_a_large_upload_in_signed_chunks_is_taken(size: int) -> None:
    content = Counting()
    body = ChunkedBody(content, Limits())
    chunk = b"%x%b\r\n%b\r\n" % (size, SIGNED, bytes(size))
    for _ in range(2000):  # the extensions are 162 KB in all
        assert body.feed(chunk) is None
    assert body.feed(b"0" + SIGNED + b"\r\n\r\n") is not None
    assert content.length == 2000 * size


@pytest.mark.parametrize("line", [b"1" + SIGNED, b"1;" + b"a" * 4000, b"0" * 4000 + b"1", b"01;a", b"1 ;a"])
def test_lines_of_chunks_without_end_are_refused(line: bytes) -> None:
    body, content = chunked(Limits(max_head=10_000))
    pieces = [line + b"\r\nx\r\n"] * 10_001
    with pytest.raises(RequestRefused) as refused:
        feed(body, pieces)
    assert refused.value.status == 400
    assert 0 < len(content.getvalue()) <= 10_000


@pytest.mark.parametrize(
    "line", [b"0" * 4095, b"0" * 4094 + b"g", b"1" + b" " * 4000, b"1" + b";a" * 2000 + b";", b"1;a=" + b'"' * 4000]
)
def test_a_chunk_line_of_4_kib_is_matched_in_linear_time(line: bytes) -> None:
    for _ in range(200):
        body, _ = chunked()
        with contextlib.suppress(RequestRefused):
            body.feed(line + b"\r\n")
