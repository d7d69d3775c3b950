"""Requests to begin with, and ways to spoil them: the same number in, the same bytes out."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

from tests.http.corpus import KINDS, cases

FOUND = Path(__file__).resolve().parent / "found"

# What breaks parsers: line ends, white space of all kinds, signs, other scripts' digits, and whole lines.
PIECES = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b"\0", b" ", b"\t", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xa0",
    b":", b";", b",", b'"', b"\\", b"=", b"%", b"%00", b"%2e%2e/", b"/", b"//", b"?", b"#", b"*", b"_", b"-", b"+",
    b"0x", b"0", b"1", b"5", b"00", b"0005", b"+5", b"-1", b"1_0", b"5, 5", b"ffffffffffffffff", b"\xb2", b"\xd9\xa3",
    b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"HEAD / HTTP/1.0\r\n", b"OPTIONS * HTTP/1.1\r\n",
    b"CONNECT h:1 HTTP/1.1\r\n",
    b"Host: h\r\n", b"Host: a, b\r\n", b"Host: [::1]:80\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n",
    b"Content-Length: 99999\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b"Cookie: a=b\r\n",
    b"X_Y: z\r\n", b" folded\r\n", b"Trailer: x\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n",
    b"5;a=\"b\"\r\n", b"hello",
)  # fmt: skip
_LONGEST = 3000


@lru_cache(maxsize=1)
def seeds() -> tuple[bytes, ...]:
    """Every request of tests/requests that is not too long, and those that were found before."""
    known = [case.data for kind in KINDS for case in cases(kind) if len(case.data) <= _LONGEST]
    return (*known, *(path.read_bytes() for path in sorted(FOUND.glob("*.bin"))))


def mutate(chance: random.Random, data: bytes, others: tuple[bytes, ...]) -> bytes:
    """One to six changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        data = _change(chance, data, others)
    return data[:_LONGEST]


def _change(chance: random.Random, data: bytes, others: tuple[bytes, ...]) -> bytes:
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + chance.choice((1, 1, 2, 4, 16, 100)))
    kind = chance.randrange(8)
    if kind == 0:  # a byte of any value, there or in between
        return data[:at] + chance.randbytes(1) + data[at + chance.randrange(2) :]
    if kind in (1, 2):
        return data[:at] + chance.choice(PIECES) + data[at:]
    if kind == 3:
        return data[:at] + chance.choice(PIECES) + data[end:]
    if kind == 4:
        return data[:at] + data[end:]
    if kind == 5:  # again
        return data[:end] + data[at:end] * chance.choice((1, 2, 20)) + data[end:]
    if kind == 6:  # the beginning of one, the end of another
        other = chance.choice(others)
        return data[:at] + other[chance.randrange(len(other) + 1) :]
    return data + chance.choice(others)  # pipelined


def garbage(chance: random.Random) -> bytes:
    """Bytes for a connection: a known request, a spoilt one, or none at all."""
    kind = chance.randrange(10)
    if kind == 0:
        return b""
    if kind == 1:
        return chance.randbytes(chance.choice((1, 10, 100, 1000, 20_000)))
    if kind == 2:
        return b"".join(chance.choice(PIECES) for _ in range(chance.randrange(1, 30)))
    data = chance.choice(seeds())
    return data if kind == 3 else mutate(chance, data, seeds())
