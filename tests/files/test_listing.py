"""A listing's query, its order, and who gets JSON: pure rules, by tables of cases."""

from __future__ import annotations

import random

import pytest

from tpserver.files import listing
from tpserver.files.listing import Entry, View, in_order, natural, parse_view, wants_json


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
    ("accept", "expected"),
    [
        (None, False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("application/json", True),
        ("Application/JSON", True),
        ("application/json, text/plain, */*", True),
        ("text/html, application/json", False),
        ("text/html;q=0.5, application/json", True),
        ("application/json;q=0.5, text/html", False),
        ("application/json;q=0", False),
        ("application/*", True),
        ("text/plain", False),
        ("", False),
    ],
)
def test_who_gets_json(accept: str | None, expected: bool) -> None:
    assert wants_json(accept) is expected


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
