"""What a listing shows of a folder: the entries for which a request would not get 404."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final

from tpserver.files.folder import Folder
from tpserver.files.listing import Entry
from tpserver.files.paths import allowed
from tpserver.files.stored_names import hidden_by_attributes, is_too_long

# Windows: a junction or another kind of link; `is_symlink` does not report all of them.
_REPARSE_POINT: Final = getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0x400)


def entry_of(folder: Folder, names: Sequence[str], parent: str, found: os.DirEntry[str]) -> Entry | None:
    """The entry of a file or folder in `parent`, a real path; None where a request for it would get 404.

    `names` lead to `parent` in a request.
    """
    name, shown = found.name, folder.shown
    if not allowed(name, windows=folder.windows, dot_files=shown.dot_files) or shown.hides([*names, name]):
        return None
    try:
        real, status = f"{parent}{os.sep}{name}", found.stat(follow_symlinks=False)
        if shown.hiding or stat.S_ISLNK(status.st_mode) or getattr(status, "st_file_attributes", 0) & _REPARSE_POINT:
            target = folder.real_path(real)
            if target is None:
                return None
            real, status = target, os.stat(target)
        if folder.protection is not None:
            inside = folder.place(parent, folder.real_root)
            if folder.protection.conceals(inside, [f"{inside}/{name}", folder.place(real, folder.real_root)]):
                return None
        if folder.windows and (hidden_by_attributes(name, status) or is_too_long(real)):
            return None
        second = status.st_mtime_ns // 1_000_000_000
        if stat.S_ISDIR(status.st_mode):
            return (name, True, 0, second) if _is_reachable(folder, real, status) else None
        if not stat.S_ISREG(status.st_mode) or shown.is_program(name) or shown.is_code(real):
            return None
        return (name, False, status.st_size, second) if _permitted(real, status, os.R_OK) else None
    except OSError:  # removed meanwhile
        return None


def _is_reachable(folder: Folder, real: str, status: os.stat_result) -> bool:
    """Whether a folder can be listed, or can be entered and has an index."""
    if _permitted(real, status, os.R_OK | os.X_OK):
        return True
    return _permitted(real, status, os.X_OK) and folder.has_index(real)


def _permitted(path: str, status: os.stat_result, wanted: int) -> bool:
    """Whether this process may read the file or enter the folder; if everyone may, no system call is needed."""
    everyone = wanted * 0o111
    return status.st_mode & everyone == everyone or os.access(path, wanted)
