"""Keeps signal handlers of the application away from what must not be interrupted anywhere.

Python runs signal handlers in the main thread, between any two instructions, and they may raise. No code can be
written so that it bears that everywhere: least of all the standard library's conditions, which a thread pool is made of
(interrupted in a condition's `__enter__`, its lock is held for ever). So the main thread does nothing but wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

# Seconds between two looks whether a signal has come: on Windows no wait is interrupted by Ctrl-C, and elsewhere a
# signal may come to a thread that is not this one.
_LOOK: Final = 0.5


class Shielded:
    """`work`, in a thread of its own while the main thread waits for it; what it raises is raised here.

    `interrupted` is told each exception that came to the main thread meanwhile. It may be called by a
    signal handler's frame, in the middle of anything: it must take no lock.
    """

    def __init__(self, work: Callable[[], None], interrupted: Callable[[BaseException], None]) -> None:
        self._work = work
        self._interrupted = interrupted
        self._claim = threading.Lock()  # whoever gets it does the work; never given back
        self._ended = threading.Lock()  # given back at the end
        self._ended.acquire()
        self._done = False
        self._error: BaseException | None = None

    def run(self) -> None:
        """The main thread. Raises what `work` raises, or what was to end the program meanwhile (no `Exception`)."""
        try:
            threading.Thread(target=self._run, name="tpserver-watcher", daemon=True).start()
        except BaseException as error:  # noqa: BLE001 - no thread to be had; or a signal handler has raised
            if not isinstance(error, (RuntimeError, MemoryError)):
                self._interrupted(error)
            if self._claim.acquire(blocking=False):
                self._work()
                return
        last: BaseException | None = None
        while not self._done:  # several signals at once may get through what `_wait` has against them
            try:
                last = self._wait() or last
            except BaseException as error:  # noqa: BLE001
                self._interrupted(error)
        error_of_work, self._error = self._error, None
        if error_of_work is not None:
            raise error_of_work
        if last is not None:
            raise last

    def _run(self) -> None:
        if not self._claim.acquire(blocking=False):
            return
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised in the main thread
            self._error = error
        finally:
            self._done = True
            self._ended.release()

    def _wait(self) -> BaseException | None:
        """Until the work has been done; what was to end the program meanwhile."""
        last = None
        while True:
            try:
                try:
                    while not self._done:  # the lock alone does not tell: interrupted, it may have been taken
                        self._ended.acquire(timeout=_LOOK)
                except BaseException as error:  # noqa: BLE001 - the work goes on
                    if not isinstance(error, Exception):
                        last = error
                    self._interrupted(error)
                else:
                    return last
            except BaseException:  # noqa: BLE001 - one more, while the one before was being told
                continue
