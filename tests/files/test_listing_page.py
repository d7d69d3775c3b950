"""The bytes of a listing: the page, the JSON and the text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote_plus

import pytest

from tpserver.files.listing import Entry, View, natural
from tpserver.files.listing_icons import SPRITE, kind
from tpserver.files.listing_page import PIECE, json_list, page, shown, size_text, text_list
from tpserver.files.listing_style import POLICY

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
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("form", "input", "button", "span", "small", "script"),
}


class Page(HTMLParser):
    """What a browser would make of it: elements with their attributes, and the text of each link."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.links: dict[str, str] = {}
        self.hrefs: list[str] = []
        self._href: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "a":
            self._href = dict(attrs)["href"]
            assert self._href is not None
            self.hrefs.append(self._href)
            self.links[self._href] = ""

    def handle_data(self, data: str) -> None:
        if self._href is not None:
            self.links[self._href] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = None


def written(names: tuple[str, ...], entries: list[Entry], view: View, **more: Any) -> str:
    return b"".join(page(names, entries, view, **more)).decode("utf-8")


def buttons(text: str) -> list[tuple[str, dict[str, str | None]]]:
    """What each button of a page asks for: its address ("" for the page's own), and the query of its form."""
    found: list[tuple[str, dict[str, str | None]]] = []
    hidden: dict[str, str | None] = {}
    for tag, attributes in Page(text).elements:
        if tag == "form":
            hidden = {}
        elif tag == "input" and attributes["type"] == "hidden":
            hidden[attributes["name"] or ""] = attributes["value"]
        elif tag == "button":
            own = {attributes["name"] or "": attributes["value"]} if "name" in attributes else {}
            found.append((attributes.get("formaction") or "", {**hidden, **own}))
    return found


@pytest.mark.parametrize("view", [View(), View(view="grid")])
def test_no_name_becomes_markup_or_another_address(view: View) -> None:
    text = written(("<b>",), [(name, False, 1, 0) for name in NASTY], view)
    found = Page(text)
    assert {tag for tag, _ in found.elements} <= ELEMENTS
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    for href in found.links:
        assert re.fullmatch(r"[A-Za-z0-9._~%!$()*,=@-]+|\.\./(?:\?[a-z=&]*)?", href), href
    assert len(found.hrefs) == len(NASTY) + 1
    assert text.count("<title>Index of /&lt;b&gt;/</title>") == 2  # the title, and the comment for GDAL


@pytest.mark.parametrize(
    ("name", "address", "text"),
    [
        ("a b.txt", "a%20b.txt", "a b.txt"),
        ("javascript:alert(1)", "javascript%3Aalert(1)", "javascript:alert(1)"),
        ("caf\udce9.bin", "caf%E9.bin", "caf\ufffd.bin"),
        ("100%.txt", "100%25.txt", "100%.txt"),
        ("q?#", "q%3F%23", "q?#"),
        ("\u00e9", "%C3%A9", "\u00e9"),
        ("a\nb", "a%0Ab", "a\ufffdb"),
        ("year=2024,(1)!@$*", "year=2024,(1)!@$*", "year=2024,(1)!@$*"),
        ("a&b+c;d'e", "a%26b%2Bc%3Bd%27e", "a&b+c;d'e"),
        ("..a", "..a", "..a"),
    ],
)
def test_a_name_is_linked_by_its_bytes_and_shown_as_text(name: str, address: str, text: str) -> None:
    assert Page(written((), [(name, False, 1, 0)], View())).links[address] == text


@pytest.mark.parametrize(
    ("name", "address", "told"),
    [
        ("a b.txt", "a%20b.txt", "a b.txt"),
        ("caf\udce9.bin", "caf%E9.bin", "caf\ufffd.bin"),
        ("a\nb\tc\x01\x7f\x85", "a%0Ab%09c%01%7F%C2%85", "a\nb\tc\x01\x7f\x85"),
        ('"\\', "%22%5C", '"\\'),
    ],
)
def test_a_program_is_told_the_name_itself_as_far_as_it_is_text(name: str, address: str, told: str) -> None:
    (found,) = json.loads(b"".join(json_list([(name, False, 1, 0)], View())))
    assert (found["url"], found["name"]) == (address, told)


def test_the_order_and_the_view_go_along_into_folders_and_up_again() -> None:
    text = written(("a", "b"), [("sub", True, 0, 0), ("x.txt", False, 1, 0)], View("size", "desc", "grid"))
    found, asked = Page(text), buttons(text)
    query, same = "?sort=size&order=desc&view=grid", {"sort": "size", "order": "desc", "view": "grid"}
    assert found.links["sub/" + query] == "sub/"
    assert found.links["../" + query] == ".."
    assert found.links["x.txt"] == "x.txt"
    assert asked[:2] == [("../../", same), ("../", same)]
    assert ("", {"sort": "size", "order": "asc", "view": "grid"}) in asked
    assert ("", {"sort": "date", "order": "asc", "view": "grid"}) in asked
    assert ("", {"sort": "size", "order": "desc", "view": "list"}) in asked


