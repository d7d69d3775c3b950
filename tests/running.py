"""A server that serves in a thread of its own, and what comes back from it."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from typing import Any

from tpserver import Server

# Long enough for a slow machine, short enough for a person who waits for a failing test.
PATIENCE = 20.0


@dataclass
class Running:
    """A server that serves, in a thread of its own."""

    server: Server
    thread: threading.Thread

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server.server_port)

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def connect(self) -> socket.socket:
        """A raw connection; the test closes it."""
        return socket.create_connection(self.address, timeout=PATIENCE)

    def exchange(self, data: bytes) -> bytes:
        """Sends `data` on a new connection, says that there is no more, and returns all that comes back."""
        with self.connect() as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the server has not stopped"
        self.server.server_close()


def read_all(sock: socket.socket) -> bytes:
    """What comes until the other end closes."""
    pieces = []
    while data := sock.recv(65536):
        pieces.append(data)
    return b"".join(pieces)


def read_response(stream: Any) -> tuple[int, dict[str, str], bytes]:
    """One response from a binary stream (`sock.makefile("rb")`): status, fields by lower-case name, content."""
    status_line = stream.readline()
    assert status_line.startswith(b"HTTP/1.1 "), status_line
    status = int(status_line[9:12])
    fields: dict[str, str] = {}
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.lower()] = value.strip()
    if status in (204, 304) or status < 200:
        return status, fields, b""
    if fields.get("transfer-encoding") == "chunked":
        pieces = []
        while size := int(stream.readline(), 16):
            pieces.append(stream.read(size))
            assert stream.readline() == b"\r\n"
        assert stream.readline() == b"\r\n"
        return status, fields, b"".join(pieces)
    if "content-length" in fields:
        return status, fields, stream.read(int(fields["content-length"]))
    return status, fields, stream.read()
