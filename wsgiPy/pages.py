"""The HTML of the application's pages. Text from outside is passed through ``shown`` first."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

NAVIGATION = (
    ("/hello", "Hello"),
    ("/form", "Form"),
    ("/upload", "Upload"),
    ("/stream", "Stream"),
    ("/environ", "Environ"),
    ("/clock", "Clock"),
    ("/time.py", "time.py"),
)

LAYOUT = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · tpserver</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<a class="home" href="/">tpserver</a>
<nav aria-label="Site">
<ul>
{navigation}
</ul>
</nav>
</header>
<main id="main">
<h1>{title}</h1>
{content}
</main>
<footer><p>This page was written by the application, <code>wsgiPy/demo.py</code>.</p></footer>
</body>
</html>
"""


def shown(text: str) -> str:
    """Make text safe inside an element or a quoted attribute; characters that are not visible become U+FFFD.

    Control characters, and marks that change the reading direction, can disguise a file name.
    """
    return escape("".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text))


def page(title: str, *content: str, mount: str = "", current: str = "") -> bytes:
    """Write a whole page. ``mount`` is where the application is mounted, ``current`` the path of this page below it."""
    mark = {current: ' aria-current="page"'}
    items = "\n".join(
        f'<li><a href="{link(path, mount)}"{mark.get(path, "")}>{name}</a></li>' for path, name in NAVIGATION
    )
    html = LAYOUT.format(title=shown(title), navigation=items, content="\n".join(content))
    return html.encode("utf-8", "replace")


def link(path: str, mount: str = "") -> str:
    """Return the address of one of the application's own paths, ready for an attribute."""
    return escape(quote(mount, safe="/", encoding="latin-1", errors="replace") + path)


def table(caption: str, columns: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    """Write a table; the first cell of each row names it."""
    head = "".join(f'<th scope="col">{shown(column)}</th>' for column in columns)
    lines = []
    for row in rows:
        first, *others = (shown(cell) for cell in row)
        first = first.replace("_", "_<wbr>")  # where a narrow screen may break HTTP_ACCEPT_LANGUAGE
        lines.append(f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>')
    return (
        '<div class="wide" role="region" tabindex="0" aria-label="' + shown(caption) + '">\n'
        f"<table><caption>{shown(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody></table>\n</div>"
    )


def paragraph(text: str) -> str:
    return f"<p>{shown(text)}</p>"
