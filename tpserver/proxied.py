"""HTTP behind proxies: who the client is, and what it has asked for, as trusted proxies say.

Only a server with `--trusted-proxy` or `--untrusted-forwarded drop` uses this. With `--proxy-protocol` the
header of a connection says who its client is. Where that is a trusted proxy, too, each request may name another one.
"""

from __future__ import annotations

import contextlib
import re
from functools import partial
from typing import BinaryIO, Final

from tpserver.errors import RequestRefused
from tpserver.http.forwarded import Client, as_asked, read_client, without_forwarded
from tpserver.http.grammar import HEAD_END
from tpserver.http.head import Head
from tpserver.http.message import Memory
from tpserver.http.pages import Refusal
from tpserver.http.proxies import TrustedProxies
from tpserver.http.repeated import Repeated
from tpserver.logs.log import Log
from tpserver.options.network import NetworkOptions
from tpserver.protocol import HTTPProtocol, HTTPRequest, Receiver
from tpserver.system.clock import clock
from tpserver.transport.protocol import Address, Introduction, Outcome
from tpserver.transport.proxy_header import NoProxyHeader, parse_proxy_header

_log = Log("tpserver")

# Seconds between two warnings of fields that a trusted proxy should not have sent.
_PAUSE: Final = 60.0
_NOTHING: Final = Client()
_ADVICE: Final = "It has to set or to remove each of Forwarded and X-Forwarded-For, -Proto, -Host, -Port and -Prefix"
# The lines that name a client.
_ADDRESSES: Final = re.compile(rb"\r\n(Forwarded|X-Forwarded-For):[ \t]*([^\r\n]*)", re.IGNORECASE)
_NOT_TRUSTED: Final = "Connections to this port come from a proxy, and begin with a header of the PROXY protocol."


def host_of(client_address: Address) -> str:
    """The IP address; "" for the client of a unix socket."""
    return client_address[0] if isinstance(client_address, tuple) else ""


class ProxiedProtocol(HTTPProtocol):
    """As `HTTPProtocol`, for connections of proxies and of others."""

    def __init__(self, config: NetworkOptions, *given: object, **more: object) -> None:
        """`given` and `more` as `HTTPProtocol`."""
        super().__init__(*given, **more)  # type: ignore[arg-type]
        self.proxies = TrustedProxies(config.trusted_proxy)
        self.drops = config.drops_forwarded
        self.connection_scheme = "https" if config.encrypted else "http"  # what the environ says by itself
        self._by_header = config.proxy_protocol
        # No head is remembered as a whole: each is looked at. What is remembered of its lines is shared.
        self.rewritten_memory = Memory()
        self.rewritten_memory.heads = _NoHeads(0)
        self.rewritten_memory.sections = self.memory.sections
        self._next_warning = 0.0

    def receiver(self, client_address: Address = ("", 0)) -> Receiver:
        """As `HTTPProtocol.receiver`."""
        if self._by_header:
            return ProxyHeaderReceiver(self, client_address)
        return self.receiver_of_requests(client_address, self.proxies.has_peer(host_of(client_address)))

    def receiver_of_requests(self, client_address: Address, is_proxy: bool, scheme: str | None = None) -> Receiver:
        """Where nothing stands before the requests any more. `scheme`, if it is not that of the connection."""
        if is_proxy:
            return ForwardingReceiver(self, client_address, scheme)
        if self.drops or scheme is not None:
            return StrangersReceiver(self, client_address, scheme)
        return Receiver(self, client_address)

    def is_counted(self, client_address: Address) -> bool:
        """As in the transport: the connections of a proxy are those of many clients."""
        return not self.proxies.has_peer(host_of(client_address))

    def warn(self, client_address: Address, detail: str) -> None:
        """Logs, once a minute, what a trusted proxy should not have sent."""
        now = clock.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _PAUSE
            where = host_of(client_address) or "a unix socket"
            _log.warning("a request of the trusted proxy at %s is refused: %s", where, detail)


class _NoHeads(Repeated[bytes, Head]):
    def add(self, key: bytes, value: Head) -> None:
        """Nothing is kept."""


