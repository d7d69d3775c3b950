"""The corpus of raw requests in tests/requests: how a case is read from its two files, and how its bytes are cut up.

The format is described in tests/requests/README.md. Nothing here knows the server; test_corpus.py feeds it.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "requests"
KINDS = ("valid", "invalid")

EXPECTED_KEYS = {
    "valid": {"requests", "interim", "options"},
    "invalid": {"status", "requests", "interim", "options"},
}
REQUEST_KEYS = {"method", "target", "path", "query", "version", "environ", "absent", "body", "keep_alive"}
OPTION_KEYS = {"max_head", "max_body"}

BYTE_BY_BYTE_UP_TO = 4096
RANDOM_SEEDS = range(10)

_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.?)", re.DOTALL)
_SIMPLE_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
_REPEAT = re.compile(r"\{\{\*([0-9]+):(.*?)\}\}", re.DOTALL)


class CorpusError(ValueError):
    """A file of the corpus is not written as the format demands."""


@dataclass(frozen=True)
class Case:
    """One case: the bytes as they come from a client, and what must come of them."""

    kind: str
    name: str
    comment: str
    data: bytes
    statuses: tuple[int, ...] = ()  # one of them for an invalid case, none for a valid one
    requests: tuple[dict[str, Any], ...] = ()
    interim: int = 0  # the number of the empty line that ends the head which asks for 100 Continue; 0: none asks
    options: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def repeatable(self) -> bool:
        """Whether the same bytes may come again on the same connection, with the same result."""
        lasting = all(request.get("keep_alive", True) for request in self.requests)
        return self.kind == "valid" and lasting and not self.name.startswith("incomplete-")

    def interim_due(self, pieces: list[bytes]) -> bool:
        """Whether a 100 Continue is due when the bytes come in these pieces.

        It is when a piece ends exactly where the head ends: a client that has begun to send its body is not waiting.
        """
        if not self.interim:
            return False
        end = 0
        for _ in range(self.interim):
            end = self.data.index(b"\r\n\r\n", end) + 4
        return end in accumulate(map(len, pieces))


def expand(text: str) -> str:
    """Write out the repetitions: ``{{*3:ab}}`` is ``ababab``. They do not nest."""
    expanded = _REPEAT.sub(lambda match: match[2] * int(match[1]), text)
    if "{{*" in expanded:
        raise CorpusError("a repetition that is not closed, or one within another")
    return expanded


def unescape(text: str) -> bytes:
    r"""The bytes that the text stands for: ``\r \n \t \0 \\ \xHH``, all else is itself and must be visible ASCII."""
    if unwritable := re.search(r"[^\x20-\x7e]", text):
        raise CorpusError(f"{unwritable[0]!r} must be written as an escape")

    def byte(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 3:
            return chr(int(code[1:], 16))
        if code not in _SIMPLE_ESCAPES:
            raise CorpusError(f"unknown escape {match[0]!r}")
        return _SIMPLE_ESCAPES[code]

    return _ESCAPE.sub(byte, text).encode("latin-1")


def parse_http(text: str) -> tuple[str, bytes]:
    """The comment and the bytes of the text of one .http file."""
    lines = text.split("\n")
    comment = []
    while lines and lines[0].startswith("#"):
        comment.append(lines.pop(0)[1:].strip())
    for line in lines:
        if line != line.rstrip():
            raise CorpusError(rf"white space at the end of {line!r} is easily lost: write it as \x20 or \t")
    return "\n".join(comment), unescape(expand("".join(lines)))


def _only_known(keys: set[str], known: set[str]) -> None:
    if unknown := keys - known:
        raise CorpusError(f"unknown: {', '.join(sorted(unknown))}")


def _expand_all(value: Any) -> Any:
    """Repetitions may also be used in the strings of a .json file, so that a long body needs no long file."""
    if isinstance(value, str):
        return expand(value)
    if isinstance(value, dict):
        return {key: _expand_all(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand_all(item) for item in value]
    return value


def parse_case(kind: str, name: str, http: str, expected: dict[str, Any]) -> Case:
    """One case from the text of its .http file and the content of its .json file."""
    _only_known(set(expected), EXPECTED_KEYS[kind])
    comment, data = parse_http(http)
    requests = _expand_all(expected.get("requests", []))
    for request in requests:
        _only_known(set(request), REQUEST_KEYS)
        if "method" not in request:
            raise CorpusError("a request without a method")
    status = expected.get("status", [])
    statuses = tuple(status) if isinstance(status, list) else (status,)
    if (kind == "invalid") != bool(statuses):
        raise CorpusError("an invalid case has a status, a valid one has none")
    options = expected.get("options", {})
    _only_known(set(options), OPTION_KEYS)
    return Case(kind, name, comment, data, statuses, tuple(requests), int(expected.get("interim", 0)), options)


def load(path: Path) -> Case:
    """The case whose .http file this is."""
    try:
        expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return parse_case(path.parent.name, path.stem, path.read_text(encoding="utf-8"), expected)
    except ValueError as error:
        raise CorpusError(f"{path}: {error}") from error


def cases(kind: str) -> list[Case]:
    """All cases of one kind, by name."""
    return [load(path) for path in sorted((FOLDER / kind).glob("*.http"))]


def cut_lines(data: bytes) -> list[bytes]:
    """Line by line: each piece ends with an LF, except perhaps the last one."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def cut_heads(data: bytes) -> list[bytes]:
    """As clients write: each head in one piece, and what is before and behind it in others."""
    ends = [match.end() for match in re.finditer(rb"\r\n\r\n", data)]
    starts = [match.start() for match in re.finditer(rb"[A-Z]+ [^ \r\n]+ HTTP/[0-9.]+\r\n", data)]
    places = sorted({0, *starts, *ends, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


def cut_bytes(data: bytes) -> list[bytes]:
    """Byte by byte."""
    return [data[at : at + 1] for at in range(len(data))]


def cut_randomly(data: bytes, seed: object) -> list[bytes]:
    """At a few random places, always the same ones for the same seed."""
    chance = random.Random(str(seed))
    places = sorted({0, len(data), *(chance.randrange(len(data)) for _ in range(chance.randint(1, 12)))})
    return [data[start:end] for start, end in pairwise(places)]


def feedings(case: Case) -> Iterator[tuple[str, list[list[bytes]]]]:
    """The ways in which a case is fed: the name of each, and the runs it consists of."""
    yield "whole", [[case.data]]
    if len(heads := cut_heads(case.data)) > 1:
        yield "heads", [heads]
    yield "lines", [cut_lines(case.data)]
    if len(case.data) <= BYTE_BY_BYTE_UP_TO:
        yield "bytes", [cut_bytes(case.data)]
    yield "random", [cut_randomly(case.data, f"{case.id} {seed}") for seed in RANDOM_SEEDS]
