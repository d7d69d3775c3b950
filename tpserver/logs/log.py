"""Logging that never raises.

The handlers and filters of `logging` belong to the program that embeds the server, and an exception in one of them
reaches the caller of the logger. It must end neither the server nor one of its threads.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from functools import partialmethod


class Log:
    """The logger `name`, by methods as those of `logging.Logger` that never raise. Any thread."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def log(self, level: int, message: str, *arguments: object, exc_info: BaseException | bool | None = None) -> None:
        """As `logging.Logger.log`."""
        with contextlib.suppress(BaseException):
            # The record names the caller of this function, two frames up.
            self._logger.log(level, message, *arguments, exc_info=exc_info, stacklevel=2)

    def enabled(self, level: int) -> bool:
        """Whether lines of this level are logged."""
        return self._logger.isEnabledFor(level)

    debug = partialmethod(log, logging.DEBUG)
    info = partialmethod(log, logging.INFO)
    warning = partialmethod(log, logging.WARNING)
    error = partialmethod(log, logging.ERROR)
    critical = partialmethod(log, logging.CRITICAL)
    exception = partialmethod(log, logging.ERROR, exc_info=True)


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
