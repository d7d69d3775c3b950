"""What can go wrong, each with what it means for whom.

`RequestRefused` is for a client (a status), `ApplicationError` for the author of an application
(a log line that says what to change), `UsageError` and `StartError` for the person at the
command line (one line and an exit status).
"""

from __future__ import annotations


class RequestRefused(Exception):
    """A request that gets an error response instead of what it asked for (RFC 9110 section 15).

    `status` is the status code, `detail` a sentence for the person at the other end, `fields`
    further response fields such as ("Allow", "GET, HEAD"). Where the framing of the message can no
    longer be trusted `close` is true, and nothing more is read from that connection as a request.
    """

    def __init__(
        self, status: int, detail: str, *, fields: tuple[tuple[str, str], ...] = (), close: bool = False
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.fields = fields
        self.close = close
        # Of the request, as far as it was read: whether the answer has no content (HEAD), and its Accept field.
        self.head_only = False
        self.accept: str | None = None


class ApplicationError(Exception):
    """An application that broke PEP 3333. The text says what it did and what to change."""


class TpserverError(Exception):
    """What ends the program with one line on stderr; `exit_status` is the process's."""

    exit_status = 1


class UsageError(TpserverError):
    """An option or argument that cannot be used as given."""

    exit_status = 2


class StartError(TpserverError):
    """The address cannot be bound, or the application cannot be imported.

    `cause_text` is the traceback of the application's own import error, to be shown below the line.
    """

    def __init__(self, message: str, cause_text: str = "") -> None:
        super().__init__(message)
        self.cause_text = cause_text
