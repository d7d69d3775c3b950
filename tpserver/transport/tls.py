"""Connections that are encrypted, and the server's side of them: `TLS` makes them of accepted sockets.

`ssl` is imported with this module, which only a server with TLS does.
"""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Final

from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.system.gil_held_io import Send
from tpserver.transport.connection import HEAD, IDLE, Connection
from tpserver.transport.encryption import Encryption
from tpserver.transport.handshakes import Handshakes
from tpserver.transport.pace import Timing
from tpserver.transport.polling import ClientSide, client_side
from tpserver.transport.protocol import Address, ConnectionProtocol, Receiver
from tpserver.transport.server_name import Contexts
from tpserver.transport.tls_socket import TLSSocket

_log = Log("tpserver")

# OpenSSL's reasons to refuse a client for its certificate, or for having none.
_REFUSED_CERTIFICATE: Final = frozenset({"CERTIFICATE_VERIFY_FAILED", "PEER_DID_NOT_RETURN_A_CERTIFICATE"})
# Seconds between two warnings of that.
_PAUSE: Final = 60.0


class TLSConnection(Connection):
    """As a `Connection`, where TLS makes a difference to it."""

    __slots__ = ()
    sock: TLSSocket
    encrypted = True

    @property
    def encryption(self) -> Encryption | None:
        """How it is encrypted."""
        return self.sock.encryption

    @property
    def stuck(self) -> bool:
        """As `Connection.stuck`."""
        return self.sock.stuck

    def flush(self, send: Send | None = None) -> int:
        """As `Connection.flush`. `send` is not used: it would send in clear text."""
        return super().flush()

    def has_come(self) -> bool:
        """As `Connection.has_come`; a client whose handshake has begun is about to send a request."""
        return self.sock.has_come()

    def client_side(self) -> ClientSide:
        """As `Connection.client_side`. Where the system does not tell, a client that has sent close_notify is OPEN."""
        return ClientSide.RESET if self.broken else client_side(self.sock)

    def begin_encryption(self, rest: bytes) -> bytes:
        """As `Connection.begin_encryption`."""
        return self.sock.begin_encryption(rest)

    def tell_end(self) -> bool:
        """As `Connection.tell_end`: sends close_notify."""
        return self.broken or self.sock.end()

    def abort(self) -> None:
        """As `Connection.abort`. Between two requests the client is told of the end."""
        self._tell_end_when_idle()
        super().abort()

    def close(self) -> None:
        """As `Connection.close`, and the same."""
        self._tell_end_when_idle()
        super().close()

    def _tell_end_when_idle(self) -> None:
        # Not in the middle of a response: what was cut off must not pass for complete.
        if not (self.broken or self.detached) and (self.state is IDLE or self.state is HEAD):
            self.sock.end()


class TLS:
    """The TLS of one server."""

    def __init__(self, contexts: Contexts) -> None:
        self.handshakes = Handshakes(contexts)
        self.clear_port: int | None = None  # connections to this port are not encrypted: they are redirected
        self.behind_header = False  # connections begin in clear text, with the header of a proxy
        self._next_warning = 0.0

    def replace_contexts(self, contexts: Contexts) -> None:
        """Any thread: the contexts of new connections."""
        self.handshakes.contexts = contexts

    def _tell_failure(self, address: Address, error: ssl.SSLError) -> None:
        """A certificate that is refused is a warning, once a minute: its owner may ask why."""
        host = address[0] if isinstance(address, tuple) else "a unix socket"
        reason = getattr(error, "verify_message", None) or error.reason or error
        if error.reason in _REFUSED_CERTIFICATE and (now := clock.monotonic()) >= self._next_warning:
            self._next_warning = now + _PAUSE
            _log.warning("the certificate of the client at %s is refused: %s", host, reason)
        else:
            _log.debug("TLS with %s fails: %s", host, reason)

    def _is_clear(self, address: Address) -> bool:
        return isinstance(address, tuple) and address[1] == self.clear_port

    def maker(
        self, protocol: ConnectionProtocol, ended: Counter[str], turn: Callable[[], int]
    ) -> Callable[..., Connection]:
        """What makes the leader's connections of sockets that have been accepted.

        `ended` counts handshakes that fail; `turn` is the number of the leader's turn.
        """
        self.handshakes.failed = lambda: ended.update(["TLS handshake"])
        self.handshakes.turn = turn

        def new_connection(
            sock: socket.socket,
            client_address: Address,
            receiver: Receiver,
            timing: Timing,
            max_outbox: int,
            tell_leader: Callable[[Connection], None],
            sendfile: bool,
        ) -> Connection:
            if self.clear_port is not None and self._is_clear(sock.getsockname()):
                receiver = protocol.clear_text_receiver(client_address, True)
                return Connection(sock, client_address, receiver, timing, max_outbox, tell_leader, sendfile)

            def receive_clear_text() -> None:
                connection.receiver = protocol.clear_text_receiver(connection.client_address, False)

            def tell_failure(error: ssl.SSLError) -> None:
                self._tell_failure(connection.client_address, error)

            encrypted = TLSSocket(
                sock, self.handshakes, receive_clear_text, tell_failure, behind_header=self.behind_header
            )
            connection = TLSConnection(encrypted, client_address, receiver, timing, max_outbox, tell_leader, False)
            return connection

        return new_connection
