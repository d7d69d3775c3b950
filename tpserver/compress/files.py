"""One coded file beside its plain one: whether it is there, whose it is, what it holds, and how it is written."""

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

from tpserver.files.codings import EXTENSIONS, MARK_LENGTH, Coder, NoSmaller, coded, decoded, may_be_ours
from tpserver.files.file import signature
from tpserver.files.variants import may_hold

# Bytes compressed in one go; between two of them Ctrl-C is heeded.
_PIECE: Final = 256 * 1024
# Whether the system tells when a file was last changed, by whatever means: Windows tells when it was made.
CHANGE_TIMES: Final = os.name == "posix"
# Temporary files, as `mkstemp` names them. A name that begins with a dot is never served.
_PREFIX: Final = ".tpserver-"
_SUFFIX: Final = ".tmp"
_TEMPORARY: Final = re.compile(re.escape(_PREFIX) + "[a-z0-9_]{8}" + re.escape(_SUFFIX))
# Seconds after which nobody writes to one any more: a run does so every few seconds.
LEFT_BEHIND: Final = 3600.0
_LONGEST: Final = 255  # characters of a name; many systems count bytes


class Task(NamedTuple):
    """One coded file to be written, or to be looked into. `size` is the plain one's, in bytes."""

    name: str
    size: int
    coding: str
    in_doubt: bool = False  # a coded file with its file's time is there; whether it is up to date, its content tells
    is_small: bool = False  # too small to be compressed, yet a coded file is there that is not older

    @property
    def target(self) -> str:
        return self.name + EXTENSIONS[self.coding]


class Outcome(Enum):
    """What has come of a task."""

    WRITTEN = "written"
    UP_TO_DATE = "up to date"
    NO_SMALLER = "no smaller, not written"
    REMOVED = "removed: it held another version of its file, and this one gets no smaller"
    OTHERS = "left alone"


class Stopped(Exception):
    """Ctrl-C."""


def status_of(target: str) -> os.stat_result | None:
    """What lies where a coded file shall; None where there is nothing, or what is no file."""
    with contextlib.suppress(OSError):
        status = os.stat(target)
        if stat.S_ISREG(status.st_mode):
            return status
    return None


def too_long(target: str) -> bool:
    """Whether no file can have that name."""
    if len(os.path.basename(target)) > _LONGEST:
        return True
    try:
        os.lstat(target)
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def is_ours(task: Task) -> bool:
    """Whether the coded file that is there may be replaced. Raises nothing: what cannot be read is not ours."""
    try:
        with open(task.target, "rb", buffering=0) as stream:
            return may_be_ours(task.coding, stream.read(MARK_LENGTH))
    except OSError:
        return False


def is_settled(task: Task, plain: os.stat_result, old: os.stat_result) -> bool:
    """Whether a coded file with its file's time is surely up to date.

    Many builds and archives give each version of a file the same time. A file that was changed after its coded one was
    written tells so (no program sets that time), though it may only have been moved or copied. Who copies both may hide
    it, so the server's own look at the first and last bytes is taken, too.
    """
    if not (CHANGE_TIMES and old.st_ctime_ns > plain.st_ctime_ns):
        return False
    try:
        with open(task.target, "rb", buffering=0) as stream:
            first = stream.read(4)
            stream.seek(max(0, old.st_size - 4))
            return may_hold(task.coding, first, stream.read(4), plain.st_size)
    except OSError:
        return True  # what cannot be read cannot be told better by its content


def holds(task: Task, stop: threading.Event) -> bool:
    """Whether the very content of its file is in the coded file that is there.

    Raises `Stopped`, and OSError where the plain file cannot be read: it says nothing of the coded one.
    """
    with open(task.name, "rb") as plain:
        try:
            for part in _content(task, stop):
                if plain.read(len(part)) != part:
                    return False
        except ValueError:
            return False
        return not plain.read(1)


def _content(task: Task, stop: threading.Event) -> Iterator[bytes]:
    """The content of the coded file that is there, in pieces. Raises `Stopped`, and ValueError where it has none."""
    try:
        with open(task.target, "rb", buffering=0) as source:
            for part in decoded(task.coding, _pieces(source, stop)):
                if stop.is_set():
                    raise Stopped
                yield part
    except OSError as error:
        raise ValueError("it cannot be read") from error


def settle(task: Task, coder: Callable[[], Coder], stop: threading.Event) -> tuple[Outcome, int]:
    """Does what is to be done; what has come of it, and the size in bytes of the coded file that there is then, or 0.

    Raises OSError and `Stopped`.
    """
    if task.in_doubt or task.is_small:
        if holds(task, stop):
            return Outcome.UP_TO_DATE, os.stat(task.target).st_size
        if task.is_small:
            return _remove(task), 0
        if not is_ours(task):
            return Outcome.OTHERS, 0
    size = write(task, coder, stop)
    if size is not None:
        return Outcome.WRITTEN, size
    old = status_of(task.target)
    if old is None or not old.st_size or holds(task, stop):
        return Outcome.NO_SMALLER, 0
    # It is of another version of the file, and the server may send it: it may well be newer than the file.
    return _remove(task), 0


def _remove(task: Task) -> Outcome:
    """Removes a coded file of another version, where it is one that this command would replace. Raises OSError."""
    if not is_ours(task):
        return Outcome.OTHERS
    try:
        os.unlink(task.target)
    except OSError as error:
        raise OSError(f"remove it, it holds another version of its file ({error.strerror})") from error
    return Outcome.REMOVED


def write(task: Task, coder: Callable[[], Coder], stop: threading.Event) -> int | None:
    """Writes one coded file; its size in bytes, or None where it would be no smaller. Raises OSError and `Stopped`."""
    with open(task.name, "rb", buffering=0) as source:
        status = os.fstat(source.fileno())
        folder = os.path.dirname(task.name) or "."
        descriptor, temporary = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX, dir=folder)
        try:
            with open(descriptor, "wb") as target:
                target.writelines(coded(_pieces(source, stop), coder(), status.st_size))
                size = target.tell()
            if signature(os.fstat(source.fileno())) != signature(status):
                raise OSError("it was changed meanwhile")
            os.chmod(temporary, stat.S_IMODE(status.st_mode))
            os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.replace(temporary, task.target)
        except NoSmaller:
            os.unlink(temporary)
            return None
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    return size


def remove_leftover(path: str) -> bool:
    """Removes a temporary file that a killed run has left, and tells whether it was one. Raises nothing."""
    if not _TEMPORARY.fullmatch(os.path.basename(path)):
        return False
    try:
        status = os.lstat(path)
        # It gets its file's time shortly before it takes its name.
        age = time.time() - max(status.st_mtime, status.st_ctime)
        if not stat.S_ISREG(status.st_mode) or age < LEFT_BEHIND:
            return False
        os.unlink(path)
    except OSError:
        return False
    return True


def _pieces(source: io.FileIO, stop: threading.Event) -> Iterator[bytes]:
    while piece := source.read(_PIECE):
        if stop.is_set():
            raise Stopped
        yield piece
