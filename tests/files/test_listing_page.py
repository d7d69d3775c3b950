"""The bytes of a listing: the page, and the JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from tpserver.files.listing import Entry, View
from tpserver.files.listing_page import PIECE, json_list, kind, page, size_text
from tpserver.files.listing_style import POLICY, SPRITE

# A name that is markup, one that is a scheme, one that is another host for a careless reader, and no UTF-8.
NASTY = [
    '<img src=x onerror="alert(1)">.html',
    "javascript:alert(1)",
    "http:",
    "'\"&amp;.txt",
    "?sort=size",
    "a#b%41.txt",
    "line\nfeed\x1b[2J",
    "caf\udce9.bin",
    "\u65e5\u672c\u8a9e",
    "right\u202eleft",
]


# Of these a page is made; no name adds another.
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "nav", "h1", "div", "p", "a", "i", "b", "span"),
    *("svg", "symbol", "path", "circle", "use", "img", "ul", "li", "time"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


class Page(HTMLParser):
    """What a browser would make of it: elements with their attributes, and the text of each link."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.links: dict[str, str] = {}
        self._href: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "a":
            self._href = dict(attrs)["href"]
            assert self._href is not None
            self.links[self._href] = ""

    def handle_data(self, data: str) -> None:
        if self._href is not None:
            self.links[self._href] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = None


def written(names: tuple[str, ...], entries: list[Entry], view: View) -> str:
    return b"".join(page(names, entries, view)).decode("utf-8")


@pytest.mark.parametrize("view", [View(), View(view="grid")])
def test_no_name_becomes_markup_or_another_address(view: View) -> None:
    text = written(("<b>",), [(name, False, 1, 0) for name in NASTY], view)
    found = Page(text)
    assert {tag for tag, _ in found.elements} <= ELEMENTS
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    for href in found.links:
        assert re.fullmatch(r"\./[A-Za-z0-9._~%-]+|\?[a-z=&]*|(?:\.\./)+(?:\?[a-z=&]*)?", href), href
    assert "<title>/&lt;b&gt;/</title>" in text


@pytest.mark.parametrize(
    ("name", "address", "text"),
    [
        ("a b.txt", "./a%20b.txt", "a b.txt"),
        ("javascript:alert(1)", "./javascript%3Aalert%281%29", "javascript:alert(1)"),
        ("caf\udce9.bin", "./caf%E9.bin", "caf\ufffd.bin"),
        ("100%.txt", "./100%25.txt", "100%.txt"),
        ("q?#", "./q%3F%23", "q?#"),
        ("\u00e9", "./%C3%A9", "\u00e9"),
        ("a\nb", "./a%0Ab", "a\ufffdb"),
    ],
)
def test_a_name_is_linked_by_its_bytes_and_shown_as_text(name: str, address: str, text: str) -> None:
    assert Page(written((), [(name, False, 1, 0)], View())).links[address] == text


@pytest.mark.parametrize(
    ("name", "address", "told"),
    [
        ("a b.txt", "./a%20b.txt", "a b.txt"),
        ("caf\udce9.bin", "./caf%E9.bin", "caf\ufffd.bin"),
        ("a\nb\tc\x01\x7f\x85", "./a%0Ab%09c%01%7F%C2%85", "a\nb\tc\x01\x7f\x85"),
        ('"\\', "./%22%5C", '"\\'),
    ],
)
def test_a_program_is_told_the_name_itself_as_far_as_it_is_text(name: str, address: str, told: str) -> None:
    (found,) = json.loads(b"".join(json_list([(name, False, 1, 0)], View())))
    assert (found["url"], found["name"]) == (address, told)


def test_the_order_and_the_view_go_along_into_folders_and_up_again() -> None:
    found = Page(written(("a", "b"), [("sub", True, 0, 0), ("x.txt", False, 1, 0)], View("size", "desc", "grid")))
    query = "?sort=size&order=desc&view=grid"
    assert found.links["./sub/" + query] == "sub/"
    assert found.links["../../" + query] == "Home"
    assert found.links["../" + query] == "a"
    assert found.links["./x.txt"] == "x.txt"
    assert found.links["?sort=size&order=asc&view=grid"] == "Size \u25bc"
    assert found.links["?sort=date&order=asc&view=grid"] == "Modified"
    assert found.links["?sort=size&order=desc"] == "List"


