"""A listing's query, its order, its filter, and who gets which format: pure rules, by tables of cases."""

from __future__ import annotations

import random

import pytest

from tpserver.files import listing
from tpserver.files.listing import LONGEST_FILTER, Entry, View, filtered, in_order, natural, parse_view, wanted_format


@pytest.mark.parametrize(
    ("query", "view"),
    [
        ("", View("name", "asc", "list")),
        ("sort=size", View("size", "asc", "list")),
        ("sort=date&order=desc", View("date", "desc", "list")),
        ("view=grid", View("name", "asc", "grid")),
        ("order=desc&view=grid&sort=name", View("name", "desc", "grid")),
        ("token=1&sort=size&x", View("size", "asc", "list")),
        ("sort=size&sort=date", View("size", "asc", "list")),
        ("sort=", View()),
        ("sort=SIZE&order=DESC", View()),
        ("sort=colour&order=up&view=cube", View()),
        ("resort=size&xview=grid", View()),
        ("sort=size;order=desc", View()),
        ("&&&=&sort", View()),
        ("sort=size%26order=desc", View()),
    ],
)
def test_what_a_query_asks_for(query: str, view: View) -> None:
    assert parse_view(query) == view


@pytest.mark.parametrize(
    ("view", "query"),
    [
        (View(), ""),
        (View(view="grid"), "?view=grid"),
        (View("size", "desc"), "?sort=size&order=desc"),
        (View("date", "asc", "grid"), "?sort=date&view=grid"),
    ],
)
def test_a_link_to_the_same_view_says_what_is_unusual_about_it(view: View, query: str) -> None:
    assert view.query == query
    assert parse_view(query[1:]) == view


@pytest.mark.parametrize(
    ("view", "clicked", "after"),
    [
        (View("name", "asc"), "name", View("name", "desc")),
        (View("name", "desc"), "name", View("name", "asc")),
        (View("name", "desc"), "size", View("size", "asc")),
        (View("size", "asc", "grid"), "size", View("size", "desc", "grid")),
    ],
)
def test_a_second_click_turns_the_order_round(view: View, clicked: str, after: View) -> None:
    assert view.sorted_by(clicked) == after


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("q=abc", "abc"),
        ("q=a+b", "a b"),
        ("q=%C3%A9t%C3%A9%26", "été&"),
        ("sort=size&q=x&q=y", "x"),
        ("q=", ""),
        ("q=+", ""),
        ("xq=a", ""),
        ("q=%zz", "%zz"),
        ("q=" + "a" * 60000, "a" * LONGEST_FILTER),
        ("q=" + "%C3%A9" * 10000, "é" * LONGEST_FILTER),
    ],
)
def test_what_a_query_filters_by(query: str, wanted: str) -> None:
    assert parse_view(query).filter == wanted


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "html"),
        ("*/*", "html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("application/json", "json"),
        ("Application/JSON", "json"),
        ("application/json, text/plain, */*", "json"),
        ("text/html, application/json", "html"),
        ("text/html;q=0.5, application/json", "json"),
        ("application/json;q=0.5, text/html", "html"),
        ("application/json;q=0", "html"),
        ("application/*", "json"),
        ("text/plain", "text"),
        ("text/plain, */*", "text"),
        ("text/plain;q=0.9, text/html", "html"),
        ("text/plain, application/json;q=0.1", "text"),
        ("text/*", "html"),
        ("text/html, text/plain", "html"),
        ("application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", "html"),
        ("", "html"),
        ("text/plain" + "," * 60000, "html"),
    ],
)
def test_who_gets_which_format(accept: str | None, expected: str) -> None:
    assert wanted_format(accept) == expected


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("", ["Ärger.txt", "Arg.TXT", "b2.png", "Łódź.doc", "日本.txt"]),
        ("arg", ["Ärger.txt", "Arg.TXT"]),
        ("ÄRG", ["Ärger.txt", "Arg.TXT"]),
        ("txt ar", ["Ärger.txt", "Arg.TXT"]),
        ("lodz", ["Łódź.doc"]),
        ("本", ["日本.txt"]),
        (".*", []),
    ],
)
def test_a_filter_takes_names_that_contain_each_word_whatever_the_accents(wanted: str, names: list[str]) -> None:
    entries = [(name, False, 1, 1) for name in ("Ärger.txt", "Arg.TXT", "b2.png", "Łódź.doc", "日本.txt")]
    assert [entry[0] for entry in filtered(entries, wanted)] == names


