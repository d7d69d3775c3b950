"""The server's log on stderr, unless the program has a place for it."""

from __future__ import annotations

import logging
import sys
from typing import Final

from tpserver.logs.log import own_loggers
from tpserver.logs.streams import LogStream
from tpserver.logs.writer import LogWriter
from tpserver.system.clock import clock

_logger: Final = logging.getLogger("tpserver")


class _Formatter(logging.Formatter):
    """With the time by the server's clock: that of a record stands still where a test library stops it."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        record.created = clock.time()
        record.msecs = record.created % 1 * 1000
        return super().formatTime(record, datefmt)


def log_to_stderr(level: str | None = None) -> LogWriter | None:
    """Gives the server's logger a handler for stderr; None where the program has configured one, or has no stderr."""
    if level is not None:
        _logger.setLevel(level.upper())
    for logger in own_loggers():  # the program may have configured its own, and meant no harm
        logger.disabled = False
    if _logger.handlers or logging.getLogger().handlers or sys.stderr is None:
        return None
    writer = LogWriter(LogStream(sys.stderr))
    writer.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
    _logger.addHandler(writer)
    _logger.propagate = False  # it does that itself
    return writer


def finish(log: LogWriter) -> bool:
    """Ends what `log_to_stderr` has begun; whether all has been written."""
    _logger.removeHandler(log)
    _logger.propagate = True
    return log.finish()
