"""The command `compress`: walks a folder, brings the coded files beside its files up to date, and reports.

The server sends these files (files/variants.py). A coded file has the modification time of its plain file, which tells
whether it is up to date. gzip files carry a mark, so that archives of other programs are not overwritten. Each file is
written under a temporary name and renamed when complete.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final, TextIO

from tpserver.compress.files import Outcome, Stopped, Task, remove_leftover, run_task
from tpserver.compress.output import Output, percent, printable, readable
from tpserver.errors import UsageError
from tpserver.files.coders import Coder, thorough_coders
from tpserver.files.codings import EXTENSIONS, compressible, is_coded
from tpserver.files.media import media_type
from tpserver.files.paths import WELL_KNOWN, is_code
from tpserver.files.variants import SMALLEST

_MOST_JOBS: Final = 256
_MOST_FAILURES: Final = 20  # failures that are reported one by one
_INTERRUPTED: Final = 130  # exit status, as shells report SIGINT
_FOREIGN: Final = "is left unchanged: it was not written by this command; remove it to have it written"
_FOREIGN_SMALL: Final = (
    "is left unchanged: it was not written by this command; remove it, it holds another content than its file"
)
_MISSING: Final = {
    "br": "the package brotli is not installed (pip install tpserver[compress])",
    "zstd": "it needs Python 3.14, or the package backports.zstd",
}


@dataclass
class Run:
    """The tasks for one folder, and what is counted for the report."""

    tasks: list[Task] = field(default_factory=list)
    files: int = 0  # files examined
    incompressible: int = 0  # files of types that do not get smaller
    small: int = 0  # files below SMALLEST bytes
    leftovers: int = 0  # temporary files that were removed
    outcomes: Counter[tuple[str, Outcome]] = field(default_factory=Counter)  # by coding and outcome
    before: Counter[str] = field(default_factory=Counter)  # bytes of files that have a coded file, by coding
    after: Counter[str] = field(default_factory=Counter)  # bytes of these coded files
    foreign: list[str] = field(default_factory=list)  # lines about coded files of other programs
    failures: list[str] = field(default_factory=list)


def compress(folder: str, *, jobs: int | None = None, output: TextIO | None = None) -> int:
    """Compresses the files below `folder` with `jobs` threads (None: one per processor); returns the exit status.

    Writes progress and report to `output` (None: stdout). Raises `UsageError` where the folder does not exist.
    """
    if not os.path.isdir(folder):
        raise UsageError(f"compress {folder}: there is no such folder")
    if jobs is not None and not 1 <= jobs <= _MOST_JOBS:
        raise UsageError(f"--jobs takes 1 to {_MOST_JOBS}, not {jobs}")
    coders = thorough_coders()
    out = Output(output or sys.stdout, folder)
    try:
        with _signals_interrupt():
            run = find_tasks(folder, tuple(coders))
            out.expect(sum(task.size for task in run.tasks))
            _run_tasks(run, coders, jobs or os.cpu_count() or 1, out)
    except KeyboardInterrupt:
        out.line("stopped; every file written so far is complete")
        return _INTERRUPTED
    for line in report(run, tuple(coders)):
        out.line(line)
    failures = run.failures[:_MOST_FAILURES]
    if len(run.failures) > len(failures):
        failures.append(f"and {len(run.failures) - len(failures)} more failures")
    for failure in failures:
        print(f"tpserver: error: {failure}", file=sys.stderr)
    return 1 if failures else 0


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Handles SIGTERM, SIGHUP, and Ctrl-Break on Windows, like Ctrl-C, so that they leave no temporary file either.

    Signals that are ignored (SIGHUP under nohup) stay ignored.
    """
    ending = [number for number in signal.Signals if number.name in ("SIGTERM", "SIGHUP", "SIGBREAK")]
    handlers = {number: signal.getsignal(number) for number in ending}
    before = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, _interrupt)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    # A closed terminal may send SIGHUP twice (shell and system): the second one must not interrupt the clean-up.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def find_tasks(folder: str, codings: tuple[str, ...]) -> Run:
    """Walks `folder` and makes the tasks for `codings`; removes temporary files of a killed run.

    Links are skipped: their targets are compressed where they are.
    """
    run = Run()

    def failed(error: OSError) -> None:
        run.failures.append(f"cannot read {printable(str(error.filename))}: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith(".") or name == WELL_KNOWN)
        present = set(names)
        for name in sorted(names):
            path = os.path.join(place, name)
            run.leftovers += remove_leftover(path)
            if name.startswith(".") or is_coded(name) or is_code(name):
                continue
            try:
                status = os.lstat(path)
            except OSError as error:
                failed(error)
                continue
            if not stat.S_ISREG(status.st_mode):
                continue
            run.files += 1
            if not compressible(media_type(name)):
                run.incompressible += 1
                continue
            small = status.st_size < SMALLEST
            run.small += small
            # A small file may have coded files of a larger version: after a rollback they are newer than the file.
            run.tasks += [
                Task(path, status.st_size, coding)
                for coding in codings
                if not small or name + EXTENSIONS[coding] in present
            ]
    return run


def _run_tasks(run: Run, coders: dict[str, Callable[[], Coder]], jobs: int, out: Output) -> None:
    """Runs the tasks in `jobs` threads, which each take the next one, and counts their outcomes."""
    remaining = iter(run.tasks)
    stop = threading.Event()
    lock = threading.Lock()

    def work() -> None:
        while not stop.is_set():
            with lock:
                task = next(remaining, None)
            if task is None:
                return
            try:
                done = run_task(task, coders[task.coding], stop)
            except Stopped:
                return
            except Exception as error:  # noqa: BLE001 - an OSError, or what the package of a coding raises
                reason = getattr(error, "strerror", None) or error
                with lock:
                    run.failures.append(f"cannot write {printable(task.target)}: {reason}")
                    out.done(task.size, task.target, "failed")
            else:
                with lock:
                    _count(run, task, *done, out)

    with ThreadPoolExecutor(jobs, "compress") as pool:
        working = [pool.submit(work) for _ in range(jobs)]
        try:
            # With a timeout: on Windows Ctrl-C does not interrupt a wait without one.
            while wait(working, timeout=0.5).not_done:
                pass
        finally:
            stop.set()  # after Ctrl-C the running tasks end early
    for future in working:
        future.result()


def _count(run: Run, task: Task, outcome: Outcome, size: int, out: Output) -> None:
    """Counts the outcome of a task and shows it; `size` is that of the coded file in bytes."""
    run.outcomes[task.coding, outcome] += 1
    shown: str | None = None  # the report tells the others
    if outcome in (Outcome.WRITTEN, Outcome.UP_TO_DATE):
        run.before[task.coding] += task.size
        run.after[task.coding] += size
    if outcome is Outcome.WRITTEN:
        shown = f"{readable(task.size)} -> {readable(size)}, {percent(task.size, size)} saved"
    elif outcome in (Outcome.NO_SMALLER, Outcome.REMOVED):
        shown = outcome.value
    elif outcome is Outcome.FOREIGN:
        run.foreign.append(f"{printable(task.target)} {_FOREIGN_SMALL if task.size < SMALLEST else _FOREIGN}")
    out.done(task.size, task.target, shown)


def report(run: Run, codings: tuple[str, ...]) -> list[str]:
    """The lines of the report: a table of the savings, then the files that were not compressed."""
    columns = (Outcome.WRITTEN, Outcome.UP_TO_DATE, Outcome.NO_SMALLER)
    rows = [["coding", "written", "up to date", "no smaller", "before", "after", "saved"]]
    for coding in codings:
        before, after = run.before[coding], run.after[coding]
        counts = [str(run.outcomes[coding, outcome]) for outcome in columns]
        rows.append([coding, *counts, readable(before), readable(after), percent(before, after)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.append(
        f"{run.files} files: {run.incompressible} of types that do not get smaller,"
        f" {run.small} smaller than {SMALLEST} bytes"
    )
    removed = sum(run.outcomes[coding, Outcome.REMOVED] for coding in codings)
    if removed:
        lines.append(f"{removed} coded files removed: they held another version of a file that gets no smaller")
    if run.leftovers:
        lines.append(f"{run.leftovers} temporary files of a killed run removed")
    lines += run.foreign
    lines += [f"{coding} is not written: {_MISSING[coding]}" for coding in EXTENSIONS if coding not in codings]
    return lines
