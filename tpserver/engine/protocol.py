"""What the engine asks of a protocol. handler.py implements it for HTTP/1.1; another could stand there."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from tpserver.engine.connection import Connection

# What `socket.accept` says of a client: (host, port), with two more numbers for IPv6, or the path of a unix socket.
Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | str


class Request(Protocol):
    """One complete request on its connection: what socketserver hands from method to method."""

    kind: Literal["request"]
    connection: Connection
    # Set by the engine when a thread of the pool has it, or will have it.
    handed_over: bool
    # True: answered without the application, so it needs no place among its threads.
    own: bool
    # Set by the engine, of the perf_counter: when it was complete, and when a thread of the pool took it.
    arrived: float
    begun: float
    line: int  # the kind that it was taken for, see `admission`
    # Set by the engine when it had to wait in line.
    waited: bool
    # True: its content is still on its way, and read by the thread that runs it.
    arrives_yet: bool
    # Requests of one route are expected to cost alike; those of one wide route may.
    route: str

    @property
    def wide_route(self) -> str: ...

    def describe(self) -> str:
        """One line for the log, with nothing in it that could end that line."""
        ...

    def close(self) -> None:
        """Drops what was collected for it. It will not be run, or has been."""


class Interim(Protocol):
    """Bytes to send at once; the receiver then wants to be called again with b""."""

    kind: Literal["interim"]
    data: bytes


class Sheet(Protocol):
    """Some bytes, and a way to send just these that costs less. Any thread."""

    data: bytes

    def send(self, sock: socket.socket, data: bytes) -> int:
        """As `sock.send(data)`, with its errors; `data` is the sheet's."""
        ...


class Answer(Protocol):
    """A whole answer to a request, for which nothing need run."""

    kind: Literal["answer"]
    data: bytes
    sheet: Sheet | None  # of `data`


class Refusal(Protocol):
    """Last bytes to send: after them the connection lingers and closes, whatever else came on it."""

    kind: Literal["refusal"]
    data: bytes
    cause: str  # a few words, for the figures


# What a connection is in the middle of while its receiver waits for more.
Part = Literal["nothing", "head", "body"]


class Receiver(Protocol):
    """One connection's side of the protocol. Only the thread that owns the connection calls it."""

    @property
    def part(self) -> Part: ...

    @property
    def pending(self) -> bool:
        """Whether bytes beyond the last request are here already."""
        ...

    def receive(self, data: bytes) -> Any:
        """Bytes in; out comes a `Request`, an `Answer`, an `Interim`, a `Refusal`, or None: more is needed.

        Never raises.
        """

    def expire(self) -> bytes:
        """What to say to a client that has taken too long; b"" says nothing."""

    def close(self) -> None:
        """Drops what was collected. The connection is gone."""


class ConnectionProtocol(Protocol):
    """One server's protocol. The leader calls it."""

    draining: bool  # set by the engine: every answer is the last on its connection

    def receiver(self, client_address: Any) -> Receiver:
        """For a new connection."""

    def begin_turn(self) -> None:
        """The leader has polled and now attends to what came: the time to look at a clock."""

    def end(self) -> None:
        """The server has stopped, for now: nothing more is asked for until the next turn."""

    def overload(self, request: Any, retry_after: int) -> bytes:
        """The answer to a request that finds the queue full; `retry_after` in seconds."""

    def too_many_connections(self, client_address: Any) -> bytes:
        """The answer to a connection beyond the limit, which is closed then."""