def test_a_filter_stays_when_the_order_changes_but_not_in_another_folder() -> None:
    text = written(("a",), [("sub", True, 0, 0)], View(filter='"x"'), total=3)
    assert Page(text).links == {"sub/": "sub/", "../": ".."}
    assert ("../", {}) in buttons(text)
    assert ("", {"q": '"x"', "sort": "size", "order": "asc"}) in buttons(text)
    assert ("", {"q": '"x"', "view": "grid"}) in buttons(text)
    assert 'value="&quot;x&quot;"' in text
    assert "1 of 3 shown" in text


def test_a_filter_that_no_name_matches_says_so_and_shows_all_again() -> None:
    text = written((), [], View("size", filter="<x>"), total=3)
    assert "No name here contains “&lt;x&gt;”." in text
    assert ("", {"sort": "size"}) in buttons(text)


@pytest.mark.parametrize("view", [View(), View("size", "desc"), View(view="grid"), View(filter="x")])
@pytest.mark.parametrize("names", [(), ("a",), ("a", "b", "c")])
def test_a_program_that_follows_links_finds_each_entry_once_and_the_folder_above(
    view: View, names: tuple[str, ...]
) -> None:
    hrefs = [href.partition("?")[0] for href in Page(written(names, ENTRIES, view)).hrefs]
    assert sorted(hrefs) == sorted(["../"] * bool(names) + ["a/", "b", "c"])


def kodi(text: str) -> list[tuple[str, bool]]:
    """The entries that Kodi finds, and which are folders: those whose text is their address, unescaped."""
    found = []
    for link, name in re.findall(r'<a href="([^"]*)"[^>]*>\s*(.*?)\s*</a>.+?(?=<a|</tr|$)', text, re.IGNORECASE):
        decoded = unquote_plus(unescape(link.partition("?")[0].partition("#")[0])).rstrip("/")
        if decoded not in ("", "..") and unescape(name).rstrip("/") == decoded:
            found.append((decoded, link.partition("?")[0].endswith("/")))
    return found


def test_kodi_finds_every_name_that_is_text() -> None:
    names = ["a b.mkv", "a+b;c.mkv", "a&amp;b.mkv", "x:y.mkv", "it's.mkv", "100%.mkv", "\u65e5\u672c.mkv", "q?#.mkv"]
    entries: list[Entry] = [("sub", True, 0, 0), *((name, False, 1, 0) for name in names)]
    assert kodi(written(("above",), entries, View())) == [
        ("sub", True),
        *((name, False) for name in sorted(names, key=natural)),
    ]


def test_a_row_is_one_line_for_programs_that_read_lines() -> None:
    lines = [line for line in written(("a",), ENTRIES, View()).split("\n") if "<a href" in line]
    assert [line.count("<a ") for line in lines] == [1] * 4


def test_the_title_has_host_and_folder() -> None:
    text = written(("a&b", "c"), [], View(), host="<example>:8000")
    assert "<title>Index of /a&amp;b/c/ – &lt;example&gt;:8000</title>" in text
    (comment,) = re.findall("<!-- (.*?) -->", text)
    for path in ("/a&b/c/", "/a&b/c", "/a%26b/c/"):  # GDAL compares the address as it was given
        assert f"<title>Index of {path}</title>" in comment


@pytest.mark.parametrize("name", ["--><script>alert(1)</script>", "--!><b>", "<!--", "]]>"])
def test_no_name_ends_the_comment(name: str) -> None:
    found = Page(written((name,), [], View()))
    assert [tag for tag, _ in found.elements].count("script") == 1
    assert "b" not in [tag for tag, attributes in found.elements if not attributes]


