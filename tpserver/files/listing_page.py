"""Writes a listing in pieces of bytes: as an HTML page or as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final

from tpserver.files.listing import Entry, View, in_order
from tpserver.files.listing_style import SPRITE, STYLE
from tpserver.files.media import media_type
from tpserver.files.paths import url_name
from tpserver.http.dates import format_timestamp
from tpserver.http.pages import escape

# Entries in a piece: some ten kilobytes, and less than a millisecond of work.
PIECE: Final = 128

# Control characters, and surrogates, which stand for undecodable bytes.
_UNSHOWN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# JSON can represent control characters.
_UNDECODABLE: Final = re.compile(r"[\ud800-\udfff]")

_COLUMNS: Final = (("name", "Name"), ("size", "Size"), ("date", "Modified"))
_VIEWS: Final = (("list", "List"), ("grid", "Grid"))

_PICTURES: Final = (  # that browsers show in an <img>
    "image/apng", "image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/svg+xml",
    "image/vnd.microsoft.icon", "image/webp", "image/x-icon", "image/x-ms-bmp",
)  # fmt: skip
_PACKED: Final = (
    "application/gzip", "application/vnd.rar", "application/x-7z-compressed", "application/x-bzip2",
    "application/x-tar", "application/x-xz", "application/zip", "application/zstd",
)  # fmt: skip
_CODE: Final = (
    "application/javascript", "application/json", "application/toml", "application/wasm", "application/xml",
    "application/x-sh", "application/yaml", "text/css", "text/html", "text/javascript", "text/xml",
)  # fmt: skip
# Icons by media type, or by its part before the slash.
_ICONS: Final = {
    **dict.fromkeys(_PICTURES, "picture"), **dict.fromkeys(_PACKED, "packed"), **dict.fromkeys(_CODE, "code"),
    "application/pdf": "print", "audio": "sound", "text": "text", "video": "film",
}  # fmt: skip


def page(names: Sequence[str], entries: Sequence[Entry], view: View) -> Iterator[bytes]:
    """The HTML page of the folder to which `names` lead from the root, in pieces of UTF-8."""
    yield _top(names, entries, view).encode("utf-8")
    write, begin, end = _row, _table_head(view), b"</tbody>\n</table>\n"
    if view.view == "grid":
        write, begin, end = _cell, '<ul class="grid">\n', b"</ul>\n"
    if entries:
        yield begin.encode("utf-8")
        for part in _parts(in_order(entries, view)):
            yield "".join([write(entry, view.query) for entry in part]).encode("utf-8")
        yield end
    yield b"</main>\n</body>\n</html>\n"


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


def _parts(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while part := list(islice(entries, PIECE)):
        yield part


def _object(entry: Entry) -> str:
    name, is_folder, size, modified = entry
    return json.dumps(
        {
            "name": _UNDECODABLE.sub("\ufffd", name),
            "type": "directory" if is_folder else "file",
            "size": None if is_folder else size,
            "modified": format_timestamp(modified),
            "url": _address(name, is_folder),
        },
        ensure_ascii=False,
    )


def shown(name: str) -> str:
    """A name as text for a page: control characters and undecodable bytes become U+FFFD."""
    return _UNSHOWN.sub("\ufffd", name)


def _address(name: str, is_folder: bool) -> str:
    # "./": no name can be read as a scheme or a host.
    return "./" + url_name(name) + ("/" if is_folder else "")


def kind(name: str) -> str:
    """A file's name -> the name of its icon."""
    return _kind_of(name.rpartition(".")[2].lower() if "." in name else "")


@lru_cache(maxsize=1024)
def _kind_of(extension: str) -> str:
    content_type = media_type("." + extension).partition(";")[0]
    return _ICONS.get(content_type) or _ICONS.get(content_type.partition("/")[0], "file")


def _icon(of: str) -> str:
    return f'<svg class="{of}" aria-hidden="true"><use href="#{of}"/></svg>'


def _row(entry: Entry, query: str) -> str:
    name, is_folder, size, modified = entry
    link = _link_to(name, is_folder, query)
    date = format_timestamp(modified)
    when = f'<time datetime="{date}">{date[:10]} {date[11:16]}</time>'
    return f"<tr><td>{link}</td><td>{'' if is_folder else size_text(size)}</td><td>{when}</td></tr>\n"


