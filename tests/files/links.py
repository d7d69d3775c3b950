"""Symbolic links, where a user may make them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def link(path: Path, target: str | os.PathLike[str]) -> Path:
    """A symbolic link at `path`; skips the test where a user may not make one (Windows).

    In a thread of the server nothing can be skipped: a test that makes one there asks for `real_links`.
    """
    try:
        path.symlink_to(target, target_is_directory=(path.parent / target).is_dir())
    except (OSError, NotImplementedError) as error:
        pytest.skip(f"no symbolic links here: {error}")
    if not path.is_symlink():
        pytest.skip("no symbolic links here: wine says that it has made one, and has not")
    return path
