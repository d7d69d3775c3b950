"""The raw client of all tests: bytes are sent as they are written, and a response is read as it comes.

Whatever has an `address` can be asked: a server in a thread (tests/running.py) and one in a process (tests/console.py).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, TypeVar

# Long enough for a slow machine, short enough for a person who waits for a failing test.
PATIENCE = 20.0
CLOSE = "Connection: close"
RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # SO_LINGER: on, for no time


class Serving(Protocol):
    """A server that can be asked."""

    @property
    def address(self) -> tuple[str, int] | str: ...


@dataclass
class Response:
    """One response. What its content is depends on who read it: see `parse` and `Client.response`."""

    status: int
    lines: list[tuple[str, str]]  # the field lines, in their order
    content: bytes
    head: bytes  # without the empty line

    @property
    def fields(self) -> dict[str, str]:
        """The fields by their names in lower case, none of which came twice."""
        fields: dict[str, str] = {}
        for name, value in self.lines:
            assert name.lower() not in fields, f"{name} came twice"
            fields[name.lower()] = value
        return fields

    def all(self, name: str) -> list[str]:
        """The values of every field line of this name."""
        return [value for field, value in self.lines if field.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        """The value of a field that came exactly once."""
        (value,) = self.all(name)
        return value


def request(
    target: str = "/",
    *fields: str,
    method: str = "GET",
    version: str = "1.1",
    host: str | None = "server.example",
    content: bytes | None = None,
) -> bytes:
    """The bytes of a request: `fields` are whole lines; Content-Length is there where there is content."""
    lines = [f"{method} {target} HTTP/{version}", *([] if host is None else [f"Host: {host}"]), *fields]
    if content is not None:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (content or b"")


def chunked(
    target: str,
    *chunks: bytes,
    fields: Iterable[str] = (),
    method: str = "POST",
    trailers: str = "",
    extension: str = "",
) -> bytes:
    """A request with its content in chunks; `trailers` are whole lines with their ends."""
    head = request(target, "Transfer-Encoding: chunked", *fields, method=method)
    framed = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension.encode(), chunk) for chunk in chunks)
    return head + framed + f"0\r\n{trailers}\r\n".encode()


def parse(data: bytes) -> Response:
    """A response and all that followed on its connection; the content is what stands behind the head, as framed."""
    head, end, content = data.partition(b"\r\n\r\n")
    assert end, data
    status_line, *lines = head.decode("latin-1").split("\r\n")
    assert status_line.startswith("HTTP/1.1 "), status_line
    fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Response(int(status_line[9:12]), fields, content, head)


AnyClient = TypeVar("AnyClient", bound="Client")


class Client:
    """A connection to a server."""

    def __init__(self, server: Serving, receive_buffer: int | None = None, source: str | None = None) -> None:
        # A path is that of a unix socket.
        self.sock = socket.socket(socket.AF_UNIX if isinstance(server.address, str) else socket.AF_INET)
        self.sock.settimeout(PATIENCE)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            if source is not None:
                self.sock.bind((source, 0))
            self.sock.connect(server.address)
        except BaseException:
            self.sock.close()
            raise
        self.stream: BinaryIO = self.sock.makefile("rb")

    def __enter__(self: AnyClient) -> AnyClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.stream.close()
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def ask(self, target: str = "/", *fields: str, method: str = "GET", **more: Any) -> Response:
        """One request and its response."""
        self.send(request(target, *fields, method=method, **more))
        return self.response(method)

    def head(self) -> Response:
        """The head of the next response; its content is left to be read."""
        lines = []
        while (line := self.stream.readline()) != b"\r\n":
            assert line.endswith(b"\r\n"), f"the head was cut off: {line!r}"
            lines.append(line)
        return parse(b"".join([*lines, b"\r\n"]))

    def response(self, method: str = "GET") -> Response:
        """The next response, which answers a request with this method; its content without the framing."""
        response = self.head()
        fields = {name.lower(): value for name, value in response.lines}  # Set-Cookie may come twice
        if method == "HEAD" or response.status < 200 or response.status in (204, 304):
            pass
        elif fields.get("transfer-encoding") == "chunked":
            response.content = self._chunks()
        elif "content-length" in fields:
            response.content = self.read(int(fields["content-length"]))
        else:
            response.content = self.stream.read()
        return response

    def read(self, size: int) -> bytes:
        """So many bytes."""
        data = self.stream.read(size)
        assert len(data) == size, "the content was cut off"
        return data

    def _chunks(self) -> bytes:
        pieces = []
        while size := int(self.stream.readline(), 16):
            pieces.append(self.read(size))
            assert self.stream.readline() == b"\r\n"
        assert self.stream.readline() == b"\r\n"
        return b"".join(pieces)

    def ended(self) -> bool:
        """Waits for the end: whether it is an orderly one with nothing before it."""
        return self.stream.read() == b""

    def finish_sending(self) -> None:
        """Half-close: there is no more to come from this side."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes as a client does that crashed: the server gets a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.close()


@contextlib.contextmanager
def several(server: Serving, count: int) -> Iterator[list[Client]]:
    """So many connections."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Client(server)) for _ in range(count)]


@contextlib.contextmanager
def to_the_end(server: Serving) -> Iterator[Client]:
    """One connection; waits until the server has closed it, so that all the server does for it is done by then."""
    with Client(server) as client:
        yield client
        client.finish_sending()
        while client.stream.read(65536):
            pass


def exchange(server: Serving, data: bytes) -> bytes:
    """Sends `data` on a new connection, says that there is no more, and returns all that comes back."""
    with Client(server) as client:
        client.send(data)
        client.finish_sending()
        return client.stream.read()


def salvage(server: Serving, data: bytes) -> bytes:
    """Sends `data` on a new connection; all that comes, also from a server that refuses it or resets the connection."""
    came = b""
    with Client(server) as client:
        with contextlib.suppress(ConnectionError):
            client.send(data)  # where it is refused, the answer may still be there
        with contextlib.suppress(ConnectionError):
            while piece := client.sock.recv(65536):
                came += piece
    return came


def ask(server: Serving, target: str = "/", *fields: str, **more: Any) -> Response:
    """One request on a connection of its own; the content is all that comes behind the head, as it was framed."""
    return parse(exchange(server, request(target, *fields, **more)))
