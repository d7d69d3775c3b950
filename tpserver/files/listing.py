"""The model of a folder's listing: entries, the requested view, and the order of the entries."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias
from unicodedata import normalize
from urllib.parse import unquote_plus

from tpserver.http.grammar import OWS_TEXT
from tpserver.http.lists import bounded
from tpserver.http.negotiation import quality

# The query of a listing: key "=" value, joined by "&". The first value of a key counts; unknown keys are ignored.
# What is read of a query, in characters.
_LONGEST_QUERY: Final = 4096
_PARAMETER: Final = re.compile(r"(?:^|&)(sort|order|view|q)=([^&]*)")
_VALUES: Final = {"sort": ("name", "size", "date"), "order": ("asc", "desc"), "view": ("list", "grid")}
# Characters of the longest filter; further ones are ignored.
LONGEST_FILTER: Final = 200

# The formats of a listing, by media type; of those that a client likes equally the first that it names.
FORMATS: Final = {"html": "text/html", "json": "application/json", "text": "text/plain"}

_DIGITS: Final = re.compile(r"[0-9]+")
# Letters of the Latin and Greek scripts with diacritical marks, in the form NFD.
_MARKED: Final = re.compile(r"([a-z\u0370-\u03ff])[\u0300-\u036f]+")
# Letters that Unicode does not decompose, and those they are sorted with.
_LETTERS: Final = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "\u0131": "i",
        "ł": "l",
        "ŧ": "t",
        "ŋ": "n",
    }
)
# More entries than this are sorted in parts: during one sort() no other thread gets the interpreter.
PART: Final = 2048


# (name, is_folder, size, modified): a file or a folder. The name has undecodable bytes as surrogates (PEP 383). The
# size is in bytes, 0 for a folder; the date in seconds since the epoch. A plain tuple, because the garbage collector
# does not track it: collections took 60 ms with 100 000 named tuples.
Entry: TypeAlias = tuple[str, bool, int, int]
_Key: TypeAlias = tuple[int | str, ...]


class View(NamedTuple):
    """The requested view. Missing or invalid parameters of the query take the defaults.

    `filter` is the text that names must contain, "" for all.
    """

    sort: str = "name"
    order: str = "asc"
    view: str = "list"
    filter: str = ""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters that differ from the defaults, without the filter."""
        return [(key, value) for key, value in zip(_VALUES, self[:3], strict=True) if value != _VALUES[key][0]]

    @property
    def query(self) -> str:
        """The query of a link to another folder in this view, with its "?"; "" for the default view."""
        return "?" + "&".join(f"{key}={value}" for key, value in self.pairs) if self.pairs else ""

    def sorted_by(self, sort: str) -> View:
        """The view behind the head of the column `sort`: a second click reverses the order."""
        reverse = sort == self.sort and self.order == "asc"
        return self._replace(sort=sort, order="desc" if reverse else "asc")


def parse_view(query: str) -> View:
    """A raw query, without its "?" -> the requested view."""
    values: dict[str, str] = {}
    for match in _PARAMETER.finditer(query[:_LONGEST_QUERY]):
        values.setdefault(match[1], match[2])
    wanted = unquote_plus(values.pop("q", "")[: 12 * LONGEST_FILTER]).strip()[:LONGEST_FILTER]
    return View(**{key: value for key, value in values.items() if value in _VALUES[key]}, filter=wanted)


def wanted_format(accept: str | None) -> str:
    """The format of FORMATS that an Accept field prefers; with equal quality the first that it names, else HTML."""
    if accept is None or bounded(accept) is None:
        return "html"
    qualities = {name: quality(accept, media_type) for name, media_type in FORMATS.items()}
    best = max(qualities.values())
    liked = [name for name in FORMATS if qualities[name] == best > 0] or ["html"]
    named = {item.partition(";")[0].strip(OWS_TEXT).lower() for item in accept.split(",")}
    return next((name for name in liked if FORMATS[name] in named), liked[0])


def folded(name: str) -> str:
    """A name without the differences that sorting and filtering ignore: case, and the marks of Latin and Greek letters.

    `Ärger` becomes `arger`. Marks that make another letter, as in Cyrillic, stay.
    """
    text = name.casefold()
    if text.isascii():
        return text
    return normalize("NFC", _MARKED.sub(r"\1", normalize("NFD", text))).translate(_LETTERS)


def filtered(entries: list[Entry], wanted: str) -> list[Entry]:
    """The entries whose names contain each word of `wanted`."""
    words = dict.fromkeys(folded(wanted).split())  # each once
    if not words:
        return entries
    return [entry for entry in entries if _has_all(words, folded(entry[0]))]


def _has_all(words: Iterable[str], text: str) -> bool:
    return all(word in text for word in words)


def natural(name: str) -> str:
    """A sort key that ignores case and accents, and compares numbers by value: `file2` before `File10`."""
    return _DIGITS.sub(_counted, folded(name))


def _counted(digits: re.Match[str]) -> str:
    # "0" keeps the place of digits among other characters; then the number of digits, so that a larger number has a
    # larger key.
    number = digits[0].lstrip("0")
    return "0" + chr(len(number)) + number


def in_order(entries: Sequence[Entry], view: View) -> Iterator[Entry]:
    """The entries in the order of `view`: folders first, equal ones by name."""
    # For the name that of `is_folder`, which is equal for all that are sorted together; folders have no size.
    column = _VALUES["sort"].index(view.sort) + 1

    def key(entry: Entry) -> _Key:
        return entry[column], natural(entry[0]), entry[0]

    backwards = view.order == "desc"
    yield from _sorted([entry for entry in entries if entry[1]], key, backwards and view.sort != "size")
    yield from _sorted([entry for entry in entries if not entry[1]], key, backwards)


def _sorted(entries: list[Entry], key: Callable[[Entry], _Key], backwards: bool) -> Iterable[Entry]:
    """Sorts in parts, so that other threads wait for one part at most."""
    parts = [entries[at : at + PART] for at in range(0, len(entries), PART)]
    for part in parts:
        part.sort(key=key, reverse=backwards)
    return heapq.merge(*parts, key=key, reverse=backwards)
