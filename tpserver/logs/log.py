"""Saying what goes wrong, without making it worse.

The handlers and filters of `logging` are those of the program around us, and what they raise comes back to
who logs. A server must not end for that, and no thread of it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any


class Log:
    """A logger of that name whose methods never raise. Any thread."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, *arguments: Any) -> None:
        self._say(logging.DEBUG, message, arguments)

    def info(self, message: str, *arguments: Any) -> None:
        self._say(logging.INFO, message, arguments)

    def warning(self, message: str, *arguments: Any) -> None:
        self._say(logging.WARNING, message, arguments)

    def error(self, message: str, *arguments: Any, exc_info: Any = None) -> None:
        self._say(logging.ERROR, message, arguments, exc_info)

    def critical(self, message: str, *arguments: Any) -> None:
        """Any thread: what ends the server."""
        self._say(logging.CRITICAL, message, arguments)

    def exception(self, message: str, *arguments: Any) -> None:
        """An error, with the traceback of the exception that is being handled."""
        self._say(logging.ERROR, message, arguments, True)

    def _say(self, level: int, message: str, arguments: tuple[Any, ...], exc_info: Any = None) -> None:
        with contextlib.suppress(BaseException):
            # The place that is told is the caller's of `error` and the like.
            self._logger.log(level, message, *arguments, exc_info=exc_info, stacklevel=3)


def own_loggers() -> list[logging.Logger]:
    """The server's, as far as they are there."""
    known = logging.getLogger().manager.loggerDict.copy()
    return [
        logger
        for name, logger in known.items()
        if (name + ".").startswith("tpserver.") and isinstance(logger, logging.Logger)
    ]


@contextlib.contextmanager
def kept_loggers() -> Iterator[None]:
    """Around the import of an application: `logging.config` disables all loggers there are, unless it is told not to.

    What the application sets up for the server's loggers by their names stands. One thread.
    """
    enabled = [logger for logger in own_loggers() if not logger.disabled]
    server = logging.getLogger("tpserver")
    handlers, propagated = server.handlers.copy(), server.propagate
    try:
        yield
    finally:
        for logger in enabled:
            logger.disabled = False
        if handlers and not server.handlers:
            for handler in handlers:
                server.addHandler(handler)
        elif not propagated and not set(handlers) & set(server.handlers):
            server.propagate = True  # it was our handler that did that
