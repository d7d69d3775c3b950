"""Opens a file below a folder without following links.

A user who can write below the root could replace a part of the path by a link between its check and its opening. So
each part is opened relative to the folder opened before it, and none may be a link. On Windows, where everyone may
make junctions, the file is opened first, and then it is checked whether it is the one at that path.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

from tpserver.errors import RequestRefused
from tpserver.logs.log import Log

if sys.platform == "win32":
    from tpserver.system.windows_files import final_path, open_folder, open_to_read, without_prefix

_log = Log("tpserver")

# O_NONBLOCK: open() does not wait for the writer of a FIFO. O_CLOEXEC: child processes do not inherit the file.
_OPEN: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

_NO_LINK: Final[int] = getattr(os, "O_NOFOLLOW", 0)
# Flag for `open_below`: opens only a folder.
FOLDER: Final[int] = getattr(os, "O_DIRECTORY", 0x10000)
# Whether an open folder can be listed. On Windows it is listed by its path, which stays the same while it is open.
SCANS_DESCRIPTORS: Final = os.scandir in os.supports_fd
# Whether this system supports `open_below`.
CAREFUL: Final = sys.platform == "win32" or (
    bool(_NO_LINK and hasattr(os, "O_DIRECTORY")) and os.open in os.supports_dir_fd and SCANS_DESCRIPTORS
)
# For the folders on the path. O_PATH or O_SEARCH: it is enough that they may be entered.
_ENTER: Final[int] = FOLDER | getattr(os, "O_PATH", getattr(os, "O_SEARCH", 0)) | getattr(os, "O_CLOEXEC", 0)


def open_file(real: str) -> int:
    """A descriptor of the file at `real`; follows links. Raises OSError. Any thread."""
    if sys.platform == "win32":
        return open_to_read(real)
    else:
        return os.open(real, _OPEN)


def open_below(root: str, real: str, kind: int = 0) -> int:
    """A descriptor of the file at `real`, a path below the folder `root`; follows no link below it. Any thread.

    `kind`: further flags of `os.open`; with FOLDER it opens a folder, which may be the root.

    Raises OSError: ELOOP or ENOTDIR (EMLINK on some systems) where a part below `root` is a link, or where `real` is
    not below `root`.
    """
    if sys.platform == "win32":
        return _opened_and_checked(real, kind)
    else:
        return _opened_part_by_part(root, real, kind)


if sys.platform == "win32":

    def _opened_and_checked(real: str, kind: int) -> int:
        descriptor = open_folder(real) if kind else open_to_read(real)
        try:
            if final_path(descriptor) != without_prefix(real):
                raise OSError(errno.ELOOP, "a part of the path has become a link", real)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

else:

    def _opened_part_by_part(root: str, real: str, kind: int) -> int:
        if real == root and kind:
            return os.open(root, _OPEN | kind)
        below = root if root.endswith(os.sep) else root + os.sep
        if not real.startswith(below):
            raise OSError(errno.ELOOP, "it is outside of the root", real)
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


def out_of_descriptors(error: OSError) -> RequestRefused:
    """503 for a file that cannot be opened because descriptors or memory are exhausted; logs `error`."""
    _log.error("cannot open a file to send it: %s", error.strerror)
    return RequestRefused(
        503, "The server is overloaded. Try again in a moment.", fields=(("Retry-After", "1"),), cause="no descriptors"
    )
