"""The model of a folder's listing: entries, the requested view, and the order of the entries."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from tpserver.http.grammar import OWS_TEXT
from tpserver.http.lists import bounded
from tpserver.http.negotiation import quality

# The query of a listing: key "=" value, joined by "&". The first value of a key counts; unknown keys are ignored.
# What is read of a query, in characters.
_LONGEST_QUERY: Final = 1024
_PARAMETER: Final = re.compile(r"(?:^|&)(sort|order|view)=([^&]*)")
_VALUES: Final = {"sort": ("name", "size", "date"), "order": ("asc", "desc"), "view": ("list", "grid")}

_DIGITS: Final = re.compile(r"[0-9]+")
# More entries than this are sorted in parts: during one sort() no other thread gets the interpreter.
PART: Final = 2048


# (name, is_folder, size, modified): a file or a folder. The name has undecodable bytes as surrogates (PEP 383). The
# size is in bytes, 0 for a folder; the date in seconds since the epoch. A plain tuple, because the garbage collector
# does not track it: collections took 60 ms with 100 000 named tuples.
Entry: TypeAlias = tuple[str, bool, int, int]
_Key: TypeAlias = tuple[int | str, ...]


class View(NamedTuple):
    """The requested view. Missing or invalid parameters of the query take the defaults."""

    sort: str = "name"
    order: str = "asc"
    view: str = "list"

    @property
    def query(self) -> str:
        """The query of a link to this view, with its "?"; "" for the default view."""
        pairs = [f"{key}={value}" for key, value in self._asdict().items() if value != _VALUES[key][0]]
        return "?" + "&".join(pairs) if pairs else ""

    def sorted_by(self, sort: str) -> View:
        """The view behind the head of the column `sort`: a second click reverses the order."""
        reverse = sort == self.sort and self.order == "asc"
        return self._replace(sort=sort, order="desc" if reverse else "asc")


def parse_view(query: str) -> View:
    """A raw query, without its "?" -> the requested view."""
    values: dict[str, str] = {}
    for match in _PARAMETER.finditer(query[:_LONGEST_QUERY]):
        values.setdefault(match[1], match[2])
    return View(**{key: value for key, value in values.items() if value in _VALUES[key]})


def wants_json(accept: str | None) -> bool:
    """Whether an Accept field prefers application/json to text/html; with equal quality, whether it names only JSON."""
    if accept is None or bounded(accept) is None:
        return False
    json, html = quality(accept, "application/json"), quality(accept, "text/html")
    if json != html:
        return json > html
    named = {item.partition(";")[0].strip(OWS_TEXT).lower() for item in accept.split(",")}
    return json > 0 and "application/json" in named and "text/html" not in named


def natural(name: str) -> str:
    """A sort key that ignores case and compares numbers by value: `file2` before `File10`."""
    return _DIGITS.sub(_counted, name.casefold())


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
