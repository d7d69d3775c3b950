"""TLS as a filter below a connection: a socket whose `recv` decrypts and whose `send` encrypts (`ssl.MemoryBIO`).

All above it works as without TLS, for it moves plain bytes. What goes round these methods by the descriptor would leave
in clear text: such a connection is `encrypted`, has no sendfile, and does not use the calls of `gil_held_io`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

from tpserver.system.gil_held_io import RECEIVE
from tpserver.transport.encryption import Encryption
from tpserver.transport.handshakes import Handshakes
from tpserver.transport.server_name import Contexts, server_name

# The first byte of TLS: a record of the handshake (RFC 8446 section 5.1). No method of HTTP begins with it.
_HANDSHAKE: Final = 0x16
# The most plain bytes of one record.
_RECORD: Final = 16 * 1024
# Bytes that are encrypted in one go, which are kept for a client that does not read.
_STEP: Final = 64 * 1024
# Bytes that one call takes at the most, so that other connections get their turn.
_MOST: Final = 256 * 1024


class TLSSocket(socket.socket):
    """An accepted, non-blocking socket. It takes the place of `sock`, whose descriptor it takes over.

    One lock guards all, for each call only: a thread of the pool may send a stream while the leader sends on, or
    receive a content meanwhile. No call waits. No object of TLS is made before the first byte comes: a client that says
    nothing costs a socket.

    Requests tell their own length, so a connection that ends without close_notify needs no rule of its own: what is
    half-read is not complete.
    """

    __slots__ = (
        "_awaits_header", "_contexts", "_ended", "_failure", "_half_read", "_handshakes", "_hello", "_incoming",
        "_kept", "_lock", "_notified", "_on_clear_text", "_on_failure", "_outgoing", "_owed", "_tls", "_unsent",
        "clear_text", "encryption",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        handshakes: Handshakes,
        on_clear_text: Callable[[], None] = lambda: None,
        on_failure: Callable[[ssl.SSLError], None] = lambda _: None,
        *,
        behind_header: bool = False,
    ) -> None:
        """`on_clear_text` is called before the first bytes are received from a client that does not speak TLS.

        `on_failure` is called with what such bytes of a client break that are no good TLS, or no TLS to agree on.

        With `behind_header`, bytes are received as they are until `begin_encryption`, and none are sent.
        """
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self.setblocking(False)
        self._handshakes = handshakes
        self._on_clear_text: Callable[[], None] | None = on_clear_text
        self._on_failure: Callable[[ssl.SSLError], None] | None = on_failure
        self._lock = threading.Lock()
        self._tls: ssl.SSLObject | None = None
        self._contexts: Contexts | None = None  # to choose one from when the name that the client asks for has come
        self._hello = b""  # what has come until then
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()  # behind `_unsent`
        self._unsent: bytes | memoryview = b""  # encrypted
        self._owed = 0  # plain bytes that are encrypted and not reported as sent: the caller offers them again
        self._half_read = False  # a record has begun to come, which OpenSSL keeps
        self._kept = b""  # received before TLS could begin
        self._ended = False  # the client has sent close_notify
        self._failure: ssl.SSLError | None = None  # behind bytes that were good
        self._notified = False  # we have
        self.clear_text = behind_header  # the client does not speak TLS, or not yet: bytes pass as they are
        self._awaits_header = behind_header  # a client that is about to speak TLS does not understand clear text
        self.encryption: Encryption | None = None  # None until the handshake has ended

    # -- receiving

    def recv(self, bufsize: int = RECEIVE, flags: int = 0, /) -> bytes:
        """All that can be decrypted of what has come, which may be more than `bufsize`; b"" at the end.

        Nothing decrypted stays here, for no poller would tell of it. Raises BlockingIOError where there is nothing yet,
        OSError where the client has gone or does not keep to the protocol.
        """
        with self._lock:
            if self._ended:
                return b""
            if self._failure is not None:
                self._fail(self._failure)
            if self.clear_text:
                return super().recv(bufsize, flags)
            if self._tls is None and not self._handshakes.may_begin():
                raise BlockingIOError
            if self._unsent and self.encryption is None:
                self._flush()
            data, self._kept = self._kept or super().recv(RECEIVE), b""
            return self._take(data) if data else b""

    def begin_encryption(self, rest: bytes) -> bytes:
        """All from here on is encrypted: `rest`, which has been received, too. As `recv`; b"" is no end here."""
        with self._lock:
            self.clear_text = self._awaits_header = False
            if rest and not self._handshakes.may_begin():
                self._kept, rest = rest, b""
            try:
                return self._take(rest) if rest else b""
            except BlockingIOError:
                return b""

    def _take(self, data: bytes) -> bytes:
        """What can be decrypted of `data` and of what has come before."""
        if self._tls is None and not self._begin(data):
            return data
        if self._contexts is not None:
            self._choose(self._contexts, data)
        self._incoming.write(data)
        try:
            return self._receive()
        except ssl.SSLError as error:
            self._fail(error)

    def _fail(self, error: ssl.SSLError) -> NoReturn:
        on_failure, self._on_failure = self._on_failure, None
        if on_failure is not None:
            on_failure(error)
        with contextlib.suppress(OSError):
            self._flush()  # an alert, which tells the client why
            super().recv(RECEIVE)  # where bytes are left, the system resets the connection
        raise error

    def _begin(self, data: bytes) -> bool:
        """The first bytes: whether they are TLS."""
        on_clear_text, self._on_clear_text = self._on_clear_text, None
        if data[0] == _HANDSHAKE:
            contexts = self._handshakes.contexts
            self._tls = contexts.first.wrap_bio(self._incoming, self._outgoing, server_side=True)
            self._contexts = contexts if contexts.by_name else None
            self._handshakes.begin(self)
            return True
        self.clear_text = True
        if on_clear_text is not None:
            on_clear_text()
        return False

    def _choose(self, contexts: Contexts, data: bytes) -> None:
        """Not by `sni_callback`: for a name that is not ASCII, CPython writes a traceback to stderr instead."""
        assert self._tls is not None
        self._hello += data
        name = server_name(self._hello)
        if name is not None:
            self._tls.context = contexts.choose(name)
            self._contexts, self._hello = None, b""

    def _receive(self) -> bytes:
        tls = self._tls
        assert tls is not None
        if self.encryption is None:
            self._shake_hands(tls)
        pieces = []
        self._half_read = False
        try:
            while self._incoming.pending:
                data = tls.read(_RECORD)
                if not data:
                    raise ssl.SSLZeroReturnError
                pieces.append(data)
        except ssl.SSLWantReadError:
            self._half_read = True
        except ssl.SSLZeroReturnError:
            self._ended = True
        except ssl.SSLError as error:
            if not pieces:
                raise
            self._failure = error  # raised by the next call: what came before is good
        if self._outgoing.pending and self._failure is None:
            self._flush()
            if self._outgoing.pending > _STEP:
                raise ConnectionAbortedError("the client asks for new keys and does not read")
        if not (pieces or self._ended):
            raise BlockingIOError
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            raise BlockingIOError from None
        except ssl.SSLError:
            self._handshakes.end(self)
            self._handshakes.failed()
            raise
        self._handshakes.end(self)
        cipher, _, key_bits = tls.cipher() or ("", "", 0)
        certificate = tls.getpeercert() or None
        der = tls.getpeercert(binary_form=True) if certificate else None
        self.encryption = Encryption(tls.version() or "", cipher, key_bits, certificate, der)
        self._flush()

    def has_come(self) -> bool:
        """Whether there are bytes that have not been received, or the client is about to send some."""
        if self._kept or self._half_read or (self._tls is not None and self.encryption is None):
            return True
        try:
            return bool(super().recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    @property
    def stuck(self) -> bool:
        """As `Unencrypted.stuck`: what comes next is here already, or a part of the handshake has not been sent."""
        over = self._ended or self._failure is not None
        return over or bool(self._kept) or (bool(self._unsent) and self.encryption is None)

    # -- sending

    def send(self, data: object, flags: int = 0, /) -> int:
        """Encrypts and sends; how many bytes of `data` that were.

        What it has not reported as sent may be encrypted already: the caller offers the same bytes again. Raises
        BlockingIOError where the socket takes nothing, OSError where the client has gone or has not finished the
        handshake.
        """
        with self._lock:
            view = memoryview(data)  # type: ignore[arg-type]  # the base class takes any buffer
            if self.clear_text and not self._awaits_header:
                return super().send(view, flags)
            if self._tls is None or self.encryption is None:
                raise ConnectionAbortedError("the handshake has not ended")
            end = min(len(view), _MOST)
            encrypted = self._owed
            while self._flush(flags) and encrypted < end:
                encrypted += self._tls.write(view[encrypted : min(encrypted + _STEP, end)])
            # Encrypted bytes are more than those they are made of: so many of the last ones are not sent, at the most.
            self._owed = min(encrypted, len(self._unsent) + self._outgoing.pending)
            if self._owed == encrypted:
                raise BlockingIOError
            return encrypted - self._owed

    def sendmsg(
        self, buffers: Iterable[object], ancdata: object = (), flags: int = 0, address: object = None, /
    ) -> int:
        """As `send`: what fits in one record is one."""
        pieces, room = [], _MOST
        for buffer in buffers:
            pieces.append(memoryview(buffer)[:room])  # type: ignore[arg-type]  # as in `send`
            room -= len(pieces[-1])
            if not room:
                break
        return self.send(b"".join(pieces), flags)

    def _flush(self, flags: int = 0) -> bool:
        """Whether nothing encrypted is left. Raises OSError, and not BlockingIOError."""
        while True:
            if not self._unsent:
                self._unsent = self._outgoing.read()
                if not self._unsent:
                    return True
            try:
                sent = super().send(self._unsent, flags)
            except BlockingIOError:
                return False
            self._unsent = memoryview(self._unsent)[sent:] if sent < len(self._unsent) else b""
            if not (self._unsent or self._outgoing.pending):
                return True

    # -- the end

    def end(self) -> bool:
        """Tells the client that nothing more comes (close_notify); False: it has to be called again to be sent."""
        with self._lock:
            if self._tls is None or self.encryption is None:
                return True
            try:
                if not self._notified:
                    self._notified = True
                    self._tls.unwrap()
            except ssl.SSLError:  # SSLWantReadError: it is made, and its answer is not waited for
                pass
            try:
                return self._flush()
            except OSError:
                return True

    def shutdown(self, how: int, /) -> None:
        """As a socket; the end of sending is told by close_notify as well."""
        if how == socket.SHUT_WR:
            self.end()
        super().shutdown(how)

    def shutdown_now(self) -> None:
        """Any thread: the owner finds that the client has gone."""
        super().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """As a socket."""
        self._on_clear_text = self._on_failure = None
        self._handshakes.end(self)
        super().close()
