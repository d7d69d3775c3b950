"""Writes a listing in pieces of bytes: as an HTML page, as JSON or as text.

The page is for people, and for the programs that take the links of a page for the names of a folder (fsspec, GDAL,
Kodi, rclone, lftp, wget, pip). So each entry has one link, whose text and address are its name, in a line of its own;
the only other link is `../`. What else leads somewhere is a button.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final
from urllib.parse import quote

from tpserver.files.listing import Entry, View, in_order
from tpserver.files.listing_icons import SPRITE, icon, kind
from tpserver.files.listing_script import SCRIPT
from tpserver.files.listing_style import STYLE
from tpserver.http.dates import format_timestamp
from tpserver.http.pages import escape

# Entries in a piece: some ten kilobytes, and less than a millisecond of work.
PIECE: Final = 128

# Control characters, separators of lines, and surrogates, which stand for undecodable bytes.
_UNSHOWN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# JSON can represent control characters.
_UNDECODABLE: Final = re.compile(r"[\ud800-\udfff]")
# Unicode's property Bidi_Control: with these `txt.exe` can be shown as `exe.txt`.
_BIDI: Final = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Stay as they are in an address, besides the unreserved: no program takes them for anything else, and people type them.
_PLAIN: Final = "!$()*,=@"

_NO_TAG: Final = str.maketrans({"<": "&lt;", ">": "&gt;"})

_COLUMNS: Final = (("name", "Name"), ("size", "Size"), ("date", "Modified"))
_ARCHIVE: Final = '<form><button name="archive" value="zip">Download as zip</button></form>'
_VIEWS: Final = (("list", "List"), ("grid", "Grid"))


def page(
    names: Sequence[str],
    entries: Sequence[Entry],
    view: View,
    *,
    host: str = "",
    total: int | None = None,
    archive: bool = False,
) -> Iterator[bytes]:
    """The HTML page of the folder to which `names` lead from the root, in pieces of UTF-8.

    `host` is the host that the request names. `total` is the number of entries without the filter. `archive`: with a
    button for an archive of the folder.
    """
    count = len(entries) if total is None else total
    yield _top(names, entries, view, host, count, archive).encode("utf-8")
    write, begin, end = _row, _table_head(names, view), "</tbody>\n</table>\n"
    if view.view == "grid":
        write, begin, end = _card, '<ul class="grid">\n', "</ul>\n"
    if entries or names:
        yield (begin + (_up(view) if names else "")).encode("utf-8")
        for part in _parts(in_order(entries, view)):
            yield "".join([write(entry, view.query) for entry in part]).encode("utf-8")
        yield end.encode("utf-8")
    yield f"{_bottom(entries, view)}</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n".encode()


def json_list(entries: Sequence[Entry], view: View) -> Iterator[bytes]:
    """A JSON array with an object for each entry, in pieces of UTF-8.

    `name`, `type` ("file" or "directory"), `size` in bytes (null for a directory), `modified` (RFC 3339), and `url`, a
    relative reference, which also works for names with undecodable bytes.
    """
    between = b"[\n"
    for part in _parts(in_order(entries, view)):
        yield between + ",\n".join([_object(entry) for entry in part]).encode("utf-8")
        between = b",\n"
    yield b"\n]\n" if entries else b"[]\n"


def text_list(entries: Sequence[Entry], view: View) -> Iterator[bytes]:
    """The names, one in each line, those of folders with a slash behind; in pieces of UTF-8."""
    for part in _parts(in_order(entries, view)):
        yield "".join([f"{shown(name)}{'/' * is_folder}\n" for name, is_folder, _, _ in part]).encode("utf-8")


def _parts(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while part := list(islice(entries, PIECE)):
        yield part


def _object(entry: Entry) -> str:
    name, is_folder, size, modified = entry
    text = json.dumps(
        {
            "name": _UNDECODABLE.sub("\ufffd", name),
            "type": "directory" if is_folder else "file",
            "size": None if is_folder else size,
            "modified": format_timestamp(modified),
            "url": address(name, is_folder),
        },
        ensure_ascii=False,
    )
    return _BIDI.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def shown(name: str) -> str:
    """A name as text: control characters and undecodable bytes become U+FFFD, a bidirectional control `[U+202E]`."""
    return _BIDI.sub(lambda match: f"[U+{ord(match[0]):04X}]", _UNSHOWN.sub("\ufffd", name))


def address(name: str, is_folder: bool) -> str:
    """The reference to an entry, relative to its folder. A colon is escaped: no name can be read as a scheme."""
    return quote(name.encode("utf-8", "surrogateescape"), safe=_PLAIN) + ("/" if is_folder else "")


def _link(name: str, is_folder: bool, query: str, more: str = "") -> str:
    """A link to a folder keeps the query, so that the view stays the same; a link to a file has none."""
    slash, query = ("/", escape(query)) if is_folder else ("", "")
    return f'<a href="{address(name, is_folder)}{query}"{more}>{escape(shown(name))}{slash}</a>'


def _date(modified: int) -> str:
    date = format_timestamp(modified)
    return f'<time datetime="{date}">{date[:10]} {date[11:16]}</time>'


def _row(entry: Entry, query: str) -> str:
    name, is_folder, size, modified = entry
    return (
        f"<tr><td>{icon('folder' if is_folder else kind(name))}{_link(name, is_folder, query)}</td>"
        f"<td>{'' if is_folder else size_text(size)}</td><td>{_date(modified)}</td></tr>\n"
    )


def _card(entry: Entry, query: str) -> str:
    name, is_folder, size, modified = entry
    of = "folder" if is_folder else kind(name)
    picture = f'<img src="{address(name, is_folder)}" alt="" loading="lazy" decoding="async">'
    title = f' title="{escape(shown(name))}"'  # the card may show only part of it
    return (
        f"<li>{picture if of == 'picture' else icon(of)}{_link(name, is_folder, query, title)}"
        f"<small>{'' if is_folder else f'<b>{size_text(size)}</b>'}{_date(modified)}</small></li>\n"
    )


def _up(view: View) -> str:
    link = f'{icon("up")}<a href="../{escape(view.query)}" aria-label="The folder above">..</a>'
    if view.view == "grid":
        return f'<li class="up">{link}</li>\n'
    return f'<tr class="up"><td>{link}</td><td></td><td></td></tr>\n'


def size_text(size: int) -> str:
    """A number of bytes as text: "0 B", "1.5 KiB", "12 MiB"."""
    if size < 1024:
        return f"{size} B"
    value, units = size / 1024, ["PiB", "TiB", "GiB", "MiB", "KiB"]
    while value >= 1023.5 and len(units) > 1:
        value /= 1024
        units.pop()
    return f"{value:.1f} {units[-1]}" if value < 9.95 else f"{value:.0f} {units[-1]}"


def _top(names: Sequence[str], entries: Sequence[Entry], view: View, host: str, total: int, archive: bool) -> str:
    path = shown("/".join(["", *names, ""]))
    title = escape(f"Index of {path}") + (f" – {escape(shown(host))}" if host else "")
    # GDAL looks for one of these texts in the page, without HTML's escapes: the path as it was given.
    spellings = dict.fromkeys([path, path[:-1], "/" + "".join(address(name, True) for name in names)])
    gdal = "".join(f"<title>Index of {text.translate(_NO_TAG)}</title>" for text in spellings if text)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<!-- {gdal} -->\n<style>{STYLE}</style>\n</head>\n<body>\n{SPRITE}\n<main>\n"
        f'<div class="path">{_trail(names, view)}</div>\n'
        f'<div class="bar"><p id="count" role="status">{_count(entries, view, total)}</p>{_search(view, total)}'
        f"{_sort_bar(view)}{_view_bar(view)}{_ARCHIVE if archive and total else ''}</div>\n"
    )


def _bottom(entries: Sequence[Entry], view: View) -> str:
    if entries:
        return '<p id="none" hidden>No name here contains this.</p>\n'
    if view.filter:
        text = f"<p>No name here contains “{escape(shown(view.filter))}”.</p>\n"
        return f"{text}<form>{_hidden(view.pairs)}<button>Show all</button></form>\n"
    return "<p>This folder is empty.</p>\n"


def _hidden(pairs: Sequence[tuple[str, str]]) -> str:
    return "".join(f'<input type="hidden" name="{key}" value="{escape(value)}">' for key, value in pairs)


def _with_filter(view: View) -> list[tuple[str, str]]:
    return [*view.pairs, *([("q", view.filter)] if view.filter else [])]


def _trail(names: Sequence[str], view: View) -> str:
    """The folders above, and the heading. Addresses are relative: they also work behind a proxy that removes a prefix.

    Buttons, which the script makes links of: a program would follow links out of the folder and back without end.
    """
    *above, last = ["Home", *(escape(shown(name)) for name in names)]
    heading = f"<h1>{last}</h1>"
    if not above:
        return heading
    steps = [f'<button formaction="{"../" * (len(names) - place)}">{name}</button>' for place, name in enumerate(above)]
    crumbs = "<i>/</i>".join(steps)
    return f'<nav aria-label="Folders above"><form>{_hidden(view.pairs)}{crumbs}<i>/</i></form></nav>{heading}'


def _count(entries: Sequence[Entry], view: View, total: int) -> str:
    if view.filter:
        return f"{len(entries):,} of {total:,} shown"
    folders = sum(entry[1] for entry in entries)
    files = len(entries) - folders
    parts = []
    if folders:
        parts.append(f"{folders:,} folder{'s' * (folders > 1)}")
    if files:
        parts.append(f"{files:,} file{'s' * (files > 1)}, {size_text(sum(entry[2] for entry in entries))}")
    return ", ".join(parts)


def _search(view: View, total: int) -> str:
    if not total:
        return ""
    return (
        f'<form role="search" class="search">{_hidden(view.pairs)}<input type="search" name="q" maxlength="200"'
        f' value="{escape(view.filter)}" placeholder="Filter" aria-label="Filter by name" autocomplete="off"></form>'
    )


def _sort_button(sort: str, text: str, view: View) -> str:
    arrow = f'<span aria-hidden="true">{"▲" if view.order == "asc" else "▼"}</span>' if sort == view.sort else ""
    others = [pair for pair in _with_filter(view) if pair[0] not in ("sort", "order")]
    order = view.sorted_by(sort).order
    return (
        f'<form>{_hidden([*others, ("order", order)])}<button name="sort" value="{sort}">{text} {arrow}</button></form>'
        + ('<span class="utc">UTC</span>' if sort == "date" else "")
    )


def _sort_bar(view: View) -> str:
    """Buttons to sort by, for the grid, which has no column heads."""
    if view.view == "list":
        return ""
    return f'<div role="group" aria-label="Order">{"".join(_sort_button(*column, view) for column in _COLUMNS)}</div>'


def _view_bar(view: View) -> str:
    others = [pair for pair in _with_filter(view) if pair[0] != "view"]
    buttons = [
        f'<b aria-current="true">{text}</b>'
        if name == view.view
        else f'<button name="view" value="{name}">{text}</button>'
        for name, text in _VIEWS
    ]
    return f'<form role="group" aria-label="View">{_hidden(others)}{"".join(buttons)}</form>'


def _table_head(names: Sequence[str], view: View) -> str:
    heads = []
    for sort, text in _COLUMNS:
        state = f' aria-sort="{view.order}ending"' if sort == view.sort else ""
        heads.append(f'<th scope="col"{state}>{_sort_button(sort, text, view)}</th>')
    caption = f"Files and folders in {escape(shown('/'.join(['', *names, ''])))}"
    return f"<table>\n<caption>{caption}</caption>\n<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n"
