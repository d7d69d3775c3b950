"""Byte ranges (RFC 9110 section 14): the ranges that a request selects, and the parts of a multipart response.

A server may ignore a Range field (section 14.2). A field that is malformed, in another unit or too expensive is
ignored, and the whole representation is sent. A request is refused only where none of its ranges exists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from tpserver.http.grammar import OWS_TEXT, RANGE_SPEC, RANGES, number

# zsync requests 20 ranges at once, zchunk 256.
MAX_RANGES: Final = 256
# The grammar of lists allows empty elements, "a reasonable number" of them (RFC 9110 section 5.6.1.2).
_MAX_ELEMENTS: Final = 2 * MAX_RANGES
# The longest field in characters: MAX_RANGES ranges of a file of many terabytes.
_MAX_LENGTH: Final = 16 * 1024


class Range(NamedTuple):
    """A part of a representation: positions of its first and last byte, as in Content-Range, from 0."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.last - self.first + 1


def select(value: str, size: int) -> list[Range] | None:
    """The ranges that a Range field selects in a representation of `size` bytes, in the order of the field.

    None: the field is ignored, and the whole is sent. An empty list: none of the ranges exists (416). Takes time
    linear in the length of the field, but for a sort of the ranges.
    """
    if len(value) > _MAX_LENGTH:
        return None
    match = re.fullmatch(RANGES, value)
    if match is None or match[1].lower() != "bytes" or match[2].count(",") >= _MAX_ELEMENTS:
        return None
    elements = [element for padded in match[2].split(",") if (element := padded.strip(OWS_TEXT))]
    if not 0 < len(elements) <= MAX_RANGES:
        return None
    found = []
    for element in elements:
        spec = re.fullmatch(RANGE_SPEC, element)
        if spec is None:
            return None
        if spec[3]:
            length = number(spec[3])
            if not length:
                continue
            first, last = max(0, size - length), size - 1
        else:
            first = number(spec[1])
            last = number(spec[2]) if spec[2] else first + size
            if last < first:
                return None
        if first < size:
            found.append(Range(first, min(last, size - 1)))
        elif not first:
            return None  # the beginning or the end of an empty representation: all of it
    return None if sum(part.length for part in found) > size or _overlap(found) else found


def _overlap(ranges: Sequence[Range]) -> bool:
    """Whether more than one pair of the ranges overlaps."""
    pairs, furthest, second = 0, -1, -1  # the two largest positions of a last byte so far
    for first, last in sorted(ranges):
        pairs += (first <= furthest) + (first <= second)
        if last > furthest:
            furthest, second = last, furthest
        else:
            second = max(second, last)
    return pairs > 1


def content_range(part: Range, size: int) -> str:
    """The value of a Content-Range field (RFC 9110 section 14.4)."""
    return f"bytes {part.first}-{part.last}/{size}"


def unsatisfied_range(size: int) -> str:
    """The value of the Content-Range field of a 416 response."""
    return f"bytes */{size}"


def multipart(ranges: Sequence[Range], size: int, media_type: str, boundary: str) -> list[bytes]:
    """The bytes before each range of a multipart/byteranges content, and those behind the last (RFC 9110 section 14.6).

    `boundary` is a token of at most 70 characters that does not occur in the content. The first one has its CRLF as
    well (RFC 2046 section 5.1.1 allows it): zsync asks again and again for what begins otherwise.
    """
    between = [
        f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {content_range(part, size)}\r\n\r\n"
        for part in ranges
    ]
    return [text.encode("latin-1") for text in (*between, f"\r\n--{boundary}--\r\n")]
