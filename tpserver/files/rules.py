"""The rules of `--cache-control`, `--header` and `--mime`: response fields by glob, and media types by extension.

They are parsed from the texts `GLOB=VALUE`, `GLOB=NAME:VALUE` and `EXT=TYPE`, and applied once for each file loaded.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from tpserver.files.hashed_names import IMMUTABLE, is_hashed
from tpserver.files.media import media_type
from tpserver.http.grammar import OWS_TEXT, TOKEN_TEXT
from tpserver.http.response import HOP_BY_HOP

# RFC 9110 5.5     field-value, of visible ASCII, SP and HTAB: other bytes are read differently by clients
_VALUE: Final = r"[\t\x20-\x7e]*"
# RFC 9110 8.3.1   media-type = type "/" subtype parameters
#                  parameters = *( OWS ";" OWS parameter-name "=" parameter-value )
_TOKEN: Final = TOKEN_TEXT.pattern
_MEDIA_TYPE: Final = (
    rf'{_TOKEN}/{_TOKEN}(?:[ \t]*;[ \t]*{_TOKEN}=(?:{_TOKEN}|"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"))*'
)
_EXTENSION: Final = r"\.?([^./\\\x00-\x1f\x7f ]{1,32})"

# glob    = ["/"] segment *( "/" segment )
# segment = "**" / 1*( "*" / "?" / any other character but "/", which stands for itself )
_LONGEST_GLOB: Final = 256

# Fields that only the server sets, and the reason that the error message gives.
_SERVER_FIELDS: Final = {
    "content-length": "the server counts the bytes",
    "content-type": "use --mime",
    "content-encoding": "the server chooses the coding",
    "content-range": "the server chooses the range",
    "accept-ranges": "the server supports ranges",
    "etag": "the server derives it from the file",
    "last-modified": "the server reads it from the file",
    "date": "the server reads the clock",
    "server": "the server sends its own name",
}

Fields = list[tuple[str, str]]


class Glob:
    """Matches paths that are relative to the root, such as "assets/app.js".

    `*` matches any characters within a segment, `?` one character, `**` any number of segments, including none.
    Matching is case-sensitive. A glob without a slash matches names in every folder, one with a slash paths from the
    root; a leading slash has no other effect. A final `**` matches everything below a folder, not the folder itself.
    """

    __slots__ = ("_segments",)

    def __init__(self, text: str) -> None:
        """Raises ValueError for a malformed glob."""
        segments = text.removeprefix("/").split("/")
        if not segments[-1]:
            raise ValueError(
                "a glob is missing, such as *.css or assets/**" if len(segments) == 1 else _malformed(text)
            )
        if len(text) > _LONGEST_GLOB:
            raise ValueError(f"the glob {text[:40]!r}... is longer than {_LONGEST_GLOB} characters")
        if not all(one and (one == "**" or "**" not in one) for one in segments):
            raise ValueError(_malformed(text))
        if "/" not in text:
            segments = ["**", text]
        # None stands for **. The expressions that fnmatch writes match in linear time, however many stars there are.
        self._segments = [
            None if one == "**" else re.compile(fnmatch.translate(one.replace("[", "[[]"))) for one in segments
        ]

    def matches(self, path: str) -> bool:
        """Whether the glob matches `path`. The time is at most the product of both numbers of segments."""
        names = path.split("/")
        ends = {0}  # how many of the names the glob may have matched, up to the current segment
        for number, segment in enumerate(self._segments, 1):
            if segment is None:
                least = min(ends) + (number == len(self._segments))  # a final ** matches at least one
                ends = set(range(least, len(names) + 1))
            else:
                ends = {end + 1 for end in ends if end < len(names) and segment.match(names[end])}
            if not ends:
                return False
        return len(names) in ends


def _malformed(text: str) -> str:
    return f"{text!r} is no glob: * is within a segment, ** is a whole segment, and no segment is empty"


class FieldRule(NamedTuple):
    """One response field for the files that match `glob`; an empty value sends no such field."""

    glob: Glob
    name: str
    value: str


class MediaRule(NamedTuple):
    """The media type of an extension (lower case, without the dot)."""

    extension: str
    media_type: str


def parse_cache_control(text: str) -> FieldRule:
    """A text such as "assets/**=max-age=60" -> a rule. Raises ValueError."""
    glob, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not GLOB=VALUE, such as *.css=max-age=3600")
    return FieldRule(Glob(glob), "Cache-Control", _value(value))


def parse_header(text: str) -> FieldRule:
    """A text such as "*.html=X-Frame-Options: DENY" -> a rule.

    Raises ValueError, also for a field that only the server may set.
    """
    glob, equals, field = text.partition("=")
    name, colon, value = field.partition(":")
    if not (equals and colon):
        raise ValueError(f"{text!r} is not GLOB=NAME:VALUE, such as *.html=X-Frame-Options:DENY")
    if TOKEN_TEXT.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no field name")
    if name.lower() in HOP_BY_HOP:
        raise ValueError(f"{name} cannot be set: it is a hop-by-hop field")
    if name.lower() in _SERVER_FIELDS:
        raise ValueError(f"{name} cannot be set: {_SERVER_FIELDS[name.lower()]}")
    return FieldRule(Glob(glob), name, _value(value))


def parse_mime(text: str) -> MediaRule:
    """A text such as "wat=text/plain" or ".wat=text/plain" -> a rule. Raises ValueError."""
    extension, equals, value = text.partition("=")
    match = re.fullmatch(_EXTENSION, extension)
    if not equals or match is None:
        raise ValueError(f"{text!r} is not EXT=TYPE, such as glb=model/gltf-binary")
    value = value.strip(OWS_TEXT)
    if re.fullmatch(_MEDIA_TYPE, value) is None:
        raise ValueError(f"{value!r} is no media type, such as text/plain or model/gltf-binary")
    return MediaRule(match[1].lower(), value)


def _value(text: str) -> str:
    value = text.strip(OWS_TEXT)
    if re.fullmatch(_VALUE, value) is None:
        raise ValueError(f"the value {value!r} has a character that is not visible ASCII")
    return value


class FileRules:
    """The rules of one server. Immutable; any thread may call."""

    def __init__(self, fields: Iterable[FieldRule] = (), media: Iterable[MediaRule] = ()) -> None:
        self._fields = tuple(fields)
        self._media = dict(media)

    def fields(self, path: str) -> Fields:
        """The fields of the file at `path` ("assets/app.js", relative to the root).

        The last rule that matches decides, for each field name. Where no rule sets Cache-Control, a name that contains
        a hash of the content gets `IMMUTABLE`.
        """
        found: dict[str, tuple[str, str]] = {}
        if is_hashed(path.rpartition("/")[2]):
            found["cache-control"] = ("Cache-Control", IMMUTABLE)
        for glob, name, value in self._fields:
            if glob.matches(path):
                found[name.lower()] = (name, value)
        return [field for field in found.values() if field[1]]

    def media_type(self, path: str) -> str:
        """The value of the Content-Type field of the file at `path`."""
        return media_type(path.rpartition("/")[2], self._media)
