"""The raw client, encrypted; and a peer whose encrypted bytes a test carries itself."""

from __future__ import annotations

import ssl
from typing import Any

from tests.client import Client, Serving
from tests.tls.certificates import client_context


class TLSClient(Client):
    """As `Client`, and trusts the certificates of the tests."""

    def __init__(
        self,
        server: Serving,
        context: ssl.SSLContext | None = None,
        name: str = "localhost",
        session: ssl.SSLSession | None = None,
        **more: Any,
    ) -> None:
        super().__init__(server, **more)
        self.stream.close()
        try:
            context = context or client_context()
            self.tls = context.wrap_socket(self.sock, server_hostname=name, session=session)
        except BaseException:
            self.sock.close()
            raise
        self.sock = self.tls
        self.stream = self.tls.makefile("rb")

    def told_end(self) -> bool:
        """Waits for the end: whether the server has said that nothing more comes (close_notify)."""
        try:
            return self.sock.recv(1) == b""
        except ssl.SSLEOFError:
            return False


def strict(context: ssl.SSLContext | None = None) -> ssl.SSLContext:
    """An end without close_notify raises SSLEOFError."""
    context = context or client_context()
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context


class Peer:
    """A client by `ssl.MemoryBIO` on a socket that blocks."""

    def __init__(
        self,
        server: Serving,
        version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
        receive_buffer: int | None = None,
    ) -> None:
        self.sock = Client(server, receive_buffer).sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = strict(client_context(version))
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def push(self, size: int = 0) -> None:
        """Sends what is encrypted, in pieces of `size` bytes (0: in one)."""
        data = self.outgoing.read()
        for at in range(0, len(data), size or max(len(data), 1)):
            self.sock.sendall(data[at : at + size] if size else data)

    def pull(self) -> None:
        """Waits for encrypted bytes, or their end."""
        data = self.sock.recv(1 << 16)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def shake_hands(self, size: int = 0) -> None:
        """In pieces of `size` bytes."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.push(size)
                self.pull()
        self.push(size)

    def send(self, data: bytes, size: int = 0) -> None:
        self.tls.write(data)
        self.push(size)

    def end(self) -> None:
        """Sends close_notify."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            self.push()

    def read(self) -> bytes:
        """The next bytes; b"" where the server has told the end. Raises SSLEOFError where it has just closed."""
        while True:
            try:
                return self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                self.pull()
            except ssl.SSLZeroReturnError:
                return b""

    def read_all(self) -> bytes:
        """All, to the end that the server tells."""
        data = b""
        while piece := self.read():
            data += piece
        return data
