"""Globs over the paths of files, as `--cache-control` and `--header` take them.

A path is relative to its folder and has no slash before it: "assets/app.js".
"""

from __future__ import annotations

import fnmatch
import re
from typing import Final

# glob    = ["/"] segment *( "/" segment )
# segment = "**" / 1*( "*" / "?" / any other character but "/", which stands for itself )
_LONGEST: Final = 256


class Glob:
    """`*` is any run of characters within a segment, `?` one of them, `**` any number of segments, none too.

    Letters' case counts. A glob without a slash means names in every folder, one with a slash paths from the
    root on; a leading slash says no more than that, and a final `**` takes what is below, not the folder itself.
    """

    __slots__ = ("_segments",)

    def __init__(self, text: str) -> None:
        """Raises ValueError for what is no glob."""
        segments = text.removeprefix("/").split("/")
        if not segments[-1]:
            raise ValueError(
                "a glob is missing, such as *.css or assets/**" if len(segments) == 1 else _complaint(text)
            )
        if len(text) > _LONGEST:
            raise ValueError(f"the glob {text[:40]!r}... is longer than {_LONGEST} characters")
        if not all(one and (one == "**" or "**" not in one) for one in segments):
            raise ValueError(_complaint(text))
        if "/" not in text:
            segments = ["**", text]
        # None stands for **. What fnmatch makes of a segment is matched in linear time, however many stars are in it.
        self._segments = [
            None if one == "**" else re.compile(fnmatch.translate(one.replace("[", "[[]"))) for one in segments
        ]

    def takes(self, path: str) -> bool:
        """Whether it means the file at `path`. In time that grows with both lengths, and no faster."""
        segments = self._segments
        end = len(segments)
        begun = self._with_empty({0})  # how many segments of the glob may have been used up
        for name in path.split("/"):
            used: set[int] = set()
            for index in begun - {end}:
                segment = segments[index]
                if segment is None:
                    used |= {index, index + 1}
                elif segment.match(name):
                    used.add(index + 1)
            begun = self._with_empty(used)
        return end in begun

    def _with_empty(self, begun: set[int]) -> set[int]:
        """`begun`, and what follows where `**` stands for no segment; a final one stands for one at least."""
        found = set(begun)
        for index in sorted(begun):
            while index < len(self._segments) - 1 and self._segments[index] is None:
                index += 1
                found.add(index)
        return found


def _complaint(text: str) -> str:
    return f"{text!r} is no glob: * is within a segment, ** a segment of its own, and no segment is empty"
