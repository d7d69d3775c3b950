"""The server's log on a stream, written by a thread of its own.

A pipe that nobody reads, or a terminal that somebody has stopped, makes whoever writes to it wait for ever: that
shall be neither the leader nor the watcher.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import logging
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Final

from tpserver.logs.streams import LogStream

# Records that wait; what comes beyond them is lost.
_BACKLOG: Final = 5000
# Lines written in one go.
_BATCH: Final = 200


class LogWriter(logging.Handler):
    """Lines on a text stream, in their order. Any thread may log, and signal handlers: none of them waits.

    What the application's root logger has for handlers gets the records too, from the same thread: those may stand
    still as well. Its logger must not propagate, therefore.
    """

    def __init__(self, stream: LogStream) -> None:
        super().__init__()
        self.stream = stream
        # What is written, and what the root logger's handlers get. No lock of ours, for signal handlers. None: the end.
        self._waiting: SimpleQueue[tuple[str, logging.LogRecord | None] | None] = SimpleQueue()
        self._lost = 0  # lines, since this was last said; under the handler's lock
        self._thread: threading.Thread | None = None
        self._exiting = False  # the interpreter is: no thread may write any more
        # A daemon thread that is in a write when the interpreter ends keeps the lock of the stream for ever.
        atexit.register(self._end_at_exit)

    def emit(self, record: logging.LogRecord) -> None:
        """Under the handler's lock; writes nothing itself."""
        if self._waiting.qsize() >= _BACKLOG:
            self._lost += 1
            return
        text = self.format(record) + "\n"
        if self._lost:
            text = self._take_lost() + text
        self._waiting.put((text, _free(record) if logging.getLogger().handlers else None))
        if (
            self._thread is None or not self._thread.is_alive()
        ) and not self._exiting:  # it could not be started, or was lost by a fork
            self.start()

    def finish(self, timeout: float = 2.0) -> bool:
        """Writes what is left, for `timeout` seconds at the most; whether that was done. The stream stays open."""
        atexit.unregister(self._end_at_exit)
        thread = self._thread
        if thread is None and self._waiting.empty():
            return True
        if thread is None or not thread.is_alive():
            thread = self.start()
        self._waiting.put(None)
        if thread is None:  # none can be started
            self._run()
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _end_at_exit(self) -> None:
        self._exiting = True
        self.finish()

    def start(self) -> threading.Thread | None:
        """Starts the thread that writes; None where that is impossible. The first line starts it, too. One thread."""
        thread = threading.Thread(target=self._run, name="tpserver-log", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread can be started now; perhaps at the next line
            return None
        self._thread = thread
        return thread

    def _run(self) -> None:
        waiting = self._waiting
        ended = False
        while not ended:
            batch = [waiting.get()]
            while len(batch) < _BATCH and not waiting.empty():  # nobody else takes
                batch.append(waiting.get())
            ended = None in batch
            self._write([item for item in batch if item is not None])
            if self._lost and waiting.empty():
                with self._guard():
                    lost = self._take_lost()
                self._write([(lost, None)])

    def _write(self, batch: list[tuple[str, logging.LogRecord | None]]) -> None:
        # A closed pipe or stream, a full disk, a handler that fails: the log goes on.
        with contextlib.suppress(Exception):
            self.stream.write("".join([text for text, _ in batch]))
            self.stream.flush()
        for _, record in batch:
            if record is not None:
                with contextlib.suppress(BaseException):  # a handler of the application's may raise SystemExit
                    logging.getLogger().callHandlers(record)

    def _take_lost(self) -> str:
        """Under the handler's lock: the line that says how many were lost."""
        lost, self._lost = self._lost, 0
        return f"{lost} lines of the log are lost: it could not be written as fast as they came\n" if lost else ""

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def _free(record: logging.LogRecord) -> logging.LogRecord:
    """`record` as it reads now: it keeps no frame alive, and nothing that changes later."""
    free = copy.copy(record)
    free.msg, free.args = record.getMessage(), None
    free.exc_info = None  # `exc_text` has it
    return free
