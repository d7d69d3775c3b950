"""The rules of `--cache-control`, `--header`, `--mime` and `--encoded`: response fields and media types by glob.

They are parsed from texts such as `GLOB=VALUE`, `GLOB=NAME:VALUE` and `EXT=TYPE`, and applied once for each file that
is loaded.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from tpserver.errors import UsageError
from tpserver.files.codings import EXTENSIONS, own_coding, without_extension
from tpserver.files.hashed_names import IMMUTABLE, is_hashed
from tpserver.files.media import is_utf8, media_type, takes_charset
from tpserver.files.paths import names_of, os_text
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
_IN_GLOBS: Final = r"[*?/]"
_ENDING: Final = r"\.?[^./\\\x00-\x1f\x7f ]+(?:\.[^./\\\x00-\x1f\x7f ]+)*"

# glob    = ["/"] segment *( "/" segment )
# segment = "**" / 1*( "*" / "?" / any other character but "/", which stands for itself )
_LONGEST_GLOB: Final = 256
# No file has a longer path, in characters: no rule is for it.
_LONGEST_PATH: Final = 4096

# Fields that only the server sets, and the reason that the error message gives.
_SERVER_FIELDS: Final = {
    "content-length": "the server counts the bytes",
    "content-type": "use --mime",
    "content-encoding": "the server chooses the coding",
    "content-range": "the server chooses the range",
    "accept-ranges": "the server supports ranges",
    "allow": "the server knows the methods",
    "location": "the server knows where to",
    "retry-after": "the server estimates the time",
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
    """The media type of the files that match `glob`, or that end in `ending` (lower case), or whose name is `name`.

    `name` is in lower case, too. What does not count is None or "".
    """

    media_type: str
    glob: Glob | None = None
    ending: str = ""
    name: str = ""

    def matches(self, path: str) -> bool:
        """Whether the rule is for the file at `path`, which is relative to the root."""
        if self.glob is not None:
            return self.glob.matches(path)
        name = path.rpartition("/")[2].lower()
        return name == self.name or name.endswith(self.ending)


class CodingRule(NamedTuple):
    """The content coding that the files are in that match `glob`; "" for none."""

    glob: Glob
    coding: str


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
    """A text such as "wat=text/plain", ".wat=text/plain", "LICENSE=text/plain" or "docs/*=text/plain" -> a rule.

    What is no glob is an extension, and a whole name. Raises ValueError.
    """
    what, equals, value = text.partition("=")
    if not equals or not what:
        raise ValueError(f"{text!r} is not EXT=TYPE or GLOB=TYPE, such as glb=model/gltf-binary")
    value = value.strip(OWS_TEXT)
    if re.fullmatch(_MEDIA_TYPE, value) is None:
        raise ValueError(f"{value!r} is no media type, such as text/plain or model/gltf-binary")
    if re.search(_IN_GLOBS, what):
        return MediaRule(value, Glob(what))
    if re.fullmatch(_ENDING, what) is None:
        raise ValueError(f"{what!r} is no extension, no name and no glob")
    name = what.lower()
    return MediaRule(value, ending=name if name.startswith(".") else "." + name, name=name)


def parse_encoded(text: str) -> CodingRule:
    """A text such as "tiles/**=gzip" -> a rule. Raises ValueError."""
    glob, equals, coding = text.partition("=")
    coding = coding.strip(OWS_TEXT).lower()
    if not equals or coding not in (*EXTENSIONS, "none"):
        raise ValueError(
            f"{text!r} is not GLOB=CODING, such as tiles/**=gzip; codings are {', '.join(EXTENSIONS)}, none"
        )
    return CodingRule(Glob(glob), "" if coding == "none" else coding)


def _value(text: str) -> str:
    value = text.strip(OWS_TEXT)
    if re.fullmatch(_VALUE, value) is None:
        raise ValueError(f"the value {value!r} has a character that is not visible ASCII")
    return value


def as_private(value: str | None) -> str:
    """The value of a Cache-Control field, or None -> the same for what only some may read."""
    kept = [one.strip() for one in (value or "").split(",")]
    shared = ("public", "private", "s-maxage", "")
    return ", ".join(["private", *[one for one in kept if one.partition("=")[0].strip().lower() not in shared]])


class HeaderRules:
    """The rules of `--header` for what is no file: listings, redirects and errors. Immutable; any thread may call."""

    def __init__(self, rules: Iterable[FieldRule]) -> None:
        self._rules = tuple(rules)

    def fields(self, path: str) -> Fields:
        """The fields of answers for the path of a request, decoded as latin-1.

        The path of a folder has a slash at the end, so that `docs/**` takes it.
        """
        if not self._rules or len(path) > _LONGEST_PATH:
            return []
        slash = "/" if path.endswith(("/", "/.")) else ""
        names = names_of(os_text(path))
        return _matching(self._rules, "/".join(names) + (slash if names else ""), {})


def _matching(rules: Iterable[FieldRule], path: str, found: dict[str, tuple[str, str]]) -> Fields:
    for glob, name, value in rules:
        if glob.matches(path):
            found[name.lower()] = (name, value)
    return [field for field in found.values() if field[1]]


class FileRules:
    """The rules of one server. Immutable; any thread may call."""

    def __init__(
        self,
        fields: Iterable[FieldRule] = (),
        media: Iterable[MediaRule] = (),
        charset: str = "auto",
        encoded: Iterable[CodingRule] = (),
        private: Callable[[str], bool] | None = None,
    ) -> None:
        """`charset` as `--charset`; `private` says which files no shared cache may keep.

        Raises `UsageError` where the charset is no name.
        """
        if TOKEN_TEXT.fullmatch(charset) is None:
            raise UsageError(f"--charset {charset}: it takes the name of a charset, such as utf-8, or auto, or none")
        self._fields = tuple(fields)
        self._media = tuple(media)
        self._charset = charset
        self._encoded = tuple(encoded)
        self._private = private
        self.look_at_names = bool(self._fields or self._media or self._encoded)

    def fields(self, path: str) -> Fields:
        """The fields of the file at `path` ("assets/app.js", relative to the root).

        The last rule that matches decides, for each field name. Where no rule sets Cache-Control, a name that contains
        a hash of the content gets `IMMUTABLE`.
        """
        found: dict[str, tuple[str, str]] = {}
        if is_hashed(path.rpartition("/")[2]):
            found["cache-control"] = ("Cache-Control", IMMUTABLE)
        fields = _matching(self._fields, path, found)
        if self._private is None or not self._private(path):
            return fields
        given = next((value for name, value in fields if name.lower() == "cache-control"), None)
        others = [field for field in fields if field[0].lower() != "cache-control"]
        return [*others, ("Cache-Control", as_private(given))]

    def coding(self, path: str, sample: bytes) -> str:
        """The value of the Content-Encoding field of the file at `path`, which begins with `sample`; "" for none."""
        for glob, coding in reversed(self._encoded):
            if glob.matches(path):
                return coding
        return own_coding(path.rpartition("/")[2], sample)

    def content_type(self, path: str, sample: bytes = b"", coding: str = "") -> str:
        """The value of the Content-Type field of the file at `path`, which begins with `sample` and is in `coding`.

        A browser believes a charset that is sent, and not what a page says of itself. So it is sent where it is true.
        """
        if coding:
            path = without_extension(path)
        folder, _, name = path.rpartition("/")
        ours = [rule.media_type for rule in self._media if rule.matches(path)]
        media = ours[-1] if ours else media_type(name, folder.rpartition("/")[2])
        charset = self._charset
        if charset == "none" or not takes_charset(media):
            return media
        if charset == "auto":
            if coding or not is_utf8(sample):
                return media
            charset = "utf-8"
        return f"{media}; charset={charset}"
