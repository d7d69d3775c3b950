"""Logging that never raises.

The handlers and filters of `logging` belong to the program that embeds the server, and an exception in one of them
reaches the caller of the logger. It must end neither the server nor one of its threads.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from types import TracebackType
from typing import TypeAlias

ExcInfo: TypeAlias = (
    bool
    | BaseException
    | tuple[type[BaseException], BaseException, TracebackType | None]
    | tuple[None, None, None]
    | None
)


class Log:
    """The logger `name`, by methods that never raise. Any thread."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, *arguments: object) -> None:
        """As `logging.Logger.debug`."""
        self._emit(logging.DEBUG, message, arguments)

    def info(self, message: str, *arguments: object) -> None:
        """As `logging.Logger.info`."""
        self._emit(logging.INFO, message, arguments)

    def warning(self, message: str, *arguments: object) -> None:
        """As `logging.Logger.warning`."""
        self._emit(logging.WARNING, message, arguments)

    def error(self, message: str, *arguments: object, exc_info: ExcInfo = None) -> None:
        """As `logging.Logger.error`."""
        self._emit(logging.ERROR, message, arguments, exc_info)

    def critical(self, message: str, *arguments: object) -> None:
        """What ends the server."""
        self._emit(logging.CRITICAL, message, arguments)

    def exception(self, message: str, *arguments: object) -> None:
        """An error, with the traceback of the exception that is being handled."""
        self._emit(logging.ERROR, message, arguments, True)

    def _emit(self, level: int, message: str, arguments: tuple[object, ...], exc_info: ExcInfo = None) -> None:
        with contextlib.suppress(BaseException):
            # The record names the caller of `error` and the like, three frames up.
            self._logger.log(level, message, *arguments, exc_info=exc_info, stacklevel=3)


def own_loggers() -> list[logging.Logger]:
    """The loggers of the server that exist already."""
    known = logging.getLogger().manager.loggerDict.copy()
    return [
        logger
        for name, logger in known.items()
        if (name + ".").startswith("tpserver.") and isinstance(logger, logging.Logger)
    ]


@contextlib.contextmanager
def kept_loggers() -> Iterator[None]:
    """Restores the server's loggers after the import of an application. One thread at a time.

    `logging.config` disables all existing loggers by default. Settings that the application makes for the server's
    loggers by name remain.
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
            server.propagate = True  # it was off only because of our handler, which is gone
