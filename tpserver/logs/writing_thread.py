"""A thread that writes a log, so that no other thread waits for a full disk, a stopped terminal or a pipe."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from queue import SimpleQueue

from tpserver.system.bell import Bell


class WritingThread:
    """Calls `write`, which writes all that there is, when it is woken; after each call it rests for `pause` seconds.

    Any thread, and a signal handler, may call.
    """

    def __init__(self, name: str, write: Callable[[], None], pause: float = 0.0) -> None:
        self._name = name
        self._write = write
        self._pause = pause
        self._calls: SimpleQueue[bool] = SimpleQueue()  # to write; False is the last. Safe in signal handlers
        self._rest_ends = Bell()  # cuts a pause short
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()  # never waited for: a signal handler may interrupt who has it
        self._exiting = False  # the interpreter is: no thread may begin to write any more
        # A daemon thread that is in a write when the interpreter ends keeps the lock of the stream for ever.
        atexit.register(self._end_at_exit)

    def wake(self) -> None:
        """There is something to write."""
        if self._calls.empty():  # else it has not yet begun with the last call
            self._calls.put(True)
        if not self._exiting:
            self.start()

    def start(self) -> None:
        """Starts the thread, unless it runs. Where that is impossible now, the next `wake` tries again."""
        if not self._starting.acquire(blocking=False):  # two threads would write at once, and one would never end
            return
        try:
            if self._thread is None or not self._thread.is_alive():  # so in a forked child
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            return
        finally:
            self._starting.release()

    def finish(self, timeout: float) -> bool:
        """Writes what is left and ends the thread, within `timeout` seconds; returns whether all is written."""
        atexit.unregister(self._end_at_exit)
        thread, self._thread = self._thread, None
        if thread is None:
            self._write()
            return True
        self._calls.put(False)
        self._rest_ends.ring()
        thread.join(timeout)
        return not thread.is_alive()

    def _end_at_exit(self) -> None:
        self._exiting = True
        self.finish(2.0)

    def _run(self) -> None:
        pause = self._pause
        while self._calls.get():
            self._write()
            if self._rest_ends.wait(pause):
                pause = 0.0
        self._write()
