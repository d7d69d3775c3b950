"""The command `compress`: walks a folder, plans which coded files to write, runs the tasks and reports.

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
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TextIO

from tpserver.compress.files import (
    Outcome,
    Task,
    is_ours,
    is_surely_current,
    remove_leftover,
    run_task,
    status_of,
    too_long,
)
from tpserver.compress.output import Output, percent, printable, readable
from tpserver.errors import UsageError
from tpserver.files.coders import Coder, thorough_coders
from tpserver.files.codings import EXTENSIONS, compressible, is_coded
from tpserver.files.file import signature
from tpserver.files.media import media_type
from tpserver.files.paths import WELL_KNOWN, is_code
from tpserver.files.variants import SMALLEST, has_time_of, is_current

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
class Total:
    """The totals of one coding: numbers of files, and bytes before and after of those that have a coded file."""

    written: int = 0
    up_to_date: int = 0
    no_smaller: int = 0
    before: int = 0
    after: int = 0


@dataclass
class Plan:
    """The tasks for one folder, and the counts for the report."""

    tasks: list[Task] = field(default_factory=list)
    totals: dict[str, Total] = field(default_factory=dict)  # by coding
    files: int = 0  # files examined
    incompressible: int = 0  # files of types that do not get smaller
    small: int = 0  # files below SMALLEST bytes
    removed: int = 0  # coded files of another version that were removed
    leftovers: int = 0  # temporary files that were removed
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
    jobs = jobs or os.cpu_count() or 1
    coders = thorough_coders()
    out = Output(output or sys.stdout, folder)
    try:
        with _signals_interrupt():
            plan = make_plan(folder, tuple(coders))
            out.expect(sum(task.size for task in plan.tasks))
            _run(plan, coders, jobs, out)
    except KeyboardInterrupt:
        out.line("stopped; every file written so far is complete")
        return _INTERRUPTED
    for line in report(plan, tuple(coders)):
        out.line(line)
    failures = plan.failures[:_MOST_FAILURES]
    if len(plan.failures) > len(failures):
        failures.append(f"and {len(plan.failures) - len(failures)} more failures")
    for failure in failures:
        print(f"tpserver: error: {failure}", file=sys.stderr)
    return 1 if failures else 0


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Handles SIGTERM, SIGHUP, and Ctrl-Break on Windows, like Ctrl-C, so that they leave no temporary file either.

    Signals that are ignored (SIGHUP under nohup) stay ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if handler not in (signal.SIG_IGN, None):  # None: installed by C code
                signal.signal(number, _interrupt)
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    # A closed terminal may send SIGHUP twice (shell and system): the second one must not interrupt the clean-up.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def make_plan(folder: str, codings: tuple[str, ...]) -> Plan:
    """Walks `folder` and plans the tasks for `codings`; removes temporary files of a killed run.

    Links are skipped: their targets are compressed where they are.
    """
    plan = Plan(totals={coding: Total() for coding in codings})

    def failed(error: OSError) -> None:
        plan.failures.append(f"cannot read {printable(str(error.filename))}: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith(".") or name == WELL_KNOWN)
        for name in sorted(names):
            plan.leftovers += remove_leftover(os.path.join(place, name))
            if name.startswith(".") or is_coded(name) or is_code(name):
                continue
            path = os.path.join(place, name)
            try:
                status = os.lstat(path)
            except OSError as error:
                failed(error)
                continue
            if stat.S_ISREG(status.st_mode):
                _plan_file(plan, path, status)
    return plan


def _plan_file(plan: Plan, path: str, status: os.stat_result) -> None:
    plan.files += 1
    if not compressible(media_type(os.path.basename(path))):
        plan.incompressible += 1
    elif status.st_size < SMALLEST:
        plan.small += 1
        _plan_small(plan, path, status)
    else:
        for coding, total in plan.totals.items():
            task = Task(path, status.st_size, coding)
            old = status_of(task.target)
            if old is None:
                if not too_long(task.target):
                    plan.tasks.append(task)
            elif has_time_of(signature(status), signature(old)) and old.st_size:
                if not is_surely_current(task, status, old):
                    plan.tasks.append(task._replace(in_doubt=True))
                    continue
                total.up_to_date += 1
                total.before += task.size
                total.after += old.st_size
            elif old.st_size and not is_ours(task):
                plan.foreign.append(f"{printable(task.target)} {_FOREIGN}")
            else:
                plan.tasks.append(task)


def _plan_small(plan: Plan, path: str, status: os.stat_result) -> None:
    """After a rollback, coded files of a larger version may remain that are newer than the restored file."""
    for coding in plan.totals:
        task = Task(path, status.st_size, coding, is_small=True)
        old = status_of(task.target)
        if old is not None and old.st_size and is_current(signature(status), signature(old)):
            plan.tasks.append(task)


def _run(plan: Plan, coders: dict[str, Callable[[], Coder]], jobs: int, out: Output) -> None:
    """Runs the tasks and counts their outcomes. At most twice `jobs` of them are in the pool at once."""
    waiting: dict[Future[tuple[Outcome, int]], Task] = {}
    remaining = iter(plan.tasks)
    stop = threading.Event()
    with ThreadPoolExecutor(jobs, "compress") as pool:
        try:
            while True:
                for task in islice(remaining, 2 * jobs - len(waiting)):
                    waiting[pool.submit(run_task, task, coders[task.coding], stop)] = task
                if not waiting:
                    return
                # With a timeout: on Windows Ctrl-C does not interrupt a wait without one.
                done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in [one for one in waiting if one in done]:  # in the order of the names
                    _count(plan, waiting.pop(future), future, out)
        finally:
            stop.set()  # after Ctrl-C the running tasks end early


def _count(plan: Plan, task: Task, future: Future[tuple[Outcome, int]], out: Output) -> None:
    """Counts the outcome of a task and shows it."""
    total = plan.totals[task.coding]
    error = future.exception()
    if error is not None:
        plan.failures.append(f"cannot write {printable(task.target)}: {getattr(error, 'strerror', None) or error}")
        out.done(task.size, task.target, "failed")
        return
    outcome, size = future.result()
    if outcome is Outcome.FOREIGN:
        plan.foreign.append(f"{printable(task.target)} {_FOREIGN_SMALL if task.is_small else _FOREIGN}")
    plan.removed += outcome is Outcome.REMOVED
    total.no_smaller += outcome in (Outcome.NO_SMALLER, Outcome.REMOVED) and not task.is_small
    if outcome in (Outcome.WRITTEN, Outcome.UP_TO_DATE) and not task.is_small:
        total.before += task.size
        total.after += size
        total.up_to_date += outcome is Outcome.UP_TO_DATE
    if outcome is Outcome.WRITTEN:
        total.written += 1
        saving = f"{readable(task.size)} -> {readable(size)}, {percent(task.size, size)} saved"
        out.done(task.size, task.target, saving)
    else:
        in_report = outcome in (Outcome.FOREIGN, Outcome.UP_TO_DATE)
        out.done(task.size, task.target, None if in_report else outcome.value)


def report(plan: Plan, codings: tuple[str, ...]) -> list[str]:
    """The lines of the report: a table of the savings, then the files that were not compressed."""
    rows = [("coding", "written", "up to date", "no smaller", "before", "after", "saved")]
    for coding in codings:
        total = plan.totals[coding]
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
        f"{plan.files} files: {plan.incompressible} of types that do not get smaller,"
        f" {plan.small} smaller than {SMALLEST} bytes"
    )
    if plan.removed:
        lines.append(f"{plan.removed} coded files removed: they held another version of a file that gets no smaller")
    if plan.leftovers:
        lines.append(f"{plan.leftovers} temporary files of a killed run removed")
    lines += plan.foreign
    lines += [f"{coding} is not written: {_MISSING[coding]}" for coding in EXTENSIONS if coding not in codings]
    return lines
