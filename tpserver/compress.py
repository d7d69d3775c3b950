"""python -m tpserver compress DIR: writes coded files beside the plain ones, ahead of time and as small as can be.

The server takes them from there (responders/variants.py). Each has its file's modification time,
which says what is up to date, and gzip's a mark, so that nobody else's archive is overwritten; a
temporary file takes the name when it is whole, so there is no half one.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple, TextIO

from tpserver.errors import UsageError
from tpserver.http.codings import (
    EXTENSIONS,
    MARK_LENGTH,
    Coder,
    NoSmaller,
    coded,
    compressible,
    is_coded,
    may_be_ours,
    thorough_coders,
)
from tpserver.http.media import media_type
from tpserver.http.paths import WELL_KNOWN, is_code
from tpserver.responders.file import signature
from tpserver.responders.variants import SMALLEST, is_of

# Bytes compressed in one go; between two of them Ctrl-C is heeded.
_PIECE: Final = 256 * 1024
_MOST_JOBS: Final = 256
_LONGEST: Final = 255  # characters of a name; many systems count bytes
_BAR: Final = 30
_WIDTH: Final = 78  # of a line, on the narrowest terminal
_INTERRUPTED: Final = 130  # as a shell tells it
_OTHERS: Final = "is left alone: it was not written by this command; remove it to have it written"
_MISSING: Final = {
    "br": "the package brotli is not installed (pip install tpserver[compress] brings it)",
    "zstd": "it takes Python 3.14, or the package backports.zstd",
}


class Task(NamedTuple):
    """One coded file to be written. `size` is the plain one's, in bytes."""

    name: str
    size: int
    coding: str

    @property
    def target(self) -> str:
        return self.name + EXTENSIONS[self.coding]


@dataclass
class Sum:
    """What has come of one coding: numbers of files, and bytes before and after of those that have a coded one."""

    written: int = 0
    up_to_date: int = 0
    no_smaller: int = 0
    before: int = 0
    after: int = 0


@dataclass
class Tree:
    """What there is to do in a folder."""

    tasks: list[Task] = field(default_factory=list)
    sums: dict[str, Sum] = field(default_factory=dict)
    files: int = 0  # looked at
    other: int = 0  # of a kind that does not get smaller
    small: int = 0
    others: list[str] = field(default_factory=list)  # names of coded files that somebody else has written
    failures: list[str] = field(default_factory=list)


class _Stopped(Exception):
    """Ctrl-C."""


