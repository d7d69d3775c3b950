"""What the rules of HTTP make of some bytes, and the property that is fuzzed: the same, however the bytes are cut.

Only `tpserver.http` is used here: no server, no socket. A reading is a tuple of messages and, at its end,
what the rest came to: ("refused", status) or ("waits", part).
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, BinaryIO, NamedTuple

from tpserver.errors import RequestRefused
from tpserver.http.head import Head
from tpserver.http.message import CONTINUE, Interim, Memory, MessageReader
from tpserver.http.section import Limits

Reading = tuple[Any, ...]


class Parsed(NamedTuple):
    """A message as it was read."""

    head: Head
    content: BinaryIO | None


class Reader(MessageReader[Parsed]):
    def new_message(self, head: Head, content: BinaryIO | None) -> Parsed:
        return Parsed(head, content)


# Small enough that a fuzzer comes to them, large enough that most messages stay below.
LIMITS = Limits(max_head=1024, max_fields=12, max_body=2048)
# Byte by byte takes long; longer inputs are cut at random only.
_BYTES_UP_TO = 600


def read(pieces: Iterable[bytes], memory: Memory | None = None, limits: Limits = LIMITS) -> Reading:
    """Feeds the pieces as the engine does, as far as they can be read. Any exception but a refusal passes through."""
    reader = Reader(limits, memory or Memory(), lambda _: io.BytesIO())
    seen: list[Any] = []
    try:
        for piece in pieces:
            outcome = reader.read_message(piece)
            while outcome is not None:
                if isinstance(outcome, Interim):
                    assert outcome.data == CONTINUE
                else:
                    seen.append(told(outcome))
                    if not outcome.head.section.keep_alive:
                        return (*seen, ("closes",))
                outcome = reader.read_message(b"")
    except RequestRefused as refusal:
        return (*seen, _refused(refusal))
    finally:
        reader.close()
    return (*seen, ("waits", reader.part))


def _refused(refusal: RequestRefused) -> Reading:
    assert refusal.close, f"a refused message leaves its connection open: {refusal.detail}"
    assert 400 <= refusal.status < 600
    return "refused", refusal.status


def told(message: Parsed) -> Reading:
    """A message, as far as an application or a log can see it."""
    head = message.head
    content = b"" if message.content is None else message.content.read()
    if message.content is not None:
        message.content.close()
    length = head.section.content_length
    assert length is None or length == len(content)
    fields = head.fields if head.cookie is None else {**head.fields, "HTTP_COOKIE": head.cookie}
    assert not set("\r\n\0") & set("".join([head.method, head.target, *fields, *fields.values()]))
    return (head.method, head.target, head.path, head.query, head.protocol, tuple(sorted(fields.items())), content)


def cuts(data: bytes, seed: int) -> Iterator[list[bytes]]:
    """Ways to cut the same bytes: whole, byte by byte, in two, at line ends, and at random places."""
    yield [data]
    if len(data) <= _BYTES_UP_TO:
        yield [data[at : at + 1] for at in range(len(data))]
    yield data.splitlines(keepends=True)
    chance = random.Random(seed)
    for count in (1, 2, 5):
        places = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(count))})
        yield [data[start:end] for start, end in pairwise(places)]


# A message with two faults, one of which is its size, is refused for the one that is seen first: that may depend on
# what has arrived. Either way it is refused, and its connection closed.
_EITHER = frozenset({400, 413, 414, 431})


def same(one: Reading, other: Reading) -> bool:
    """Whether two readings are the same: the same messages, the same end."""
    if one == other:
        return True
    ends = one[-1], other[-1]
    refused = all(end[0] == "refused" and end[1] in _EITHER for end in ends)
    return refused and one[:-1] == other[:-1]


def check(data: bytes, seed: int = 0, memory: Memory | None = None) -> Reading:
    """Reads `data` in several cuts, each with nothing remembered and with all that came before; all must agree.

    Returns the reading. Raises AssertionError where two differ, and whatever else the rules raise.
    """
    memory = memory or Memory()
    expected = read([data])
    for pieces in cuts(data, seed):
        for remembered in (None, memory):
            seen = read(pieces, remembered)
            assert same(seen, expected), (
                f"{data!r} in the pieces {pieces!r} reads {seen!r}, whole it reads {expected!r}"
            )
    return expected
