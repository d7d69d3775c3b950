"""Globs that match the paths of files, for `--cache-control` and `--header`.

A path is relative to the root and does not begin with a slash: "assets/app.js".
"""

from __future__ import annotations

import fnmatch
import re
from typing import Final

# glob    = ["/"] segment *( "/" segment )
# segment = "**" / 1*( "*" / "?" / any other character but "/", which stands for itself )
_LONGEST: Final = 256


class Glob:
    """`*` matches any characters within a segment, `?` one character, `**` any number of segments, including none.

    Matching is case-sensitive. A glob without a slash matches names in every folder, one with a slash paths from the
    root; a leading slash has no other effect. A final `**` matches everything below a folder, not the folder itself.
    """

    __slots__ = ("_segments",)

    def __init__(self, text: str) -> None:
        """Raises ValueError for a malformed glob."""
        segments = text.removeprefix("/").split("/")
        if not segments[-1]:
            raise ValueError(
                "a glob is missing, such as *.css or assets/**" if len(segments) == 1 else _malformed(text)
            )
        if len(text) > _LONGEST:
            raise ValueError(f"the glob {text[:40]!r}... is longer than {_LONGEST} characters")
        if not all(one and (one == "**" or "**" not in one) for one in segments):
            raise ValueError(_malformed(text))
        if "/" not in text:
            segments = ["**", text]
        # None stands for **. The expressions that fnmatch writes match in linear time, however many stars there are.
        self._segments = [
            None if one == "**" else re.compile(fnmatch.translate(one.replace("[", "[[]"))) for one in segments
        ]

    def matches(self, path: str) -> bool:
        """Whether the glob matches `path`. The time is at most the product of both numbers of segments."""
        names = path.split("/")
        ends = {0}  # how many of the names the glob may have matched, up to the current segment
        for number, segment in enumerate(self._segments, 1):
            if segment is None:
                least = min(ends) + (number == len(self._segments))  # a final ** matches at least one
                ends = set(range(least, len(names) + 1))
            else:
                ends = {end + 1 for end in ends if end < len(names) and segment.match(names[end])}
            if not ends:
                return False
        return len(names) in ends


def _malformed(text: str) -> str:
    return f"{text!r} is no glob: * is within a segment, ** is a whole segment, and no segment is empty"
