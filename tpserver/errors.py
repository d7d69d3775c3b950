"""The exceptions, by who reads their text.

`RequestRefused`: a client gets an error response. `ApplicationError`: the author of an application gets a log line
that says what to change. `UsageError` and `StartError`: the user at the command line gets one line and an exit status.
"""

from __future__ import annotations

import errno
import sys


class RequestRefused(Exception):
    """A request that gets an error response instead of what it asked for (RFC 9110 section 15).

    `status` is the status code, `detail` a sentence for the user, `fields` further response fields such as
    ("Allow", "GET, HEAD"). `close` is true where the framing of the message cannot be trusted: then no further
    request is read from the connection. `cause`, a few words, tells refusals of one status apart in log and statistics;
    "": the status says enough.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        fields: tuple[tuple[str, str], ...] = (),
        close: bool = False,
        cause: str = "",
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.fields = fields
        self.close = close
        self.cause = cause
        self.accept: str | None = None  # the request's Accept field, where the head was refused


class ApplicationError(Exception):
    """An application broke PEP 3333. The text says what it did and what to change."""


class TpserverError(Exception):
    """Ends the program with one line on stderr; `exit_status` is that of the process."""

    exit_status = 1

    def report(self) -> int:
        """Writes the line to stderr; returns the exit status."""
        print(f"tpserver: error: {self}", file=sys.stderr)
        return self.exit_status


class UsageError(TpserverError):
    """An option or argument has an invalid value."""

    exit_status = 2


class StartError(TpserverError):
    """The address cannot be bound, or the application cannot be imported.

    `cause_text` is the traceback of the application's import error, which is printed below the line.
    """

    def __init__(self, message: str, cause_text: str = "") -> None:
        super().__init__(message)
        self.cause_text = cause_text

    def report(self) -> int:
        """As in the base class."""
        super().report()
        if self.cause_text:
            print(self.cause_text, end="", file=sys.stderr)
        return self.exit_status


class AddressError(StartError, OSError):
    """The address cannot be bound: an OSError with `errno` and `strerror` as the system gave them."""

    def __init__(self, message: str, error: Exception) -> None:
        StartError.__init__(self, message)
        number = getattr(error, "errno", None)
        self.errno = errno.EADDRNOTAVAIL if number is None else number
        self.strerror = getattr(error, "strerror", None) or str(error)
        self.message = message

    def __str__(self) -> str:
        """The line for the user."""
        return self.message