class ProxyHeaderReceiver(Receiver):
    """For a new connection with `--proxy-protocol`: receives the header, and nothing behind it."""

    __slots__ = ()
    _protocol: ProxiedProtocol

    def receive(self, data: bytes) -> Outcome:
        """As `Receiver.receive`."""
        self.pending += data
        protocol, peer = self._protocol, self._client_address
        if not protocol.proxies.has_peer(host_of(peer)):
            return self._refuse(RequestRefused(400, _NOT_TRUSTED, close=True, cause="PROXY protocol"))
        try:
            header = parse_proxy_header(self.pending)
        except ValueError as error:
            detail = f"{str(error)[0].upper()}{str(error)[1:]}."
            advice = " Without --proxy-protocol none is expected." if isinstance(error, NoProxyHeader) else ""
            protocol.warn(peer, f"{detail}{advice}")
            return self._refuse(RequestRefused(400, detail, close=True, cause="PROXY protocol"))
        if header is None:
            return None
        address, is_proxy = peer, True
        if header.client_address is not None:
            address = header.client_address
            is_proxy = protocol.proxies.has_client(host_of(address))
        receiver = protocol.receiver_of_requests(address, is_proxy, "https" if header.secure else None)
        return Introduction(address, receiver, self.pending[header.length :], is_counted=not is_proxy)


class RewritingReceiver(Receiver):
    """A `Receiver` that changes each head before anything else sees it."""

    __slots__ = ("_scheme",)
    _protocol: ProxiedProtocol

    def __init__(self, protocol: ProxiedProtocol, client_address: Address, scheme: str | None = None) -> None:
        """`scheme`: how the client has asked, where that differs from the connection."""
        super().__init__(protocol, client_address)
        self._memory = protocol.rewritten_memory
        self._scheme = scheme

    def _take_head(self, data: bytes) -> Head | None:
        head = super()._take_head(data)
        return None if head is None else self._rewritten(head)

    def _rewritten(self, head: Head) -> Head:
        raise NotImplementedError

    def _as_asked(self, head: Head, client: Client) -> Head:
        if client.scheme is None and self._scheme is not None:
            client = client._replace(scheme=self._scheme)
        if client == _NOTHING:
            return head
        return head.with_fields(as_asked(head.fields, client, self._protocol.connection_scheme))


class StrangersReceiver(RewritingReceiver):
    """For a client that is no trusted proxy: it does not speak for others."""

    __slots__ = ()

    def _rewritten(self, head: Head) -> Head:
        fields = without_forwarded(head.fields) if self._protocol.drops else None
        return self._as_asked(head if fields is None else head.with_fields(fields), _NOTHING)


class ForwardedRequest(HTTPRequest):
    """A request of a client that a proxy has named."""

    __slots__ = ("client_address",)
    client_address: Address

    def answer_at_once(self) -> bool:
        """As `HTTPRequest.answer_at_once`. What is logged from here on is logged with the client's address."""
        self.connection.client_address = self.client_address
        return super().answer_at_once()


class ForwardingReceiver(RewritingReceiver):
    """For a trusted proxy: each request is its client's. Until a head is complete it counts as the proxy's."""

    __slots__ = ("_peer",)

    def __init__(self, protocol: ProxiedProtocol, client_address: Address, scheme: str | None = None) -> None:
        super().__init__(protocol, client_address, scheme)
        self._peer = client_address, self._remote

    def _take_head(self, data: bytes) -> Head | None:
        self._client_address, self._remote = self._peer
        return super()._take_head(data)

    def _rewritten(self, head: Head) -> Head:
        try:
            client = read_client(head.fields, self._protocol.proxies)
        except RequestRefused as refusal:
            self._head = head  # for the log
            refusal.accept = head.fields.get("HTTP_ACCEPT")
            self._protocol.warn(self._client_address, f"{refusal.detail} {_ADVICE}")
            raise
        if client.address is not None:
            host, port = client.address
            self._client_address = client.address if host else ""
            self._remote = host, str(port or "")
        return self._as_asked(head, client._replace(address=None))

    def _refuse(self, refusal: RequestRefused, data: bytes = b"") -> Refusal:
        if self._head is None:  # refused before it was read as a whole
            self._name_client(self.pending or data)
        return super()._refuse(refusal, data)

    def _name_client(self, data: bytes) -> None:
        """For the log: the client of a head that has come to its end, and was refused for something else in it."""
        head, end, _ = data.partition(HEAD_END)
        fields: dict[str, str] = {}
        for name, value in _ADDRESSES.findall(head) if end else ():
            key = f"HTTP_{name.decode().upper().replace('-', '_')}"
            fields[key] = f"{fields[key]},{value.decode('latin-1')}" if key in fields else value.decode("latin-1")
        with contextlib.suppress(RequestRefused):
            client = read_client(fields, self._protocol.proxies)
            if client.address is not None:
                self._client_address = client.address if client.address[0] else ""

    def _begin_body(self, head: Head) -> None:
        self._new_content = partial(self._protocol.new_content, self._client_address)
        super()._begin_body(head)

    def new_message(self, head: Head, content: BinaryIO | None) -> HTTPRequest:
        """As `Receiver.new_message`."""
        request = ForwardedRequest(self._protocol, self._remote, head, content)
        request.client_address = self._client_address
        return request
