"""How a process ends whose server has stopped."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, Final, NoReturn

from tpserver.logs.log import Log
from tpserver.logs.server_log import log_to_stderr
from tpserver.logs.streams import LogStream, say
from tpserver.system.monkey_patches import patched

_log = Log("tpserver")

# Seconds that threads of the application may go on after the server has stopped.
PATIENCE: Final = 2.0
# Seconds for the last line.
_LAST_LINE: Final = 2.0
# Signals that this process ignores, and has not inherited so.
_ignored: Final[set[int]] = set()


class _WaitIsOver(BaseException):
    """Raised in the main thread, to end the interpreter's wait for other threads."""


def outlive_rotation() -> None:
    """A program that rotates logs does not end this process, neither before the server handles its signals nor after.

    `signals` has what they do meanwhile.
    """
    for name in ("SIGHUP", "SIGUSR1") if threading.current_thread() is threading.main_thread() else ():
        number = getattr(signal, name, None)  # Windows has neither
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.SIG_IGN)
            _ignored.add(number)


def inherits_ignored(number: int) -> bool:
    """Whether who has started this process wants it to ignore a signal, as nohup does."""
    return signal.getsignal(number) is signal.SIG_IGN and number not in _ignored


def say_last(stdout: LogStream | None, text: str) -> bool:
    """The last line, where stdout takes it in time: it may be a pipe that is full. Returns whether it did."""
    thread = threading.Thread(target=say, args=(stdout, text), name="tpserver-last-line", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no thread can be started
        say(stdout, text)
        return True
    thread.join(_LAST_LINE)
    return not thread.is_alive()


def end_if_log_is_stuck(stuck: bool, status: int = 0) -> None:
    """After the server has stopped: ends the process here where one of its logs is `stuck`.

    A thread is in a write that never returns then, and holds the lock of a standard stream. The interpreter would
    want that lock when it ends, wait for it, and abort.
    """
    if stuck:
        os._exit(status)
    for name in ("stdout", "stderr"):  # one that cannot be written to: the interpreter would try again, and fail
        stream = getattr(sys, name)
        if stream is not None:  # as under pythonw
            try:
                stream.flush()
            except (OSError, ValueError):
                setattr(sys, name, None)


def leave_worker(status: int) -> NoReturn:
    """The main thread of one of several processes, as the last thing: ends it as `limit_wait_for_threads` does.

    Where threads do not end, the functions of `atexit` are not called.
    """
    limit_wait_for_threads(status, interrupts=False)
    sys.exit(status)


def limit_wait_for_threads(status: int, *, interrupts: bool = sys.platform != "win32") -> None:
    """The main thread, as the last thing before its process ends: threads that do not end are left behind.

    The interpreter waits without a limit for threads that are no daemons, and for all threads of a
    `ThreadPoolExecutor`. After PATIENCE this logs their names, and ends the wait by a signal whose handler raises, as
    Ctrl-C does; the functions of `atexit` are called as usual. (To call them from here instead takes a private
    function, and would skip the wait also for executors, whose idle threads end only when the interpreter tells them.)
    On Windows no signal ends that wait: the process ends with `status`, without the functions of `atexit`. So it does
    where `interrupts` is False.
    """
    if threading.current_thread() is not threading.main_thread() or patched() is not None:
        return
    main = threading.get_ident()
    over = threading.Event()
    report = sys.unraisablehook

    def end_wait(number: int, frame: FrameType | None) -> None:
        raise _WaitIsOver

    def report_others(unraisable: Any) -> None:
        if unraisable.exc_type is not _WaitIsOver:
            report(unraisable)

    def watch() -> None:
        if over.wait(PATIENCE):
            return
        _tell_threads()
        if sys.platform == "win32" or not interrupts:
            end_if_log_is_stuck(False)
            os._exit(status)
        elif not over.is_set():
            signal.pthread_kill(main, signal.SIGTERM)

    with contextlib.suppress(RuntimeError):  # no thread can be started: the interpreter waits as long as it has to
        threading.Thread(target=watch, name="tpserver-ending", daemon=True).start()
        atexit.register(over.set)  # what is registered last is called first, when the wait is over
        sys.unraisablehook = report_others
        for number in (signal.SIGINT, signal.SIGTERM) if interrupts else ():
            signal.signal(number, end_wait)


def _tell_threads() -> None:
    others = [
        thread
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and not thread.name.startswith("tpserver")
    ]
    # Daemon threads are waited for only where an executor has them.
    names = [thread.name for thread in others if not thread.daemon] or [thread.name for thread in others]
    log = log_to_stderr()
    _log.warning("threads of the application have not ended: %s; the process ends without them", ", ".join(names))
    if log is not None:
        log.finish()
