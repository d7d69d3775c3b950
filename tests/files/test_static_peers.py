"""What clients know from nginx and from Go's file server about conditions and ranges, row by row.

Where the two differ, or RFC 9110 leaves a choice, the row says what is done here and why.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.client import ask
from tests.running import Start

CONTENT = b"0123456789\n"
MODIFIED = 1_403_716_338
BEFORE = "Wed, 25 Jun 2014 17:12:17 GMT"
SAME = "Wed, 25 Jun 2014 17:12:18 GMT"
AFTER = "Wed, 25 Jun 2014 17:12:19 GMT"
EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"
NOW = "Sun, 22 Nov 2026 12:00:00 GMT"


@pytest.fixture
def running(start: Start, tmp_path: Path) -> Any:
    for name, content in (("a.txt", CONTENT), ("empty.txt", b"")):
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, ns=(0, MODIFIED * 10**9 + 123))  # nanoseconds that no HTTP-date can say
    return start(root=str(tmp_path), compress="off")  # where there are codings no date counts in If-Range


ONE = "0123456789\n"
RANGES = [
    # Both send these parts.
    ("bytes=0-4", 206, ["01234"]),
    ("bytes=2-", 206, ["23456789\n"]),
    ("bytes=-5", 206, ["6789\n"]),
    ("bytes=3-7", 206, ["34567"]),
    ("bytes=0-9", 206, ["0123456789"]),
    ("bytes=0-10", 206, [ONE]),
    ("bytes=0-11", 206, [ONE]),
    ("bytes=10-11", 206, ["\n"]),
    ("bytes=10-", 206, ["\n"]),
    ("bytes=5-1000", 206, ["56789\n"]),
    ("bytes=-15", 206, [ONE]),
    ("bytes=0-0,-2", 206, ["0", "9\n"]),
    ("bytes=0-1,5-8", 206, ["01", "5678"]),
    ("bytes=0-1,5-", 206, ["01", "56789\n"]),
    ("bytes=0-2, -2, 3-4", 206, ["012", "9\n", "34"]),
    ("bytes=0-2,3-6", 206, ["012", "3456"]),
    ("bytes=0-4,3-6", 206, ["01234", "3456"]),
    ("bytes=15-,0-5", 206, ["012345"]),
    # White space where the grammar has none, which both take.
    ("bytes= 1 -2 , 4- 5, 7 - 8", 206, ["12", "45", "78"]),
    # Both: there is nothing there.
    ("bytes=11-", 416, []),
    ("bytes=11-12", 416, []),
    ("bytes=12-12", 416, []),
    ("bytes=11-100", 416, []),
    ("bytes=100-", 416, []),
    ("bytes=100-1000", 416, []),
    ("bytes=-0", 416, []),
    # Both: more than the whole is the whole.
    ("bytes=0-,1-,2-,3-,4-", 200, [ONE]),
    ("bytes=0-,0-", 200, [ONE]),
    # nginx knows other units for such, and ignores them; RFC 9110 section 14.2 says MUST.
    ("items=0-5", 200, [ONE]),
    ("", 200, [ONE]),
    # The unit's name is case-insensitive (section 14.1), which nginx knows.
    ("Bytes=0-4", 206, ["01234"]),
    # Malformed: both say 416. Section 14.2 allows to ignore it, and then the client gets what it came for.
    ("bytes=", 200, [ONE]),
    ("bytes=7", 200, [ONE]),
    ("bytes=5-4", 200, [ONE]),
    ("bytes=0-2,5-4", 200, [ONE]),
    ("bytes=--5,4--3", 200, [ONE]),
    ("bytes=A-", 200, [ONE]),
    ("bytes=5-Z", 200, [ONE]),
    ("bytes=Ran-dom, garbage", 200, [ONE]),
    ("bytes=0x01-0x02", 200, [ONE]),
    ("bytes= , , ,   ", 200, [ONE]),
    # A number that fits in no 64 bits: nginx says 416. It is a number.
    ("bytes=0-99999999999999999999", 206, [ONE]),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "status", "expected"), RANGES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ranges(running: Any, asked: str, status: int, expected: list[str], method: str) -> None:
    answer = ask(running, "/a.txt", f"Range: {asked}", method=method)
    if method == "HEAD":  # section 14.2: Range is for GET alone
        status, expected = 200, [ONE]
    assert answer.status == status
    length = int(answer.fields["content-length"])
    if status == 416:
        assert answer.fields["content-range"] == "bytes */11"
    elif len(expected) > 1:
        assert answer.fields["content-type"].startswith("multipart/byteranges; boundary=")
        found = re.findall(rb"Content-Range: bytes [0-9]+-[0-9]+/11\r\n\r\n(.*?)\r\n--", answer.content, re.DOTALL)
        assert [part.decode() for part in found] == expected
    else:
        assert length == len(expected[0])
        if status == 206:
            first = ONE.index(expected[0])
            assert answer.fields["content-range"] == f"bytes {first}-{first + length - 1}/11"
        if method == "GET":
            assert answer.content.decode() == expected[0]
    assert len(answer.content) == (length if method == "GET" else 0)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        # The beginning of nothing is nothing, and no reason to refuse it: so both.
        ("bytes=0-", 200),
        ("bytes=0-128", 200),
        ("bytes=-5", 200),
        # Beyond it: nginx and RFC 9110 section 15.5.17; Go sends it, whatever was asked for.
        ("bytes=1-", 416),
    ],
)
def test_ranges_of_an_empty_file(running: Any, asked: str, status: int) -> None:
    assert ask(running, "/empty.txt", f"Range: {asked}").status == status


CONDITIONS = [
    (f"If-Modified-Since: {SAME}", 304),
    (f"If-Modified-Since: {BEFORE}", 200),
    (f"If-Modified-Since: {EPOCH}", 200),
    # nginx by default compares dates like tags, and sends it (if_modified_since exact). Not so Go, nor section 13.1.3.
    (f"If-Modified-Since: {AFTER}", 304),
    (f"If-Modified-Since: {NOW}", 304),
    ("If-None-Match: {etag}", 304),
    ("If-None-Match: W/{etag}", 304),
    ('If-None-Match: "foo", {etag}', 304),
    ('If-None-Match: "foo", W/{etag}', 304),
    ("If-None-Match: *", 304),
    ('If-None-Match: "*"', 200),
    ('If-None-Match: "foo"', 200),
    ("If-None-Match: ,", 200),
    ('If-None-Match: "foo"|If-Modified-Since: ' + SAME, 200),
    ("If-None-Match: {etag}|If-Modified-Since: " + BEFORE, 304),
    (f"If-Unmodified-Since: {SAME}", 200),
    (f"If-Unmodified-Since: {AFTER}", 200),
    (f"If-Unmodified-Since: {BEFORE}", 412),
    (f"If-Unmodified-Since: {EPOCH}", 412),
    ("If-Match: {etag}", 200),
    ('If-Match: "Z", {etag}', 200),
    ("If-Match: *", 200),
    ('If-Match: "foo"', 412),
    ("If-Match: W/{etag}", 412),
    ('If-Match: "*"', 412),
    ("If-Match: {etag}|If-Unmodified-Since: " + BEFORE, 200),
    ("If-Match: {etag}|If-None-Match: {etag}", 304),
    ("Range: bytes=0-4|If-Range: {etag}", 206),
    ("Range: bytes=0-4|If-Range: W/{etag}", 200),
    ('Range: bytes=0-4|If-Range: "foo"', 200),
    ("Range: bytes=0-4|If-Range: " + SAME, 206),
    ("Range: bytes=0-4|If-Range: " + BEFORE, 200),
    ("Range: bytes=0-4|If-Range: " + AFTER, 200),
    ("Range: bytes=20-|If-Range: {etag}", 416),
    ('Range: bytes=20-|If-Range: "foo"', 200),
    ("Range: bytes=0-4|If-None-Match: {etag}", 304),
    ('Range: bytes=0-4|If-Match: "foo"', 412),
]


@pytest.mark.parametrize(("lines", "status"), CONDITIONS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions(running: Any, lines: str, status: int, method: str) -> None:
    etag = ask(running, "/a.txt").fields["etag"]
    answer = ask(running, "/a.txt", *lines.format(etag=etag).split("|"), method=method)
    if method == "HEAD" and status in (206, 416):
        status = 200
    assert answer.status == status
    if status in (200, 206, 304):
        assert (answer.fields["etag"], answer.fields["last-modified"]) == (etag, SAME)
    if status == 304:
        assert not {"content-length", "content-type", "content-range"} & answer.fields.keys()
