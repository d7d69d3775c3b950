"""The server's log on a stream, written by a thread of its own.

A write to a pipe without a reader, or to a stopped terminal, waits for ever: the leader and the watcher must not.
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

# Records that wait to be written; further ones are dropped and counted.
_BACKLOG: Final = 5000
# Lines written in one go.
_BATCH: Final = 200


class LogWriter(logging.Handler):
    """Writes lines to `stream` in their order. Threads and signal handlers may log; none of them waits.

    The handlers of the root logger get the records from the writing thread too, since they may block as well.
    Therefore the logger of this handler must not propagate.
    """

    def __init__(self, stream: LogStream) -> None:
        super().__init__()
        self.stream = stream
        # (line, record for the root logger's handlers); None ends the thread. SimpleQueue is safe in signal handlers.
        self._waiting: SimpleQueue[tuple[str, logging.LogRecord | None] | None] = SimpleQueue()
        self._lost = 0  # lines dropped since the last message about it; under the handler's lock
        self._thread: threading.Thread | None = None
        self._exiting = False  # the interpreter is: no thread may write any more
        # A daemon thread that is in a write when the interpreter ends keeps the lock of the stream for ever.
        atexit.register(self._end_at_exit)

    def emit(self, record: logging.LogRecord) -> None:
        """Queues `record`. `logging` calls it under the handler's lock."""
        if self._waiting.qsize() >= _BACKLOG:
            self._lost += 1
            return
        text = self.format(record) + "\n"
        if self._lost:
            text = self._take_lost() + text
        self._waiting.put((text, _free(record) if logging.getLogger().handlers else None))
        if (self._thread is None or not self._thread.is_alive()) and not self._exiting:
            self.start()  # it could not be started before, or this is a forked child

    def finish(self, timeout: float = 2.0) -> bool:
        """Writes the remaining lines within `timeout` seconds; returns whether all are written.

        The stream stays open.
        """
        atexit.unregister(self._end_at_exit)
        thread = self._thread
        if thread is None and self._waiting.empty():
            return True
        if thread is None or not thread.is_alive():
            thread = self.start()
        self._waiting.put(None)
        if thread is None:  # no thread can be started: this one writes
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
        except RuntimeError:  # no thread can be started now; the next line tries again
            return None
        self._thread = thread
        return thread

    def _run(self) -> None:
        waiting = self._waiting
        ended = False
        while not ended:
            batch = [waiting.get()]
            while len(batch) < _BATCH and not waiting.empty():  # this is the only consumer
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
                with contextlib.suppress(BaseException):  # a handler of the application may raise SystemExit
                    logging.getLogger().callHandlers(record)

    def _take_lost(self) -> str:
        """The line that says how many were dropped. Called under the handler's lock."""
        lost, self._lost = self._lost, 0
        return f"{lost} log lines lost: they arrived faster than they could be written\n" if lost else ""

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def _free(record: logging.LogRecord) -> logging.LogRecord:
    """A copy of `record` with its text as of now: it keeps no frame and no argument alive."""
    free = copy.copy(record)
    free.msg, free.args = record.getMessage(), None
    free.exc_info = None  # `exc_text` has it
    return free