def test_the_column_that_decides_is_marked() -> None:
    heads = [attributes for tag, attributes in Page(written((), ENTRIES, View("date", "desc"))).elements if tag == "th"]
    assert [head.get("aria-sort") for head in heads] == [None, None, "descending"]


def test_pictures_are_loaded_in_the_grid_only_and_lazily() -> None:
    entries: list[Entry] = [("a.jpg", False, 1, 0), ("b.txt", False, 1, 0), ("c.jpg", True, 0, 0)]
    pictures = [
        attributes for tag, attributes in Page(written((), entries, View(view="grid"))).elements if tag == "img"
    ]
    assert [(picture["src"], picture["loading"]) for picture in pictures] == [("./a.jpg", "lazy")]
    assert "<img" not in written((), entries, View())


ENTRIES: list[Entry] = [("a", True, 0, 0), ("b", False, 1500, 784111777), ("c", False, 3, 0)]


def test_a_row_has_name_size_and_date() -> None:
    text = written((), ENTRIES, View())
    assert '<td>1.5 KiB</td><td><time datetime="1994-11-06T08:49:37Z">1994-11-06 08:49</time></td>' in text
    assert "<p>1 folder, 2 files, 1.5 KiB</p>" in text


def test_an_empty_folder_says_so() -> None:
    assert "This folder is empty." in written((), [], View())
    assert json.loads(b"".join(json_list([], View()))) == []


def test_json_has_an_object_for_each_entry() -> None:
    assert json.loads(b"".join(json_list(ENTRIES, View("size", "desc")))) == [
        {"name": "a", "type": "directory", "size": None, "modified": "1970-01-01T00:00:00Z", "url": "./a/"},
        {"name": "b", "type": "file", "size": 1500, "modified": "1994-11-06T08:49:37Z", "url": "./b"},
        {"name": "c", "type": "file", "size": 3, "modified": "1970-01-01T00:00:00Z", "url": "./c"},
    ]


@pytest.mark.parametrize("count", [1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_many_entries_are_whole_whatever_the_pieces(count: int) -> None:
    entries: list[Entry] = [(str(number), False, 0, 0) for number in range(count)]
    assert [one["name"] for one in json.loads(b"".join(json_list(entries, View())))] == [entry[0] for entry in entries]
    assert written((), entries, View()).count("<tr><td>") == count
    assert all(page((), entries, View())), "an empty piece would be the last chunk"


@pytest.mark.parametrize("seconds", [-(10**15), -1, 0, 10**15])
def test_any_date_of_a_file_can_be_shown(seconds: int) -> None:
    assert written((), [("a", False, 0, seconds)], View())


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10 * 1024, "10 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (5 * 1024**3, "5.0 GiB"),
        (10**18, "888 PiB"),
        (10**21, "888178 PiB"),
    ],
)
def test_a_size_is_short(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.JPG", "picture"),
        ("a.svg", "picture"),
        ("a.tiff", "file"),
        ("a.mp4", "film"),
        ("a.flac", "sound"),
        ("a.md", "text"),
        ("a.js", "code"),
        ("a.html", "code"),
        ("a.tar.gz", "packed"),
        ("a.pdf", "print"),
        ("README", "file"),
        ("jpg", "file"),
        ("a.", "file"),
    ],
)
def test_each_kind_of_file_has_its_icon(name: str, expected: str) -> None:
    assert kind(name) == expected
    assert f'<symbol id="{expected}"' in SPRITE


def test_the_policy_allows_the_pages_own_style_and_nothing_else() -> None:
    text = written((), ENTRIES, View(view="grid"))
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    assert f"style-src 'sha256-{digest}'" in POLICY
    assert "default-src 'none'" in POLICY
    assert "style=" not in unescape(text)
