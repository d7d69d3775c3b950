"""How the tests of the command run it, and what they look at."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from tpserver.compress.command import compress
from tpserver.files.coders import thorough_coders

TEXT = b"a line of text that comes again and again\n" * 200
GZIP = {"gzip": thorough_coders()["gzip"]}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(folder: Path, **how: Any) -> tuple[int, str]:
    """The exit status, and what was said."""
    said = io.StringIO()
    return compress(str(folder), output=said, **how), said.getvalue()


def coded_files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in (".gz", ".br", ".zst", ".tmp")
    )


def put_back(path: Path, content: bytes) -> None:
    """An earlier version with its own time, as `cp -p`, rsync and tar put it back."""
    path.write_bytes(content)
    os.utime(path, ns=(0, 10**18))
