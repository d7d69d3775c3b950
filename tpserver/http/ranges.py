"""Byte ranges (RFC 9110 section 14): the ranges that a request selects, and the parts of a multipart response.

A server may ignore a Range field (section 14.2). A field that is malformed, in another unit or too expensive is
ignored, and the whole representation is sent. A request is refused only where none of its ranges exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from tpserver.http.grammar import OWS_TEXT, RANGE_SPEC, RANGES

# No ordinary client requests more ranges than this; it would be an attack.
MAX_RANGES: Final = 16
# The grammar of lists allows empty elements, "a reasonable number" of them (RFC 9110 section 5.6.1.2).
_MAX_ELEMENTS: Final = 64
# Larger than any file; it replaces longer numbers, so that int() never gets them.
_BEYOND: Final = 10**18


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
    linear in the length of the field.
    """
    specs = _parse(value)
    if specs is None or len(specs) > MAX_RANGES:
        return None
    found = []
    for first, last in specs:
        if first is None:
            if last and size:
                found.append(Range(max(0, size - last), size - 1))
            elif last:
                return None  # the last bytes of an empty representation: all of it
        elif first < size:
            found.append(Range(first, min(last, size - 1)))
        elif not first:
            return None  # the beginning of an empty representation: all of it
    if sum(part.length for part in found) > size or _overlapping(found) > 2:
        return None
    return found


def _parse(value: str) -> list[tuple[int | None, int]] | None:
    """(first, last) of each range-spec; (None, length) of a suffix. None where the field is ignored."""
    match = RANGES.fullmatch(value)
    if match is None or match[1].lower() != "bytes" or match[2].count(",") >= _MAX_ELEMENTS:
        return None
    specs: list[tuple[int | None, int]] = []
    for padded in match[2].split(","):
        element = padded.strip(OWS_TEXT)
        if not element:
            continue
        spec = RANGE_SPEC.fullmatch(element)
        if spec is None or not (spec[1] or spec[2]):
            return None
        if not spec[1]:
            specs.append((None, _number(spec[2])))
        elif not spec[2]:
            specs.append((_number(spec[1]), _BEYOND))
        elif _order(spec[2]) < _order(spec[1]):
            return None
        else:
            specs.append((_number(spec[1]), _number(spec[2])))
    return specs or None


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else _BEYOND


def _order(digits: str) -> tuple[int, str]:
    """A key that compares numbers of any length without int()."""
    digits = digits.lstrip("0")
    return len(digits), digits


def _overlapping(ranges: Sequence[Range]) -> int:
    """The number of ranges that share bytes with another one."""
    return sum(
        any(one is not other and one.first <= other.last and other.first <= one.last for other in ranges)
        for one in ranges
    )


def content_range(part: Range, size: int) -> str:
    """The value of a Content-Range field (RFC 9110 section 14.4)."""
    return f"bytes {part.first}-{part.last}/{size}"


def unsatisfied_range(size: int) -> str:
    """The value of the Content-Range field of a 416 response."""
    return f"bytes */{size}"


def multipart(ranges: Sequence[Range], size: int, media_type: str, boundary: str) -> list[bytes]:
    """The bytes before each range of a multipart/byteranges content, and those behind the last (RFC 9110 section 14.6).

    `boundary` is a token of at most 70 characters that does not occur in the content.
    """
    between = [
        f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {content_range(part, size)}\r\n\r\n"
        for part in ranges
    ]
    between[0] = between[0].removeprefix("\r\n")
    return [text.encode("latin-1") for text in (*between, f"\r\n--{boundary}--\r\n")]
