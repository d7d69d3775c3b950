"""Globs over the paths of files, as `--cache-control` and `--header` take them.

A path is relative to its folder and has no slash before it: "assets/app.js".
"""

from __future__ import annotations

import re
from typing import Final

# glob = ["/"] 1*( "**/" / "**" / "*" / "?" / any other character, which stands for itself )
_PARTS: Final = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_LONGEST: Final = 256
# Each one more makes the expression that a glob becomes slower on a path that almost fits.
_MOST_STARS: Final = 8


def compile_glob(glob: str) -> re.Pattern[str]:
    """A glob -> an expression whose `fullmatch` takes the paths that it means. Raises ValueError.

    `*` is any run of characters within a segment, `**` any run at all, `**/` any number of segments, none too, and
    `?` one character of a segment. Letters' case counts. A glob without a slash means names in every folder,
    one with a slash paths from the root on; a leading slash says no more than that.
    """
    if not glob or glob == "/":
        raise ValueError("a glob is missing, such as *.css or assets/**")
    if len(glob) > _LONGEST or glob.count("*") > 2 * _MOST_STARS:
        raise ValueError(f"the glob {glob[:40]!r}... is too long, or has too many stars")
    if "***" in glob or "//" in glob:
        raise ValueError(f"{glob!r} is no glob: * is within a segment, ** across segments")
    anywhere = "/" not in glob
    written = "".join(_expression(part) for part in _PARTS.findall(glob.removeprefix("/")))
    return re.compile(f"(?:.*/)?{written}" if anywhere else written, re.DOTALL)


def _expression(part: str) -> str:
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return known.get(part) or re.escape(part)
