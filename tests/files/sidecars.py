"""A file and the coded files beside it."""

from __future__ import annotations

import gzip
from pathlib import Path

TEXT = b"let x = 'a text that is worth it';\n" * 100
GZIP = gzip.compress(TEXT, mtime=0)
ZSTD = b"\x28\xb5\x2f\xfdz"


def leave_only(root: Path, *names: str) -> None:
    """Removes the sidecars of app.js that are not among these."""
    for extension in (".gz", ".br", ".zst"):
        if f"app.js{extension}" not in names:
            (root / f"app.js{extension}").unlink()
