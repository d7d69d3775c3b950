"""One coded file beside its plain file: examines, writes and removes it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from tpserver.files.coders import MARK_LENGTH, Coder, NoSmaller, coded, decoded, may_be_ours
from tpserver.files.codings import EXTENSIONS
from tpserver.files.file import signature
from tpserver.files.variants import SMALLEST, has_time_of, is_current, may_hold

# Bytes compressed at a time; Ctrl-C takes effect between two pieces.
_PIECE: Final = 256 * 1024
# Whether `st_ctime` is the time of the last change of any kind; on Windows it is the time of creation.
CHANGE_TIMES: Final = os.name == "posix"
# Names of temporary files, made by `mkstemp`. A name that begins with a dot is never served.
_PREFIX: Final = ".tpserver-"
_SUFFIX: Final = ".tmp"
_TEMPORARY: Final = re.compile(re.escape(_PREFIX) + "[a-z0-9_]{8}" + re.escape(_SUFFIX))
# Seconds after which a temporary file belongs to a killed run: a living one writes to it every few seconds.
LEFT_BEHIND: Final = 3600.0
_LONGEST: Final = 255  # characters of a name; many systems count bytes


class Task(NamedTuple):
    """One coded file to bring up to date. `name` is the plain file's path, `size` its size in bytes."""

    name: str
    size: int
    coding: str

    @property
    def target(self) -> str:
        """The path of the coded file."""
        return self.name + EXTENSIONS[self.coding]


class Outcome(Enum):
    """The result of a task; the values are shown to the user."""

    WRITTEN = "written"
    UP_TO_DATE = "up to date"
    NO_SMALLER = "no smaller, not written"
    REMOVED = "removed: it held another version of its file, and this one gets no smaller"
    FOREIGN = "left unchanged"
    SKIPPED = "not wanted"


class Stopped(Exception):
    """The task ends early, after Ctrl-C."""


def run_task(task: Task, coder: Callable[[], Coder], stop: threading.Event) -> tuple[Outcome, int]:
    """Runs a task. Returns its outcome, and the size in bytes of the coded file (0 where there is none).

    Raises OSError and `Stopped`.
    """
    plain, old = os.stat(task.name), _status_of(task.target)
    small = plain.st_size < SMALLEST
    if old is None:
        if small or _too_long(task.target):
            return Outcome.SKIPPED, 0
    else:
        versions = signature(plain), signature(old)
        if small and not is_current(*versions):
            return Outcome.SKIPPED, 0  # the server does not send it
        same_time = has_time_of(*versions)
        if (same_time and _is_surely_current(task, plain, old)) or ((same_time or small) and _holds(task, stop)):
            return Outcome.UP_TO_DATE, old.st_size
        if not _is_ours(task):
            return Outcome.FOREIGN, 0
    size = None if small else write(task, coder, stop)
    if size is not None:
        return Outcome.WRITTEN, size
    if old is None or _holds(task, stop):
        return Outcome.NO_SMALLER, 0
    # It holds another version of the file, and may be newer than the file (after a rollback): the server would send it.
    try:
        os.unlink(task.target)
    except OSError as error:
        raise OSError(f"it holds another version of its file; remove it ({error.strerror})") from error
    return Outcome.REMOVED, 0


def _status_of(target: str) -> os.stat_result | None:
    """The status of a coded file; None where there is none, or it is empty: it is never sent then."""
    with contextlib.suppress(OSError):
        status = os.stat(target)
        if stat.S_ISREG(status.st_mode) and status.st_size:
            return status
    return None


def _too_long(target: str) -> bool:
    """Whether the file system allows no name of that length."""
    if len(os.path.basename(target)) > _LONGEST:
        return True
    try:
        os.lstat(target)
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def _is_ours(task: Task) -> bool:
    """Whether the existing coded file may be replaced. False where it cannot be read."""
    try:
        with open(task.target, "rb", buffering=0) as stream:
            return may_be_ours(task.coding, stream.read(MARK_LENGTH))
    except OSError:
        return False


def _is_surely_current(task: Task, plain: os.stat_result, old: os.stat_result) -> bool:
    """Whether a coded file (status `old`) with the modification time of its plain file is up to date for sure.

    Many builds and archives give each version of a file the same modification time. The change time (`st_ctime`),
    which no program can set, tells whether the plain file was changed, moved or copied after the coded file was
    written. Copying both files may hide a change, so the first and last bytes are checked too.
    """
    if not (CHANGE_TIMES and old.st_ctime_ns > plain.st_ctime_ns):
        return False
    try:
        with open(task.target, "rb", buffering=0) as stream:
            first = stream.read(4)
            stream.seek(max(0, old.st_size - 4))
            return may_hold(task.coding, first, stream.read(4), plain.st_size)
    except OSError:
        return True  # a file that cannot be read cannot be compared either


def _holds(task: Task, stop: threading.Event) -> bool:
    """Whether the coded file can be read, and decodes to exactly the content of the plain file.

    Raises `Stopped`, and OSError where the plain file cannot be opened.
    """
    with open(task.name, "rb") as plain:
        try:
            with open(task.target, "rb", buffering=0) as source:
                parts = decoded(task.coding, _pieces(source, stop))
                return all(plain.read(len(part)) == part for part in parts) and not plain.read(1)
        except (OSError, ValueError):
            return False


def write(task: Task, coder: Callable[[], Coder], stop: threading.Event) -> int | None:
    """Writes one coded file. Returns its size in bytes, or None where it would be no smaller and is not written.

    Raises OSError and `Stopped`.
    """
    with open(task.name, "rb", buffering=0) as source:
        status = os.fstat(source.fileno())
        folder = os.path.dirname(task.name) or "."
        descriptor, temporary = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX, dir=folder)
        try:
            with open(descriptor, "wb") as target:
                target.writelines(coded(_pieces(source, stop), coder(), status.st_size))
                size = target.tell()
            if signature(os.fstat(source.fileno())) != signature(status):
                raise OSError("the file was changed while it was read")
            os.chmod(temporary, stat.S_IMODE(status.st_mode))
            os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.replace(temporary, task.target)
            return size
        except NoSmaller:
            return None
        finally:
            with contextlib.suppress(OSError):  # the usual case: it was renamed
                os.unlink(temporary)


def remove_leftover(path: str) -> bool:
    """Removes `path` if it is a temporary file of a killed run; returns whether it did. Raises nothing."""
    if _TEMPORARY.fullmatch(os.path.basename(path)):
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            # The modification time is set to the plain file's before the rename, so the change time counts too.
            if time.time() - max(status.st_mtime, status.st_ctime) >= LEFT_BEHIND:
                os.unlink(path)
                return True
    return False


def _pieces(source: io.FileIO, stop: threading.Event) -> Iterator[bytes]:
    while piece := source.read(_PIECE):
        if stop.is_set():
            raise Stopped
        yield piece
