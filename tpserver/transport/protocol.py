"""What the engine asks of a protocol: requests, receivers, and what a receiver says.

tpserver/protocol.py implements it for HTTP/1.1; tests/engine/line_server.py for lines of text.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Final, Literal, Protocol, TypeAlias

from tpserver.transport.encryption import Encryption

# What `socket.accept` says of a client: (host, port), with two more numbers for IPv6, or the path of a unix socket.
Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | str
# How an IPv4 address begins that is seen through IPv6 (RFC 4291 section 2.5.5.2).
MAPPED_BYTES: Final = bytes(10) + b"\xff\xff"

# What a connection is in the middle of while its receiver waits for more.
Part = Literal["nothing", "head", "body"]


class Wire(Protocol):
    """A connection, as far as a protocol sees it. Only the thread that owns the connection calls."""

    client_address: Address
    keep_alive: bool  # False: the connection closes behind what is still to be sent
    client_ends: bool  # set to True: the client has said that it sends nothing more, so there is no need to linger

    def write(self, data: bytes) -> None:
        """Puts `data` behind what is still to be sent. Never blocks."""

    @property
    def encryption(self) -> Encryption | None:
        """How it is encrypted; None where it is not."""

    def abort(self) -> None:
        """Drops what is still to be sent; the leader closes the connection."""


class Request:
    """One complete request on its connection: what socketserver hands from method to method.

    A protocol derives its own requests from this. The engine sets `connection` and `arrived`.
    """

    __slots__ = ("arrived", "computes", "connection", "content_arriving", "runs_inline")
    kind: Literal["request"] = "request"

    connection: Wire
    arrived: float  # of perf_counter, in seconds: when it was complete

    def __init__(self, *, runs_inline: bool = False, content_arriving: bool = False) -> None:
        """`runs_inline`: the leader answers it, without the application: it takes no place among the threads.

        `content_arriving`: its content is still on its way, and read by the thread that runs it. `computes`: it
        takes long for certain, and never runs in the leader.
        """
        self.runs_inline = runs_inline
        self.content_arriving = content_arriving
        self.computes = False

    def answer_at_once(self) -> bool:
        """The leader, before it asks for anything else: answers if that takes no handler; whether it did."""
        return False

    @property
    def route(self) -> str:
        """Requests of one route are expected to cost alike."""
        raise NotImplementedError

    @property
    def route_group(self) -> str:
        """Routes of one group differ by an id or a query. They are taken to cost alike until more is known."""
        raise NotImplementedError

    def describe(self) -> str:
        """One line for the log, with nothing in it that could end that line."""
        raise NotImplementedError

    def close(self) -> None:
        """Drops what was collected for it. It will not be run, or has been."""


class Interim(Protocol):
    """Bytes to send at once; the receiver is then called again with b""."""

    kind: Literal["interim"]
    data: bytes


class Refusal(Protocol):
    """Last bytes to send. The connection lingers and closes after them, whatever else came on it."""

    kind: Literal["refusal"]
    data: bytes
    cause: str  # a few words, for the statistics


class Introduction:
    """A proxy has said who its client is: from here on the connection is the client's, and has another receiver."""

    __slots__ = ("client_address", "is_counted", "receiver", "rest")
    kind: Literal["introduction"] = "introduction"

    def __init__(self, client_address: Address, receiver: Receiver, rest: bytes, *, is_counted: bool) -> None:
        """`rest` is what has come behind it; `is_counted` as `ConnectionProtocol.is_counted`."""
        self.client_address = client_address
        self.is_counted = is_counted
        self.receiver = receiver
        self.rest = rest


# What a receiver says: None is "more is needed". Told apart by `kind`.
Outcome: TypeAlias = Request | Interim | Refusal | Introduction | None


class Receiver(Protocol):
    """One connection's side of the protocol. Only the thread that owns the connection calls it."""

    @property
    def part(self) -> Part:
        """The owning thread: what the receiver is in the middle of, once `receive` has answered None."""
        ...

    @property
    def pending(self) -> bytes | bytearray:
        """The bytes beyond the last request that are here already."""
        ...

    def receive(self, data: bytes) -> Outcome:
        """Bytes in, an outcome out. Never raises."""

    def expire(self) -> bytes:
        """What to say to a client that has taken too long; b"" says nothing."""

    def close(self) -> None:
        """Drops what was collected. The connection is gone."""


class Hangs(Protocol):
    """Where disks hang. Any thread may call."""

    def refuses(self, place: str) -> str:
        """The folder around `place`, or `place` itself, that gets no more requests; "" where it does."""

    def note_answer(self, place: str) -> None:
        """The disk has answered at `place`."""


# The place of the disk that contents of requests are stored on.
CONTENTS: Final = "contents"


class ConnectionProtocol(Protocol):
    """One server's protocol. The leader calls it."""

    draining: bool  # set by the engine: every answer is the last on its connection
    detours: Sized  # set by the engine: empty where no leader waits for a disk
    hanging: Hangs  # set by the engine

    def receiver(self, client_address: Address) -> Receiver:
        """For a new connection."""

    def is_counted(self, client_address: Address) -> bool:
        """Whether a new connection counts for the limit of its address."""

    def clear_text_receiver(self, client_address: Address, redirects: bool, /) -> Receiver:
        """For one that is not encrypted although the server has TLS: its requests are redirected, or refused."""

    def begin_turn(self) -> None:
        """The leader has polled and now attends to what came: the time to look at a clock."""

    def end(self) -> None:
        """The server has stopped: nothing more is asked for until the next turn."""

    def overload(self, request: Request, retry_after: int, cause: str) -> bytes:
        """The answer to a request that is not run, for a `cause` of a few words; `retry_after` in seconds."""

    def leave(self, request: Request) -> None:
        """The watcher: the client of `request`, which has waited for a thread, has left; it will not be run."""

    def place_name(self) -> str:
        """The watcher: the place of the file that the leader answers with: the host and the path, or ""."""

    def too_many_connections(self, client_address: Address, cause: str) -> bytes:
        """The answer to a connection beyond the limit, which is closed then."""
