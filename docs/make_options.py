"""Writes the tables of options into README.md and docs/static-files.md: python docs/make_options.py.

They show the options that `tpserver.config` declares. A test fails where they differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- options:begin -->\n", "<!-- options:end -->\n"
FILES_BEGIN, FILES_END = "<!-- file-options:begin -->\n", "<!-- file-options:end -->\n"


def with_options(text: str, table: str, begin_marker: str = BEGIN, end_marker: str = END) -> str:
    """`text` with `table` in place of the text between the two markers. Raises ValueError where one is missing."""
    before, begin, rest = text.partition(begin_marker)
    _, end, after = rest.partition(end_marker)
    if not (begin and end):
        raise ValueError("the markers of the table of options are missing")
    return before + begin + table + end + after


def main() -> None:
    """Rewrites both documents."""
    sys.path.insert(0, str(ROOT))
    from tpserver.config import OPTIONS
    from tpserver.options.files import FileOptions
    from tpserver.options.option import options_table

    readme = ROOT / "README.md"
    readme.write_text(with_options(readme.read_text("utf-8"), options_table(OPTIONS)), "utf-8", newline="\n")
    files = ROOT / "docs" / "static-files.md"
    of_files = {name: OPTIONS[name] for name in FileOptions.__annotations__}
    text = with_options(files.read_text("utf-8"), options_table(of_files), FILES_BEGIN, FILES_END)
    files.write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