def _cell(entry: Entry, query: str) -> str:
    name, is_folder, _, _ = entry
    return f"<li>{_link_to(name, is_folder, query, with_picture=True)}</li>\n"


def _link_to(name: str, is_folder: bool, query: str, *, with_picture: bool = False) -> str:
    """A link to a folder keeps the query, so that the view stays the same; a link to a file has none."""
    text, address = escape(shown(name)), _address(name, is_folder)
    if is_folder:
        return f'<a href="{address}{escape(query)}">{_icon("folder")}{text}/</a>'
    icon = _icon(kind(name))
    if with_picture and kind(name) == "picture":
        icon = f'<img src="{address}" alt="" loading="lazy" decoding="async">'
    return f'<a href="{address}">{icon}{text}</a>'


def size_text(size: int) -> str:
    """A number of bytes as text: "0 B", "1.5 KiB", "12 MiB"."""
    if size < 1024:
        return f"{size} B"
    value, units = size / 1024, ["PiB", "TiB", "GiB", "MiB", "KiB"]
    while value >= 1023.5 and len(units) > 1:
        value /= 1024
        units.pop()
    return f"{value:.1f} {units[-1]}" if value < 9.95 else f"{value:.0f} {units[-1]}"


def _top(names: Sequence[str], entries: Sequence[Entry], view: View) -> str:
    title = escape(shown("/".join(["", *names, ""])))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{SPRITE}\n"
        f'<nav aria-label="Folders"><h1>{_trail(names, view)}</h1></nav>\n<main>\n'
        f'<div class="bar"><p>{_count(entries)}</p>{_sort_bar(view)}{_view_bar(view)}</div>\n'
    )


def _trail(names: Sequence[str], view: View) -> str:
    """The breadcrumb. Its links are relative, so they also work behind a proxy that removes a prefix of the path."""
    query = escape(view.query)
    steps = []
    for place, name in enumerate(["Home", *(escape(shown(name)) for name in names)]):
        up = len(names) - place
        steps.append(f'<a href="{"../" * up}{query}">{name}</a>' if up else f'<span aria-current="page">{name}</span>')
    return "<i>/</i>".join(steps)


def _count(entries: Sequence[Entry]) -> str:
    if not entries:
        return "This folder is empty."
    folders = sum(entry[1] for entry in entries)
    files = len(entries) - folders
    parts = []
    if folders:
        parts.append(f"{folders:,} folder{'s' * (folders > 1)}")
    if files:
        parts.append(f"{files:,} file{'s' * (files > 1)}, {size_text(sum(entry[2] for entry in entries))}")
    return ", ".join(parts)


def _link(view: View) -> str:
    # Always with sort and order, so that the address says what the page shows.
    return escape(f"?sort={view.sort}&order={view.order}" + ("" if view.view == "list" else f"&view={view.view}"))


def _sort_link(sort: str, text: str, view: View) -> str:
    arrow = {"asc": " ▲", "desc": " ▼"}[view.order] if sort == view.sort else ""
    return f'<a href="{_link(view.sorted_by(sort))}">{text}{arrow}</a>'


def _sort_bar(view: View) -> str:
    """Links to sort by, for the grid, which has no column heads."""
    if view.view == "list":
        return ""
    links = [_sort_link(sort, text, view) for sort, text in _COLUMNS]
    return f'<nav aria-label="Order">{"".join(links)}</nav>'


def _view_bar(view: View) -> str:
    links = [
        f'<b aria-current="true">{text}</b>'
        if name == view.view
        else f'<a href="{_link(view._replace(view=name))}">{text}</a>'
        for name, text in _VIEWS
    ]
    return f'<nav aria-label="View">{"".join(links)}</nav>'


def _table_head(view: View) -> str:
    heads = []
    for sort, text in _COLUMNS:
        more = ' title="in UTC"' if sort == "date" else ""
        if sort == view.sort:
            more = f' aria-sort="{view.order}ending"' + more
        heads.append(f'<th scope="col"{more}>{_sort_link(sort, text, view)}</th>')
    return f"<table>\n<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n"