@pytest.mark.parametrize(
    "names",
    [
        ["file1", "file2", "file10", "file100"],
        ["a", "B", "c"],
        ["0", "1", "9", "10", "a"],
        ["v1.2", "v1.10", "v2.0"],
        ["a", "a1", "ab"],
        ["img_0009.jpg", "img_0010.jpg", "img_0100.jpg"],
        ["img009", "img10", "img011"],
        ["\u00e4rger 2", "\u00c4rger 10"],
        ["apfel", "Ärger", "auto", "éclair", "Eduard", "Zebra"],
        ["élan", "elan2", "E\u0301lan3"],
        ["lodz1", "Łódź2", "lodz3"],
        ["øl", "om", "oslo"],
        ["άλφα", "βήτα"],
        ["ива", "йога", "как"],
    ],
)
def test_names_come_as_a_person_would_put_them(names: list[str]) -> None:
    mixed = random.Random(1).sample(names, len(names))
    assert sorted(mixed, key=natural) == names


def test_other_scripts_digits_are_letters() -> None:
    assert natural("\u0661\u0662") == "\u0661\u0662"


ENTRIES: list[Entry] = [
    ("b.txt", False, 10, 300),
    ("sub10", True, 0, 100),
    ("a.txt", False, 20, 100),
    ("C.txt", False, 5, 200),
    ("sub9", True, 0, 200),
]


@pytest.mark.parametrize(
    ("sort", "order", "names"),
    [
        ("name", "asc", ["sub9", "sub10", "a.txt", "b.txt", "C.txt"]),
        ("name", "desc", ["sub10", "sub9", "C.txt", "b.txt", "a.txt"]),
        ("size", "asc", ["sub9", "sub10", "C.txt", "b.txt", "a.txt"]),
        ("size", "desc", ["sub9", "sub10", "a.txt", "b.txt", "C.txt"]),
        ("date", "asc", ["sub10", "sub9", "a.txt", "C.txt", "b.txt"]),
        ("date", "desc", ["sub9", "sub10", "b.txt", "C.txt", "a.txt"]),
    ],
)
def test_folders_come_first_in_every_order(sort: str, order: str, names: list[str]) -> None:
    assert [entry[0] for entry in in_order(ENTRIES, View(sort, order))] == names


def test_names_that_differ_only_in_case_have_one_order() -> None:
    entries = [("A", False, 1, 1), ("a", False, 1, 1)]
    for sort in ("name", "size", "date"):
        assert [*in_order(entries, View(sort))] == [*in_order(entries[::-1], View(sort))]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["name", "size", "date"])
@pytest.mark.parametrize("sizes", [1, 3, 1_000_000])
def test_many_entries_sorted_in_parts_are_sorted(sort: str, order: str, sizes: int) -> None:
    chance = random.Random(1)
    entries: list[Entry] = [
        (f"entry-{number * 7919 % 10007}", number % 9 == 0, chance.randrange(sizes), chance.randrange(sizes))
        for number in range(3 * listing.PART)
    ]
    entries = [(name, folder, 0 if folder else size, date) for name, folder, size, date in entries]
    columns = {"name": [], "size": [2], "date": [3]}[sort]

    def key(entry: Entry) -> list[object]:
        return [*(entry[column] for column in columns), natural(entry[0]), entry[0]]

    folders = [entry for entry in entries if entry[1]]
    files = [entry for entry in entries if not entry[1]]
    expected = sorted(folders, key=key, reverse=order == "desc" and sort != "size")
    expected += sorted(files, key=key, reverse=order == "desc")
    assert [*in_order(entries, View(sort, order))] == expected
