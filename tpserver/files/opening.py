"""Opening files below a folder: by no way but the one that has been looked at.

Between the look where a path leads and its opening, whoever may write below the root could put a link out of it
there. So each part of the path is opened by itself, in the folder opened before, and none may be a link.
"""

from __future__ import annotations

import errno
import os
from typing import Final

# A FIFO must not make open() wait, and no file is inherited by what an application starts.
_OPEN: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

_NO_LINK: Final[int] = getattr(os, "O_NOFOLLOW", 0)
# Whether this system can; Windows cannot.
CAREFUL: Final = bool(_NO_LINK) and hasattr(os, "O_DIRECTORY") and os.open in os.supports_dir_fd
# Opens nothing but a folder.
FOLDER: Final[int] = getattr(os, "O_DIRECTORY", 0)
# A folder on the way, which may be one that can be entered and not read.
_ENTER: Final[int] = FOLDER | getattr(os, "O_PATH", getattr(os, "O_SEARCH", 0)) | getattr(os, "O_CLOEXEC", 0)


def open_file(real: str) -> int:
    """A descriptor of the file of this path, links and all. Raises OSError. Any thread."""
    return os.open(real, _OPEN)


def open_below(root: str, real: str, kind: int = 0) -> int:
    """A descriptor of the file `real`, a path that has to begin with the folder `root`. Any thread.

    `kind` is more of `os.open`'s flags: FOLDER for a folder, which may be the root.

    Raises OSError: ELOOP or ENOTDIR where a part below `root` is a link now (EMLINK on some systems), or where
    it does not lie there.
    """
    if real == root and kind:
        return os.open(root, _OPEN | kind)
    below = root if root.endswith(os.sep) else root + os.sep
    if not real.startswith(below):
        raise OSError(errno.ELOOP, "it lies elsewhere now", real)
    *folders, name = real[len(below) :].split(os.sep)
    place = os.open(root, _ENTER)
    try:
        for folder in folders:
            inner = os.open(folder, _ENTER | _NO_LINK, dir_fd=place)
            os.close(place)
            place = inner
        return os.open(name, _OPEN | _NO_LINK | kind, dir_fd=place)
    finally:
        os.close(place)
