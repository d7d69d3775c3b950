"""python -m tpserver compress DIR: writes coded files beside the plain ones, ahead of time and as small as can be.

The server takes them from there (responders/variants.py). Each has its file's modification time,
which says what is up to date, and gzip's a mark, so that nobody else's archive is overwritten; a
temporary file takes the name when it is whole, so there is no half one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TextIO

from tpserver.compress.files import Outcome, Task, is_ours, is_settled, remove_leftover, settle, status_of, too_long
from tpserver.compress.output import Output, percent, printable, readable
from tpserver.errors import UsageError
from tpserver.files.codings import (
    EXTENSIONS,
    Coder,
    compressible,
    is_coded,
    thorough_coders,
)
from tpserver.files.file import signature
from tpserver.files.media import media_type
from tpserver.files.paths import WELL_KNOWN, is_code
from tpserver.files.variants import SMALLEST, is_current, is_of

_MOST_JOBS: Final = 256
_MOST_FAILURES: Final = 20  # that are told one by one
_INTERRUPTED: Final = 130  # as a shell tells it
_OTHERS: Final = "is left alone: it was not written by this command; remove it to have it written"
_OTHERS_SMALL: Final = (
    "is left alone: it was not written by this command; remove it, its content is not that of its file"
)
_MISSING: Final = {
    "br": "the package brotli is not installed (pip install tpserver[compress] brings it)",
    "zstd": "it takes Python 3.14, or the package backports.zstd",
}


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
    removed: int = 0  # coded files of another version
    leftovers: int = 0  # temporary files that were removed
    others: list[str] = field(default_factory=list)  # lines on coded files that somebody else has written
    failures: list[str] = field(default_factory=list)


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
    out = Output(output or sys.stdout, folder)
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
    told = tree.failures[:_MOST_FAILURES]
    if len(tree.failures) > len(told):
        told.append(f"and {len(tree.failures) - len(told)} more like these")
    for failure in told:
        print(f"tpserver: error: {failure}", file=sys.stderr)
    return 1 if told else 0


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM, SIGHUP, and Ctrl-Break on Windows, are taken for Ctrl-C, so that they leave no half file either.

    What is ignored (SIGHUP under nohup) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if handler not in (signal.SIG_IGN, None):  # None: it is not Python's
                signal.signal(number, _interrupt)
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    # A terminal that is closed may send SIGHUP twice, the shell and the system: the second shall not end the tidying.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def look(folder: str, codings: tuple[str, ...]) -> Tree:
    """Finds out what there is to do, and removes what a killed run has left.

    Links are left alone: what they lead to is compressed where it lies.
    """
    tree = Tree(sums={coding: Sum() for coding in codings})

    def failed(error: OSError) -> None:
        tree.failures.append(f"cannot read {printable(str(error.filename))}: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith(".") or name == WELL_KNOWN)
        for name in sorted(names):
            tree.leftovers += remove_leftover(os.path.join(place, name))
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
        _plan_small(tree, path, status)
    else:
        for coding, total in tree.sums.items():
            task = Task(path, status.st_size, coding)
            old = status_of(task.target)
            if old is None:
                if not too_long(task.target):
                    tree.tasks.append(task)
            elif is_of(signature(status), signature(old)) and old.st_size:
                if not is_settled(task, status, old):
                    tree.tasks.append(task._replace(in_doubt=True))
                    continue
                total.up_to_date += 1
                total.before += task.size
                total.after += old.st_size
            elif old.st_size and not is_ours(task):
                tree.others.append(f"{printable(task.target)} {_OTHERS}")
            else:
                tree.tasks.append(task)


def _plan_small(tree: Tree, path: str, status: os.stat_result) -> None:
    """Coded files of another, larger version may have stayed, and be newer than what was put back."""
    for coding in tree.sums:
        task = Task(path, status.st_size, coding, is_small=True)
        old = status_of(task.target)
        if old is not None and old.st_size and is_current(signature(status), signature(old)):
            tree.tasks.append(task)


def _run(tree: Tree, coders: dict[str, Callable[[], Coder]], jobs: int, out: Output) -> None:
    """Runs the tasks, and notes what has come of each; no more of them are in the pool than keep it busy."""
    waiting: dict[Future[tuple[Outcome, int]], Task] = {}
    remaining = iter(tree.tasks)
    stop = threading.Event()
    with ThreadPoolExecutor(jobs, "compress") as pool:
        try:
            while True:
                for task in islice(remaining, 2 * jobs - len(waiting)):
                    waiting[pool.submit(settle, task, coders[task.coding], stop)] = task
                if not waiting:
                    return
                # Not for ever at a time: on Windows Ctrl-C does not end such a wait.
                done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in [one for one in waiting if one in done]:  # in the order of the names
                    _note(tree, waiting.pop(future), future, out)
        finally:
            stop.set()  # nothing is left to be stopped, or Ctrl-C came


def _note(tree: Tree, task: Task, future: Future[tuple[Outcome, int]], out: Output) -> None:
    """Counts what has come of a task, and tells of it."""
    total = tree.sums[task.coding]
    error = future.exception()
    if error is not None:
        tree.failures.append(f"cannot write {printable(task.target)}: {getattr(error, 'strerror', None) or error}")
        out.done(task.size, task.target, "failed")
        return
    outcome, size = future.result()
    if outcome is Outcome.OTHERS:
        tree.others.append(f"{printable(task.target)} {_OTHERS_SMALL if task.is_small else _OTHERS}")
    tree.removed += outcome is Outcome.REMOVED
    total.no_smaller += outcome in (Outcome.NO_SMALLER, Outcome.REMOVED) and not task.is_small
    if outcome in (Outcome.WRITTEN, Outcome.UP_TO_DATE) and not task.is_small:
        total.before += task.size
        total.after += size
        total.up_to_date += outcome is Outcome.UP_TO_DATE
    if outcome is Outcome.WRITTEN:
        total.written += 1
        what = f"{readable(task.size)} -> {readable(size)}, {percent(task.size, size)} saved"
        out.done(task.size, task.target, what)
    else:
        told_below = outcome in (Outcome.OTHERS, Outcome.UP_TO_DATE)
        out.done(task.size, task.target, None if told_below else outcome.value)


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
    if tree.removed:
        lines.append(f"{tree.removed} coded files removed: they held other versions, and these get no smaller")
    if tree.leftovers:
        lines.append(f"{tree.leftovers} temporary files removed: a run that was killed had left them")
    lines += tree.others
    lines += [f"{coding} is not written: {_MISSING[coding]}" for coding in EXTENSIONS if coding not in codings]
    return lines
