"""A folder's listing: what an entry is, which view of them was asked for, and in which order they come."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from tpserver.http.grammar import OWS_TEXT
from tpserver.http.negotiation import quality

# The query of a listing: key "=" value, joined by "&". Of one key the first counts; what is not known is passed over.
_PARAMETER: Final = re.compile(r"(?:^|&)(sort|order|view)=([^&]*)")
_VALUES: Final = {"sort": ("name", "size", "date"), "order": ("asc", "desc"), "view": ("list", "grid")}

_DIGITS: Final = re.compile(r"[0-9]+")
# More entries than this are sorted a part at a time: one sort() keeps the interpreter from all other threads.
PART: Final = 2048


# (name, is_folder, size, modified): a file or a folder. The name is as the file system takes it, undecodable bytes as
# surrogates (PEP 383); the size in bytes, a folder's 0; the date in seconds since the epoch. A plain tuple, because the
# garbage collector leaves those in peace: with 100 000 named ones it kept the interpreter for 60 ms at a time.
Entry = tuple[str, bool, int, int]


class View(NamedTuple):
    """What the query asks for. The defaults stand for what it does not say, or says wrong."""

    sort: str = "name"
    order: str = "asc"
    view: str = "list"

    @property
    def query(self) -> str:
        """The query of a link that leads to this view, with its "?"; "" for the usual one."""
        pairs = [f"{key}={value}" for key, value in self._asdict().items() if value != _VALUES[key][0]]
        return "?" + "&".join(pairs) if pairs else ""

    def sorted_by(self, sort: str) -> View:
        """The view that a click on the head of a column leads to: a second one turns the order round."""
        turned = sort == self.sort and self.order == "asc"
        return self._replace(sort=sort, order="desc" if turned else "asc")


def parse_view(query: str) -> View:
    """A raw query, without its "?" -> the view that it asks for."""
    asked: dict[str, str] = {}
    for match in _PARAMETER.finditer(query):
        asked.setdefault(match[1], match[2])
    return View(**{key: value for key, value in asked.items() if value in _VALUES[key]})


def wants_json(accept: str | None) -> bool:
    """Whether an Accept field prefers application/json to text/html; where both are as good, the one that it names."""
    if accept is None:
        return False
    json, html = quality(accept, "application/json"), quality(accept, "text/html")
    if json != html:
        return json > html
    named = {item.partition(";")[0].strip(OWS_TEXT).lower() for item in accept.split(",")}
    return json > 0 and "application/json" in named and "text/html" not in named


def natural(name: str) -> str:
    """A key that sorts as a person does: `file2` before `File10`."""
    return _DIGITS.sub(_counted, name.casefold())


def _counted(digits: re.Match[str]) -> str:
    # A digit still sorts among other characters as a digit; behind it comes how many there are, and so the larger
    # number has the larger key.
    number = digits[0].lstrip("0")
    return "0" + chr(len(number)) + number


def in_order(entries: Sequence[Entry], view: View) -> Iterator[Entry]:
    """The entries as `view` has them: folders first, and what is alike by name."""
    folders = [entry for entry in entries if entry[1]]
    files = [entry for entry in entries if not entry[1]]
    backwards = view.order == "desc"
    if view.sort == "size":  # a folder has none
        yield from _sorted(folders, _by_name, False)
        yield from _sorted(files, _by_size, backwards)
        return
    key = _by_date if view.sort == "date" else _by_name
    yield from _sorted(folders, key, backwards)
    yield from _sorted(files, key, backwards)


def _by_name(entry: Entry) -> tuple[Any, ...]:
    return natural(entry[0]), entry[0]


def _by_size(entry: Entry) -> tuple[Any, ...]:
    return entry[2], natural(entry[0]), entry[0]


def _by_date(entry: Entry) -> tuple[Any, ...]:
    return entry[3], natural(entry[0]), entry[0]


def _sorted(entries: list[Entry], key: Callable[[Entry], tuple[Any, ...]], backwards: bool) -> Iterator[Entry]:
    """Sorted, part after part: what one sort holds up is a part's time, and the first part comes early."""
    if len(entries) <= PART:
        yield from sorted(entries, key=key, reverse=backwards)
        return
    # Every so many entries one is taken as a border; what lies between two of them is about as much.
    borders = sorted(key(entry) for entry in entries[:: max(1, PART // 8)])[7::8]
    parts: list[list[tuple[tuple[Any, ...], Entry]]] = [[] for _ in range(len(borders) + 1)]
    for entry in entries:
        place = key(entry)
        parts[bisect_right(borders, place)].append((place, entry))
    for part in reversed(parts) if backwards else parts:
        part.sort(reverse=backwards)
        for _, entry in part:
            yield entry
        part.clear()  # all of them at once would take long
