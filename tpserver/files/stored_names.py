"""Names as a folder has them, where a file is found by other spellings, too; what Windows marks as hidden.

Windows and macOS find `private/x.html` as `Private/x.HTML`. A rule for the one has to hold for the other.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from tpserver.files.paths import allowed
from tpserver.logs.log import Log

if sys.platform == "win32":
    from tpserver.system.windows_files import stored_name as _found_name
else:

    def _found_name(path: str) -> str:
        """As on Windows; it looks through the folder."""
        parent, name = os.path.split(path)
        status = os.lstat(path)
        same = name
        with os.scandir(parent) as entries:
            for entry in entries:
                if entry.name == name:
                    return name
                if entry.inode() == status.st_ino and os.path.samestat(os.lstat(entry.path), status):
                    same = entry.name  # unless there is another link of exactly that name
        return same


_log = Log("tpserver")

# The longest path that Windows opens where LongPathsEnabled is not set (MAX_PATH, with the zero behind it).
LONGEST_PATH: Final = 259
# Windows has short names besides, and to ask it for the stored one is as quick as this question.
_ALL_MAY_DIFFER: Final = os.name == "nt"
_HIDDEN: Final = getattr(stat, "FILE_ATTRIBUTE_HIDDEN", 2) | getattr(stat, "FILE_ATTRIBUTE_SYSTEM", 4)


def stored_path(root: str, path: str) -> str:
    """A path below `root`, with each name as its folder has it; as it is where that cannot be told."""
    below = os.path.join(root, "")
    names = path[len(below) :].split(os.sep)
    parent = root
    for at, name in enumerate(names):
        path = os.path.join(parent, name)
        try:
            if _may_differ(path, parent, name):
                names[at] = _found_name(path)
        except OSError:  # removed meanwhile, or a folder that cannot be listed
            pass
        parent = path
    return below + os.sep.join(names)


def _may_differ(path: str, parent: str, name: str) -> bool:
    """Whether the folder may have that name in another spelling. Raises OSError where it has not."""
    other = name.swapcase()
    if _ALL_MAY_DIFFER or not name.isascii():
        return True
    return other != name and os.path.samestat(os.lstat(path), os.lstat(os.path.join(parent, other)))


def hidden_by_attributes(name: str, status: os.stat_result) -> bool:
    """Whether Windows shows no such file: desktop.ini, $Recycle.Bin. (Names with a leading dot are judged by that.)"""
    return bool(getattr(status, "st_file_attributes", 0) & _HIDDEN) and not name.startswith(".")


def served_on_windows(root: str, parts: Iterable[str], *, dot_files: bool = False) -> bool:
    """Whether a request may get what lies there, by the names below `root` and by their attributes. Raises OSError."""
    path = root
    for part in filter(None, parts):
        path = os.path.join(path, part)
        if not allowed(part, windows=True, dot_files=dot_files) or hidden_by_attributes(part, os.lstat(path)):
            return False
    return True


def is_too_long(path: str) -> bool:
    """Whether a file that is there cannot be opened, because Windows takes no path of that length."""
    return len(path) > LONGEST_PATH and not os.access(path, os.F_OK) and os.path.lexists("\\\\?\\" + path)


@lru_cache(maxsize=100)  # not again for each request
def tell_length(path: str) -> None:
    """Logs that `is_too_long`."""
    _log.error(
        "%s: a path of %d characters, and Windows opens up to %d; a shorter root helps, or LongPathsEnabled = 1",
        path,
        len(path),
        LONGEST_PATH,
    )