def compress(folder: str, *, jobs: int | None = None, output: TextIO | None = None) -> int:
    """Compresses what is below `folder` with `jobs` threads (None: one for each processor); the exit status.

    Tells on `output` (None: stdout) what it does. Raises `UsageError` where there is no such folder.
    """
    if not os.path.isdir(folder):
        raise UsageError(f"compress {folder}: there is no such folder")
    if jobs is not None and not 1 <= jobs <= _MOST_JOBS:
        raise UsageError(f"--jobs takes 1 to {_MOST_JOBS}, not {jobs}")
    jobs = jobs or os.cpu_count() or 1
    coders = thorough_coders()
    out = _Output(output or sys.stdout, folder)
    try:
        with _signals_interrupt():
            tree = look(folder, tuple(coders))
            out.expect(sum(task.size for task in tree.tasks))
            _run(tree, coders, jobs, out)
    except KeyboardInterrupt:
        out.line("stopped; what was written is whole")
        return _INTERRUPTED
    for line in report(tree, tuple(coders)):
        out.line(line)
    if tree.failures:
        more = f" (and {len(tree.failures) - 1} more)" if len(tree.failures) > 1 else ""
        print(f"tpserver: error: {tree.failures[0]}{more}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM, and Ctrl-Break on Windows, are taken for Ctrl-C, so that they leave no half file either."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def look(folder: str, codings: tuple[str, ...]) -> Tree:
    """Finds out what there is to do. Links are left alone: what they lead to is compressed where it lies."""
    tree = Tree(sums={coding: Sum() for coding in codings})

    def failed(error: OSError) -> None:
        tree.failures.append(f"cannot read {printable(str(error.filename))}: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith(".") or name == WELL_KNOWN)
        for name in sorted(names):
            if name.startswith(".") or is_coded(name) or is_code(name):
                continue
            path = os.path.join(place, name)
            try:
                status = os.lstat(path)
            except OSError as error:
                failed(error)
                continue
            if stat.S_ISREG(status.st_mode):
                _plan(tree, path, status)
    return tree


def _plan(tree: Tree, path: str, status: os.stat_result) -> None:
    tree.files += 1
    if not compressible(media_type(os.path.basename(path))):
        tree.other += 1
    elif status.st_size < SMALLEST:
        tree.small += 1
    else:
        for coding, total in tree.sums.items():
            task = Task(path, status.st_size, coding)
            there = _there(task.target)
            if there is None:
                if not _too_long(task.target):
                    tree.tasks.append(task)
            elif is_of(signature(status), signature(there)) and there.st_size:
                total.up_to_date += 1
                total.before += task.size
                total.after += there.st_size
            elif there.st_size and not _is_ours(task):
                tree.others.append(task.target)
            else:
                tree.tasks.append(task)


def _there(target: str) -> os.stat_result | None:
    """What lies where a coded file shall; None where there is nothing, or what is no file."""
    with contextlib.suppress(OSError):
        status = os.stat(target)
        if stat.S_ISREG(status.st_mode):
            return status
    return None


def _too_long(target: str) -> bool:
    """Whether no file can have that name."""
    if len(os.path.basename(target)) > _LONGEST:
        return True
    try:
        os.lstat(target)
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def _is_ours(task: Task) -> bool:
    """Whether the coded file that is there may be replaced. Raises nothing: what cannot be read is not ours."""
    try:
        with open(task.target, "rb", buffering=0) as stream:
            return may_be_ours(task.coding, stream.read(MARK_LENGTH))
    except OSError:
        return False


def _run(tree: Tree, coders: dict[str, Callable[[], Coder]], jobs: int, out: _Output) -> None:
    """Runs the tasks, and notes what has come of each; no more of them are in the pool than keep it busy."""
    waiting: dict[Future[int | None], Task] = {}
    remaining = iter(tree.tasks)
    stop = threading.Event()
    with ThreadPoolExecutor(jobs, "compress") as pool:
        try:
            while True:
                for task in islice(remaining, 2 * jobs - len(waiting)):
                    waiting[pool.submit(write, task, coders[task.coding], stop)] = task
                if not waiting:
                    return
                # Not for ever at a time: on Windows Ctrl-C does not end such a wait.
                done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in [one for one in waiting if one in done]:  # in the order of the names
                    _note(tree, waiting.pop(future), future, out)
        finally:
            stop.set()  # nothing is left to be stopped, or Ctrl-C came


def write(task: Task, coder: Callable[[], Coder], stop: threading.Event) -> int | None:
    """Writes one coded file; its size in bytes, or None where it would be no smaller. Raises OSError."""
    with open(task.name, "rb", buffering=0) as source:
        status = os.fstat(source.fileno())
        folder = os.path.dirname(task.name) or "."
        # A name that begins with a dot is never served.
        descriptor, temporary = tempfile.mkstemp(prefix=".tpserver-", suffix=".tmp", dir=folder)
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


def _pieces(source: io.FileIO, stop: threading.Event) -> Iterator[bytes]:
    while piece := source.read(_PIECE):
        if stop.is_set():
            raise _Stopped
        yield piece


def _note(tree: Tree, task: Task, future: Future[int | None], out: _Output) -> None:
    """Counts what has come of a task, and tells of it."""
    total = tree.sums[task.coding]
    error = future.exception()
    if error is not None:
        tree.failures.append(f"cannot write {printable(task.target)}: {getattr(error, 'strerror', None) or error}")
        out.done(task, "failed")
        return
    size = future.result()
    if size is None:
        total.no_smaller += 1
        out.done(task, "no smaller, not written")
        return
    total.written += 1
    total.before += task.size
    total.after += size
    out.done(task, f"{readable(task.size)} -> {readable(size)}, {percent(task.size, size)} saved")


class _Output:
    """A bar on a terminal, plain lines elsewhere."""

    def __init__(self, stream: TextIO | None, folder: str) -> None:
        self._stream = stream
        self._folder = folder
        self._all = 1  # bytes there are, and were
        self._done = 0
        self._bar = stream is not None and stream.isatty()
        self._shown = False
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def expect(self, size: int) -> None:
        self._all = max(1, size)

    def line(self, text: str) -> None:
        self.clear()
        self._write(text + "\n")

    def done(self, task: Task, what: str) -> None:
        self._done += task.size
        name = printable(os.path.relpath(task.target, self._folder))
        if not self._bar:
            self.line(f"{name}: {what}")
            return
        self._shown = True
        filled = _BAR * self._done // self._all
        bar = f"[{'#' * filled}{'.' * (_BAR - filled)}] {100 * self._done // self._all:3}% "
        self._write("\r" + (bar + name[-(_WIDTH - len(bar)) :]).ljust(_WIDTH))

    def clear(self) -> None:
        """Takes the bar away."""
        if self._shown:
            self._shown = False
            self._write("\r" + " " * _WIDTH + "\r")

    def _write(self, text: str) -> None:
        if self._stream is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError:  # nobody reads it any more; nor shall the interpreter try again when it ends
                if self._stream is sys.stdout:
                    sys.stdout = None
                self._stream = None


def report(tree: Tree, codings: tuple[str, ...]) -> list[str]:
    """The table of what was saved, and a line on what was not touched."""
    rows = [("coding", "written", "up to date", "no smaller", "before", "after", "saved")]
    for coding in codings:
        total = tree.sums[coding]
        rows.append(
            (
                coding,
                str(total.written),
                str(total.up_to_date),
                str(total.no_smaller),
                readable(total.before),
                readable(total.after),
                percent(total.before, total.after),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.append(
        f"{tree.files} files: {tree.other} of kinds that do not get smaller, {tree.small} smaller than {SMALLEST} bytes"
    )
    lines += [f"{printable(name)} {_OTHERS}" for name in tree.others]
    lines += [f"{coding} is not written: {_MISSING[coding]}" for coding in EXTENSIONS if coding not in codings]
    return lines


def readable(size: int) -> str:
    """A number of bytes, as a person reads it: 999 B, 1.2 KiB, 45.0 MiB."""
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} GiB"


def percent(before: int, after: int) -> str:
    """What was saved of `before` bytes."""
    return f"{100 * (before - after) / before:.0f} %" if before else "-"


def printable(text: str) -> str:
    """A file's name without what would move a terminal's cursor, or cannot be written at all."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
