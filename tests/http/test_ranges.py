"""Byte ranges, as a table of cases: what a Range field asks for, of how many bytes, and what is to be sent."""

from __future__ import annotations

import re

import pytest

from tpserver.http.ranges import MAX_RANGES, Range, content_range, multipart, select, unsatisfied_range

WHOLE = None
NOTHING: list[tuple[int, int]] = []


def selected(value: str, size: int) -> list[tuple[int, int]] | None:
    found = select(value, size)
    return None if found is None else [tuple(part) for part in found]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        # One range, as RFC 9110 section 14.1.2 has them.
        ("bytes=0-499", 10_000, [(0, 499)]),
        ("bytes=500-999", 10_000, [(500, 999)]),
        ("bytes=-500", 10_000, [(9_500, 9_999)]),
        ("bytes=9500-", 10_000, [(9_500, 9_999)]),
        ("bytes=0-0", 10_000, [(0, 0)]),
        ("bytes=-1", 10_000, [(9_999, 9_999)]),
        ("bytes=0-", 10, [(0, 9)]),
        ("bytes=9-", 10, [(9, 9)]),
        ("bytes=0-9", 10, [(0, 9)]),
        ("bytes=0-10", 10, [(0, 9)]),
        ("bytes=5-1000", 10, [(5, 9)]),
        ("bytes=9-9", 10, [(9, 9)]),
        ("bytes=-10", 10, [(0, 9)]),
        ("bytes=-15", 10, [(0, 9)]),
        # A file of one byte.
        ("bytes=0-0", 1, [(0, 0)]),
        ("bytes=0-", 1, [(0, 0)]),
        ("bytes=-1", 1, [(0, 0)]),
        ("bytes=-2", 1, [(0, 0)]),
        ("bytes=0-1", 1, [(0, 0)]),
        ("bytes=1-", 1, NOTHING),
        ("bytes=1-1", 1, NOTHING),
        # Several, in the order asked for.
        ("bytes=0-0,-1", 10_000, [(0, 0), (9_999, 9_999)]),
        ("bytes=0-999,4500-5499,-1000", 10_000, [(0, 999), (4_500, 5_499), (9_000, 9_999)]),
        ("bytes=500-600,601-999", 10_000, [(500, 600), (601, 999)]),
        ("bytes=7-,-9", 100, WHOLE),
        ("bytes=20-29,0-9", 100, [(20, 29), (0, 9)]),
        # What is not there is left out; what remains may be one, or none.
        ("bytes=0-4,100-", 10, [(0, 4)]),
        ("bytes=15-,0-5", 10, [(0, 5)]),
        ("bytes=0-4,-0", 10, [(0, 4)]),
        ("bytes=10-", 10, NOTHING),
        ("bytes=10-20,30-", 10, NOTHING),
        ("bytes=-0", 10, NOTHING),
        ("bytes=-00", 10, NOTHING),
        ("bytes=-0,10-", 10, NOTHING),
        # Of nothing there is only a beginning.
        ("bytes=1-", 0, NOTHING),
        ("bytes=5-9,3-", 0, NOTHING),
        ("bytes=-0", 0, NOTHING),
        ("bytes=0-", 0, WHOLE),
        ("bytes=0-0", 0, WHOLE),
        ("bytes=-5", 0, WHOLE),
        # Numbers: of any length, of ASCII digits.
        ("bytes=4294967296-4294967300", 5 << 30, [(4_294_967_296, 4_294_967_300)]),
        ("bytes=-1", 5 << 30, [((5 << 30) - 1, (5 << 30) - 1)]),
        ("bytes=0-18446744073709551616", 10, [(0, 9)]),
        ("bytes=18446744073709551616-", 10, NOTHING),
        ("bytes=-18446744073709551616", 10, [(0, 9)]),
        ("bytes=0-" + "9" * 10_000, 10, [(0, 9)]),
        ("bytes=" + "9" * 10_000 + "-", 10, NOTHING),
        ("bytes=" + "0" * 10_000 + "1-1", 10, [(1, 1)]),
        ("bytes=-" + "0" * 10_000, 10, NOTHING),
        ("bytes=" + "9" * 30 + "-" + "8" * 30, 10, WHOLE),
        ("bytes=" + "8" * 30 + "-" + "9" * 30, 10, NOTHING),
        ("bytes=9-10", 100, [(9, 10)]),
        ("bytes=10-9", 100, WHOLE),
        ("bytes=010-9", 100, WHOLE),
        ("bytes=09-10", 100, [(9, 10)]),
        ("bytes=\u0661-2", 10, WHOLE),
        ("bytes=\xb2-3", 10, WHOLE),
        ("bytes=1_0-20", 100, WHOLE),
        ("bytes=+1-2", 10, WHOLE),
        ("bytes=0x1-0x2", 10, WHOLE),
        ("bytes=1.0-2", 10, WHOLE),
        # The unit's name is case-insensitive; others are not ours.
        ("BYTES=0-0", 10, [(0, 0)]),
        ("Bytes=0-0", 10, [(0, 0)]),
        ("lines=0-0", 10, WHOLE),
        ("bytes =0-0", 10, WHOLE),
        ("byte=0-0", 10, WHOLE),
        ("=0-0", 10, WHOLE),
        ("none", 10, WHOLE),
        ("", 10, WHOLE),
        ("", 0, WHOLE),
        # What is malformed is as if it were not there, all of it.
        ("bytes", 10, WHOLE),
        ("bytes=", 10, WHOLE),
        ("bytes=-", 10, WHOLE),
        ("bytes=--1", 10, WHOLE),
        ("bytes=5", 10, WHOLE),
        ("bytes=a-", 10, WHOLE),
        ("bytes=a-z", 10, WHOLE),
        ("bytes=5-z", 10, WHOLE),
        ("bytes=5-4", 10, WHOLE),
        ("bytes=0-2,5-4", 10, WHOLE),
        ("bytes=0-2,nonsense", 10, WHOLE),
        ("bytes=0-2;4-5", 10, WHOLE),
        ("bytes=0-1-2", 10, WHOLE),
        ("bytes=0-2\xa0", 10, WHOLE),
        ("bytes=0-2, bytes=4-5", 10, WHOLE),
        ("bytes=1 2-3", 10, WHOLE),
        ("bytes=,", 10, WHOLE),
        ("bytes= , ,, ", 10, WHOLE),
        # White space and empty elements.
        ("bytes=0-0, 2-2", 10, [(0, 0), (2, 2)]),
        ("bytes=0-0 ,2-2, 7-", 11, [(0, 0), (2, 2), (7, 10)]),
        ("bytes=0-0\t,\t2-2", 10, [(0, 0), (2, 2)]),
        ("bytes= 0-0", 10, [(0, 0)]),
        ("bytes=0-0 ", 10, [(0, 0)]),
        ("bytes=,0-0,,2-2,", 10, [(0, 0), (2, 2)]),
        ("bytes=  1 -2 , 4- 5, 7 - 8 ,,", 11, [(1, 2), (4, 5), (7, 8)]),
        # More than the whole, or the same again and again.
        ("bytes=0-,0-", 10, WHOLE),
        ("bytes=0-,1-,2-,3-,4-", 10, WHOLE),
        ("bytes=0-9,0-0", 10, WHOLE),
        ("bytes=500-700,601-999", 10_000, [(500, 700), (601, 999)]),
        ("bytes=0-1,1-2,2-3", 100, WHOLE),
        ("bytes=0-0,0-0,0-0", 100, WHOLE),
        ("bytes=0-0,0-0", 100, [(0, 0), (0, 0)]),
        ("bytes=0-4,3-8,20-24,23-29", 100, WHOLE),
        ("bytes=0-9,1-2,4-5", 100, WHOLE),
        ("bytes=4-5,1-2,0-9", 100, WHOLE),
        ("bytes=0-9,20-29,4-5", 100, [(0, 9), (20, 29), (4, 5)]),
        ("bytes=0-4,3-8,20-24,25-29", 100, [(0, 4), (3, 8), (20, 24), (25, 29)]),
    ],
)  # fmt: skip
def test_ranges(value: str, size: int, expected: list[tuple[int, int]] | None) -> None:
    assert selected(value, size) == expected


