"""The protocols between a request and what answers it: `Responder`, the `Reply` it answers through, and the `Wire`.

handler.py implements `Reply`, transport/connection.py the `Wire`; files/, wsgi/ and site/ hold the responders.
"""

from __future__ import annotations

from typing import BinaryIO, Protocol

from tpserver.http.message import Message
from tpserver.transport import protocol as transport
from tpserver.transport.encryption import Encryption
from tpserver.transport.protocol import Address, Hangs

__all__ = ["Encryption", "Hangs", "Reply", "Responder", "Wire"]


class Wire(transport.Wire, Protocol):
    """The connection, as far as a responder sees it. Only the thread that runs the request calls."""

    @property
    def broken(self) -> bool:
        """Whether the client has gone, or what it got must not pass for complete."""

    @property
    def sending(self) -> bool:
        """Whether anything is left to send, in memory or on disk. Any thread may ask; it may change at any time."""

    def write_file(
        self, file: int, offset: int, length: int, *, version: tuple[int, int] | None = None, more: bool = False
    ) -> None:
        """Puts `length` bytes from `offset` on of the descriptor `file` behind what is still to be sent.

        The connection closes the descriptor when they are sent. `version` is (st_mtime_ns, st_size) of what is to be
        sent: the connection is reset when the file turns out to be rewritten or cut meanwhile. With `more`, another
        piece of the same descriptor follows, and that one closes it.
        """

    def send(self, data: bytes) -> None:
        """Writes, and sends at once. May block; raises ConnectionAbortedError when the client has gone."""

    def receive(self) -> bytes:
        """Blocks until more bytes of the request's content arrive. Raises OSError when none will come."""

    def client_gone(self) -> bool:
        """Whether the client has closed its side. One that still reads, and only sends nothing more, looks the same."""

    def client_left(self) -> bool:
        """Behind a response: whether the client has left. May send it, and wait for a tenth of a second."""

    def reset(self) -> None:
        """Drops what is still to be sent and resets the connection: the client sees that something is missing."""


class Reply(Protocol):
    """One response in the making. Only the thread that runs the request calls."""

    wfile: Wire
    rfile: BinaryIO  # the request's content
    client_address: Address
    remote: tuple[str, str]  # the client's address and port, as REMOTE_ADDR and REMOTE_PORT
    keep_alive: bool  # set to False: the connection ends with this response
    stamp: bytes  # the Date and Server lines of this second
    status: int  # what was answered, for the log
    length: int  # bytes of content that were answered, for the log
    streams: bool  # set to True: some of the response has been offered to the client before it is complete

    @property
    def marks(self) -> bytes:
        """The field lines of every answer that is no application's: who may read it (`--cors`)."""

    @property
    def header_fields(self) -> list[tuple[str, str]]:
        """The fields of `--header` for the request's path."""

    def page(self, status: int, detail: str, fields: tuple[tuple[str, str], ...] = (), cause: str = "") -> None:
        """Answers with a page of the site's for `status`, or a short one of the server's own.

        `cause` as `RequestRefused.cause`.
        """


class Responder(Protocol):
    """What answers a request. A site chooses it once for each request, which keeps it."""

    @property
    def runs_inline(self) -> bool:
        """Whether the leader answers: no application runs."""

    @property
    def computes(self) -> bool:
        """Whether it takes long for certain, and must not run in the leader."""

    def respond(self, request: Message, reply: Reply) -> None:
        """Answers `request`. May raise `RequestRefused` as long as nothing was written."""
