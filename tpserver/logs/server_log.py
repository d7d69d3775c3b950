"""The server's log on stderr, unless the program has a place for it. A thread of its own writes it."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections import deque
from typing import Final

from tpserver.http.dates import format_timestamp
from tpserver.logs.log import own_loggers
from tpserver.logs.streams import LogStream
from tpserver.logs.writing_thread import WritingThread
from tpserver.system.clock import clock
from tpserver.system.terminal import FAINT, RED, YELLOW, coloured, has_colours

# Records that wait to be written; further ones are dropped and counted.
_BACKLOG: Final = 5000

_logger: Final = logging.getLogger("tpserver")


# Control characters, which could move a terminal's cursor or give it commands, and those that turn the direction of
# writing; but for the line ends and tabs of a traceback. A client chooses what is in the text of many an exception.
_ESCAPES: Final = {
    code: ascii(chr(code))[1:-1]
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        0x61C,
        0x200E,
        0x200F,
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
    )
    if chr(code) not in "\n\t"
}


class SafeFormatter(logging.Formatter):
    """With the time by the server's clock: that of a record stands still where a test library stops it."""

    def format(self, record: logging.LogRecord) -> str:
        """Without control characters."""
        return super().format(record).translate(_ESCAPES)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """By the server's clock."""
        record.created = clock.time()
        record.msecs = record.created % 1 * 1000
        try:
            return super().formatTime(record, datefmt)
        except (OSError, OverflowError, ValueError):  # Windows: before 1970 and after 3000
            return format_timestamp(int(record.created))


_LEVELS: Final = {"WARNING": YELLOW, "ERROR": RED, "CRITICAL": RED, "DEBUG": FAINT}


class ColouredFormatter(SafeFormatter):
    """For a terminal: the level is in colour, and as wide as the longest usual one."""

    def format(self, record: logging.LogRecord) -> str:
        """As the base class; the codes of colours are the only control characters."""
        text = super().format(record)
        level = record.levelname
        shown = coloured(f"{level:<7}", _LEVELS[level]) if level in _LEVELS else f"{level:<7}"
        return text.replace(f" {level} ", f" {shown} ", 1)


class LogWriter(logging.Handler):
    """Writes lines to `stream` in their order. Threads and signal handlers may log; none of them waits.

    The handlers of the root logger get the records from the writing thread too, since they may block as well.
    Therefore the logger of this handler must not propagate.
    """

    def __init__(self, stream: LogStream) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[tuple[str, logging.LogRecord | None]] = deque()  # with the record for the root's handlers
        self._lost = 0  # lines dropped so far; under the handler's lock
        self._lost_told = 0  # as many of them are in the log; the writing thread's
        self._thread = WritingThread("tpserver-log", self._write_all)

    def emit(self, record: logging.LogRecord) -> None:
        """Queues `record`. `logging` calls it under the handler's lock."""
        if len(self._lines) >= _BACKLOG:
            self._lost += 1
            return
        text = self.format(record) + "\n"
        kept = None
        if logging.getLogger().handlers:  # a copy that keeps no frame and no argument alive; `exc_text` has them
            kept = logging.makeLogRecord({**vars(record), "msg": record.getMessage(), "args": None, "exc_info": None})
        self._lines.append((text, kept))
        self._thread.wake()

    def start(self) -> None:
        """Accepts what the stream's descriptor is now, and starts the thread; else the first line does."""
        self._stream.renew()
        self._thread.start()

    def finish(self, timeout: float = 2.0) -> bool:
        """Ends what `log_to_stderr` has begun, within `timeout` seconds; returns whether all lines are written."""
        _logger.removeHandler(self)
        _logger.propagate = True
        return self._thread.finish(timeout)

    def _write_all(self) -> None:
        while self._lines or self._lost > self._lost_told:
            batch = [self._lines.popleft() for _ in range(len(self._lines))]
            if lost := self._lost - self._lost_told:
                self._lost_told += lost
                batch.append((f"{lost} log lines lost: they arrived faster than they could be written\n", None))
            # A closed pipe or stream, a full disk, a handler that fails: the log goes on.
            with contextlib.suppress(Exception):
                self._stream.write("".join([text for text, _ in batch]))
            for _, record in batch:
                if record is not None:
                    with contextlib.suppress(BaseException):  # a handler of the application may raise SystemExit
                        logging.getLogger().callHandlers(record)


def log_to_stderr(level: str | None = None) -> LogWriter | None:
    """Gives the server's logger a handler for stderr; None where the program has configured one, or has no stderr."""
    if level is not None:
        _logger.setLevel(level.upper())
    for logger in own_loggers():  # the program may have configured its own, and meant no harm
        logger.disabled = False
    if _logger.handlers or logging.getLogger().handlers or sys.stderr is None:
        return None
    writer = LogWriter(LogStream(sys.stderr))
    made = ColouredFormatter if has_colours(sys.stderr) else SafeFormatter
    writer.setFormatter(made("%(asctime)s %(levelname)s %(message)s"))
    _logger.addHandler(writer)
    _logger.propagate = False  # it does that itself
    return writer