def separate(number: int) -> str:
    return "bytes=" + ",".join(f"{10 * at}-{10 * at}" for at in range(number))


def test_so_many_ranges_and_not_one_more() -> None:
    found = select(separate(MAX_RANGES), 10_000)
    assert found is not None
    assert len(found) == MAX_RANGES
    assert select(separate(MAX_RANGES + 1), 10_000) is None
    assert select(separate(1000), 1_000_000) is None


def test_256_ranges_of_a_file_of_many_terabytes_are_served() -> None:
    size = 10**14
    value = "bytes=" + ", ".join(f"{size - 1000 * at}-{size - 1000 * at + 1}" for at in range(1, MAX_RANGES + 1))
    assert MAX_RANGES >= 256
    assert len(select(value, size) or []) == MAX_RANGES


def test_ranges_that_are_not_there_count_too() -> None:
    assert select("bytes=" + ",".join(["50-"] * MAX_RANGES), 10) == []
    assert select("bytes=" + ",".join(["50-"] * (MAX_RANGES + 1)), 10) is None


# Each as long as a head may be, and made to be matched again and again by an expression that backtracks.
LONG = {
    "ranges": "bytes=" + "0-0," * 16_000,
    "empty elements": "bytes=" + "," * 60_000 + "0-0",
    "white space": "bytes=" + " " * 60_000,
    "white space before nonsense": "bytes=" + " " * 60_000 + "x",
    "white space inside": "bytes=0" + " " * 60_000 + "0",
    "white space behind the hyphen": "bytes=0-" + " " * 60_000 + "x",
    "digits": "bytes=" + "0" * 60_000,
    "digits before nonsense": "bytes=0-" + "0" * 60_000 + "x",
    "hyphens": "bytes=" + "-" * 60_000,
    "a unit": "b" * 60_000,
}


