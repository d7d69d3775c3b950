"""A parser for multipart/form-data (RFC 7578): blocks of bytes in, parts out.

Python 3.13 removed ``cgi``, and ``email`` needs the complete message in memory. This parser reads the body as it
arrives: a file of any size passes through in pieces, in linear time. Every length that a client chooses has a limit.
Malformed input raises ``MultipartError``, whose text can be shown to the user.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_PARTS = 100
MAX_PART_HEAD = 8 * 1024
MAX_PREAMBLE = 1024

# A parameter of a field's value: ;name=token or ;name="quoted \" string" (RFC 9110, 5.6.6).
PARAMETER = re.compile(r';[ \t]*([!#$%&\'*+.^_`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^;"]*))', re.ASCII)
# RFC 2046, 5.1.1: one to seventy of these characters; the last is not a space.
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


class MultipartError(ValueError):
    """The body is not well-formed multipart/form-data."""


class Part(NamedTuple):
    """The head of one part; ``filename`` is None for an ordinary field of the form."""

    name: str
    filename: str | None
    content_type: str


def read(blocks: Iterable[bytes], boundary: str) -> Iterator[Part | bytes]:
    """Yield each part's head, followed by its content in pieces of any size."""
    if not BOUNDARY.fullmatch(boundary):
        raise MultipartError("the boundary is missing or not allowed")
    delimiter = b"\r\n--" + boundary.encode("ascii")
    text = _Text(blocks)
    text.take(delimiter, MAX_PREAMBLE + len(delimiter))
    parts = 0
    while not _is_last(text):
        parts += 1
        if parts > MAX_PARTS:
            raise MultipartError(f"more than {MAX_PARTS} parts")
        yield _part(text)
        yield from text.pieces(delimiter)


def parse_field(value: str) -> tuple[str, dict[str, str]]:
    """Split a field such as Content-Type into its value, in lower case, and its parameters."""
    main = value.partition(";")[0].strip(" \t").lower()
    parameters: dict[str, str] = {}
    for name, quoted, token in PARAMETER.findall(value):
        parameters.setdefault(name.lower(), re.sub(r'\\(["\\])', r"\1", quoted) or token.strip(" \t"))
    return main, parameters


class _Text:
    """The bytes of the body that have arrived and were not taken yet."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        # The first delimiter may begin the body: it gets the line end that precedes all others.
        self._have = bytearray(b"\r\n")

    def need(self, size: int) -> None:
        while len(self._have) < size:
            self._more()

    def take(self, end: bytes, limit: int) -> bytes:
        """Return the bytes before ``end``, and remove them and ``end``."""
        searched = 0
        while (at := self._have.find(end, searched, limit)) < 0:
            if len(self._have) >= limit:
                raise MultipartError("a line or the head of a part is too long, or a boundary is missing")
            searched = max(0, len(self._have) - len(end) + 1)
            self._more()
        taken = bytes(self._have[:at])
        del self._have[: at + len(end)]
        return taken

    def pieces(self, end: bytes) -> Iterator[bytes]:
        """Yield the bytes before ``end`` as they arrive, and remove ``end``."""
        while (at := self._have.find(end)) < 0:
            # The last bytes may be the beginning of ``end``: only those before them are content for sure.
            if (sure := len(self._have) - len(end) + 1) > 0:
                yield bytes(self._have[:sure])
                del self._have[:sure]
            self._more()
        if at:
            yield bytes(self._have[:at])
        del self._have[: at + len(end)]

    def starts_with(self, prefix: bytes) -> bool:
        self.need(len(prefix))
        return self._have.startswith(prefix)

    def _more(self) -> None:
        block = next(self._blocks, b"")
        if not block:
            raise MultipartError("the body ends before its last boundary")
        self._have += block


def _is_last(text: _Text) -> bool:
    """Read the rest of a delimiter's line; True for the two hyphens that end the body."""
    if text.starts_with(b"--"):
        return True
    if text.take(b"\r\n", 256).strip(b" \t"):
        raise MultipartError("a boundary is followed by other text")
    return False


def _part(text: _Text) -> Part:
    if text.starts_with(b"\r\n"):
        raise MultipartError("a part has no head")
    fields: dict[str, str] = {}
    for line in text.take(b"\r\n\r\n", MAX_PART_HEAD).split(b"\r\n"):
        # Browsers send names in the encoding of the page, which is UTF-8 here.
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if not colon:
            raise MultipartError("a line in the head of a part has no colon")
        fields[name.lower()] = value.strip(" \t")
    kind, parameters = parse_field(fields.get("content-disposition", ""))
    if kind != "form-data" or "name" not in parameters:
        raise MultipartError("a part does not say which field of the form it is")
    filename = parameters.get("filename")
    if "filename*" in parameters:  # RFC 8187: UTF-8''na%C3%AFve.txt; some clients send it, browsers do not
        filename = unquote(parameters["filename*"].rpartition("'")[2], "utf-8", "replace")
    return Part(parameters["name"], filename, fields.get("content-type", "text/plain"))
