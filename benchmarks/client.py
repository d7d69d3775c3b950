"""A raw HTTP client, just enough to measure with: one connection, GET, bodies with a Content-Length."""

from __future__ import annotations

import re
import socket
from typing import NamedTuple

HOST = "127.0.0.1"

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)


class Answer(NamedTuple):
    status: int
    body: bytes


def get(path: str) -> bytes:
    """The bytes of a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode("ascii")


class Client:
    """Asks over one keep-alive connection, and opens another when the server has closed it."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self.port = port
        self.timeout = timeout
        self._socket: socket.socket | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def fileno(self) -> int:
        """For selectors; -1 when there is no connection."""
        return -1 if self._socket is None else self._socket.fileno()

    def send(self, path: str) -> None:
        """Ask, and leave the answer to `receive`."""
        self.send_bytes(get(path))

    def send_bytes(self, request: bytes) -> None:
        """The same with a request of one's own."""
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self.port), timeout=self.timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)

    def receive(self) -> Answer:
        """The answer to what was asked; OSError when the connection ends or the time-out passes before it is whole."""
        if self._socket is None:
            raise ConnectionError("nothing was asked")
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive_some()
        head = data[:end]
        length = _LENGTH.search(head)
        parts, missing = [data[end + 4 :]], (int(length[1]) if length else 0) - (len(data) - end - 4)
        while missing > 0:
            parts.append(self._receive_some())
            missing -= len(parts[-1])
        if _CLOSE.search(head):
            self.close()
        return Answer(int(head[9:12]), b"".join(parts))

    def ask(self, path: str) -> Answer:
        """Ask and wait. An idle connection that the server has closed meanwhile is replaced once."""
        reused = self._socket is not None
        try:
            self.send(path)
            return self.receive()
        except OSError as error:
            self.close()
            if not reused or isinstance(error, TimeoutError):
                raise
        return self.ask(path)

    def _receive_some(self) -> bytes:
        assert self._socket is not None
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the connection ended before the response did")
        return data
