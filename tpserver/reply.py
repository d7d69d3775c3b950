"""What a responder answers through. handler.py is the one that implements it."""

from __future__ import annotations

from typing import Any, Protocol

from tpserver.http.message import Message


class Wire(Protocol):
    """The connection, as far as a responder sees it."""

    broken: bool
    unsent: int  # bytes in memory that the client has not yet taken
    sending: bool  # whether there are such, in memory or on disk; a moment's answer, to any thread

    def write(self, data: bytes) -> None:
        """Puts `data` behind what is still to be sent. Never waits."""

    def write_file(
        self, file: int, offset: int, length: int, *, version: tuple[int, int] | None = None, more: bool = False
    ) -> None:
        """Puts `length` bytes from `offset` on of the descriptor `file` there; closes it in the end.

        `version` is (st_mtime_ns, st_size) of what is to be sent: the connection is broken off when the
        file turns out to be rewritten or cut meanwhile. With `more`, another piece of the same
        descriptor follows, and that one closes it.
        """

    def flush(self) -> int:
        """Offers the client what is to be sent; how many bytes it took. Never waits."""

    def send(self, data: bytes) -> None:
        """Writes, and sends at once. May wait for the client; ConnectionAbortedError when that one has gone."""

    def receive(self) -> bytes:
        """Bytes of the request's content that have not come yet; waits. Raises OSError when none will come."""
        ...

    def client_gone(self) -> bool:
        """Whether the client has closed its side."""
        ...

    def abort(self) -> None:
        """Nothing more: the connection is closed as it is."""

    def reset(self) -> None:
        """Nothing more: the connection is broken off, so that nobody takes what was sent for the whole."""


class Reply(Protocol):
    """One response in the making. The thread that runs the request calls."""

    wfile: Wire
    client_address: Any
    remote: tuple[str, str]  # the client's address and port, as the application is told
    keep_alive: bool  # set to False: the connection ends with this response
    stamp: bytes  # the Date and Server lines of this second
    status: int  # what was answered, for the log
    length: int  # bytes of content that were answered, for the log

    def page(self, status: int, detail: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        """Answers with a short page of the server's own."""

    def complain(self, text: str) -> None:
        """One line in the log for the application's author, with the request that it is about."""


class Responder(Protocol):
    def respond(self, request: Message, reply: Reply) -> None:
        """Answers `request`. May raise `RequestRefused` as long as nothing was written."""
