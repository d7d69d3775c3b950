"""Writes the table of options into README.md: python docs/make_options.py, from the project's folder.

The table is what `tpserver.config` declares. A test fails where the two differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- options:begin -->\n", "<!-- options:end -->\n"


def with_options(text: str, table: str) -> str:
    """`text` with `table` between its two markers, instead of what stands there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the markers of the table of options are missing")
    return before + begin + table + end + after


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from tpserver.config import options_table

    readme = ROOT / "README.md"
    readme.write_text(with_options(readme.read_text("utf-8"), options_table()), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