@pytest.mark.parametrize("value", LONG.values(), ids=LONG)
@pytest.mark.timeout(10)  # seconds; a hundred thousand times what it takes
def test_a_very_long_field_is_ignored(value: str) -> None:
    assert select(value, 10) is None


def test_what_is_sent_is_never_more_than_there_is() -> None:
    """Whatever is asked for, by ranges of every kind of every place, of sizes around them."""
    ends = ["", "0", "1", "2", "3", "4", "9"]
    specs = [f"{first}-{last}" for first in ends for last in ends]
    for size in range(5):
        for one in specs:
            for other in ["", *specs]:
                found = select(f"bytes={one},{other}", size)
                for part in found or []:
                    assert 0 <= part.first <= part.last < size
                assert sum(part.length for part in found or []) <= size


def test_content_range() -> None:
    assert content_range(Range(0, 0), 1) == "bytes 0-0/1"
    assert content_range(Range(5, 9), 5 << 30) == "bytes 5-9/5368709120"
    assert unsatisfied_range(47_022) == "bytes */47022"


def test_a_multipart_content_is_framed_as_mime_has_it() -> None:
    # RFC 9110 section 14.6, and RFC 2046 section 5.1 for the lines between.
    content = b"0123456789"
    ranges = [Range(1, 2), Range(7, 9)]
    between = multipart(ranges, 10, "text/plain; charset=utf-8", "edge")
    assert len(between) == 3
    sent = between[0] + content[1:3] + between[1] + content[7:10] + between[2]
    parts = re.split(rb"(?:^|\r\n)--edge(?:\r\n|--\r\n)", sent)
    assert parts == [
        b"",
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 1-2/10\r\n\r\n12",
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 7-9/10\r\n\r\n789",
        b"",
    ]