@pytest.mark.parametrize("code", [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
def test_a_name_that_turns_the_direction_of_writing_is_shown_with_the_character(code: int) -> None:
    entries: list[Entry] = [(f"invoice{chr(code)}fdp.exe", False, 1, 0)]
    name = f"invoice[U+{code:04X}]fdp.exe"
    for text in (
        written((), entries, View()),
        written((), entries, View(view="grid")),
        written((f"invoice{chr(code)}fdp.exe",), [], View()),
        b"".join(text_list(entries, View())).decode(),
    ):
        assert name in text
        assert chr(code) not in text
    listed = b"".join(json_list(entries, View())).decode()
    assert f"\\u{code:04x}" in listed
    assert json.loads(listed)[0]["name"] == entries[0][0]


def test_letters_that_are_written_from_right_to_left_stay() -> None:
    assert shown("\u05e9\u05dc\u05d5\u05dd.txt") == "\u05e9\u05dc\u05d5\u05dd.txt"


def test_a_text_has_a_name_in_each_line() -> None:
    entries: list[Entry] = [("sub", True, 0, 0), ("b 2", False, 1, 0), ("b\n1\u2028", False, 1, 0), ("<&", False, 1, 0)]
    assert b"".join(text_list(entries, View())).decode().split("\n") == ["sub/", "<&", "b\ufffd1\ufffd", "b 2", ""]


def test_the_column_that_decides_is_marked() -> None:
    heads = [attributes for tag, attributes in Page(written((), ENTRIES, View("date", "desc"))).elements if tag == "th"]
    assert [head.get("aria-sort") for head in heads] == [None, None, "descending"]


def test_pictures_are_loaded_in_the_grid_only_and_lazily() -> None:
    entries: list[Entry] = [("a.jpg", False, 1, 0), ("b.txt", False, 1, 0), ("c.jpg", True, 0, 0)]
    pictures = [
        attributes for tag, attributes in Page(written((), entries, View(view="grid"))).elements if tag == "img"
    ]
    assert [(picture["src"], picture["loading"]) for picture in pictures] == [("a.jpg", "lazy")]
    assert "<img" not in written((), entries, View())


ENTRIES: list[Entry] = [("a", True, 0, 0), ("b", False, 1500, 784111777), ("c", False, 3, 0)]


def test_a_row_has_name_size_and_date() -> None:
    text = written((), ENTRIES, View())
    assert '<td>1.5 KiB</td><td><time datetime="1994-11-06T08:49:37Z">1994-11-06 08:49</time></td>' in text
    assert ">1 folder, 2 files, 1.5 KiB</p>" in text


def test_a_card_has_name_size_and_date() -> None:
    text = written((), ENTRIES, View(view="grid"))
    assert '<small><b>1.5 KiB</b><time datetime="1994-11-06T08:49:37Z">1994-11-06 08:49</time></small>' in text
    assert '<small><time datetime="1970-01-01T00:00:00Z">' in text


@pytest.mark.parametrize("view", [View(), View(view="grid")])
def test_a_page_has_one_heading_in_its_main_part(view: View) -> None:
    tags = [tag for tag, _ in Page(written(("a",), ENTRIES, view)).elements]
    assert tags.count("h1") == tags.count("main") == 1
    assert tags.index("main") < tags.index("h1")


def test_a_table_has_a_caption() -> None:
    assert "<caption>Files and folders in /a/</caption>" in written(("a",), ENTRIES, View())


def test_an_empty_folder_says_so() -> None:
    assert "This folder is empty." in written((), [], View())
    assert json.loads(b"".join(json_list([], View()))) == []


def test_json_has_an_object_for_each_entry() -> None:
    assert json.loads(b"".join(json_list(ENTRIES, View("size", "desc")))) == [
        {"name": "a", "type": "directory", "size": None, "modified": "1970-01-01T00:00:00Z", "url": "a/"},
        {"name": "b", "type": "file", "size": 1500, "modified": "1994-11-06T08:49:37Z", "url": "b"},
        {"name": "c", "type": "file", "size": 3, "modified": "1970-01-01T00:00:00Z", "url": "c"},
    ]


@pytest.mark.parametrize("count", [1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_many_entries_are_whole_whatever_the_pieces(count: int) -> None:
    entries: list[Entry] = [(str(number), False, 0, 0) for number in range(count)]
    assert [one["name"] for one in json.loads(b"".join(json_list(entries, View())))] == [entry[0] for entry in entries]
    assert written((), entries, View()).count("<tr><td>") == count
    assert b"".join(text_list(entries, View())).count(b"\n") == count
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
        ("README", "text"),
        ("a.docx", "document"),
        ("a.odt", "document"),
        ("a.pptx", "document"),
        ("a.xlsx", "sheet"),
        ("a.ODS", "sheet"),
        ("a.csv", "sheet"),
        ("a.7z", "packed"),
        ("a.zip", "packed"),
        ("a.exe", "program"),
        ("a.deb", "program"),
        ("a.apk", "program"),
        ("unknown", "file"),
        ("jpg", "file"),
        ("a.", "file"),
    ],
)
def test_each_kind_of_file_has_its_icon(name: str, expected: str) -> None:
    assert kind(name) == expected
    assert f'<symbol id="{expected}"' in SPRITE


def test_the_policy_allows_the_pages_own_style_and_script_and_no_other() -> None:
    text = written((), ENTRIES, View(view="grid"))
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    assert f"style-src 'sha256-{digest}'" in POLICY
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    assert f"script-src 'sha256-{digest}'" in POLICY
    assert "default-src 'none'" in POLICY
    assert "style=" not in unescape(text)
