"""What a client gets that does not encrypt where the server has TLS: the address to use instead."""

from __future__ import annotations

import re
from typing import BinaryIO, Final, NoReturn

from tpserver.errors import RequestRefused
from tpserver.http.grammar import ABSOLUTE_FORM
from tpserver.http.head import Head
from tpserver.http.hosts import host_name
from tpserver.http.pages import Refusal
from tpserver.protocol import HTTPProtocol, HTTPRequest, Receiver
from tpserver.transport.protocol import Address, Outcome

_HTTPS: Final = 443


class ClearTextReceiver(Receiver):
    """Answers the first request when its head has come, and runs none."""

    __slots__ = ("_port", "_redirects")

    def __init__(self, protocol: HTTPProtocol, port: int, client_address: Address, redirects: bool) -> None:
        """`port` is the one for TLS. `redirects`: with a redirect to it; else with 400, so that nothing is hidden."""
        super().__init__(protocol, client_address)
        self._port = port
        self._redirects = redirects

    def receive(self, data: bytes) -> Outcome:
        """A refusal, or None."""
        try:
            return self.read_message(data)
        except RequestRefused as refusal:
            return self._refuse(refusal, data)

    def _refuse(self, refusal: RequestRefused, data: bytes = b"") -> Refusal:
        """Without --hsts: that is for encrypted responses only (RFC 6797 section 7.2)."""
        outcome = super()._refuse(refusal, data)
        outcome.data = outcome.data.replace(self._protocol.hsts, b"", 1)
        return outcome

    def new_message(self, head: Head, content: BinaryIO | None) -> HTTPRequest:
        """As `MessageReader.new_message`: raises `RequestRefused`."""
        self._answer(head)

    def _begin_body(self, head: Head) -> None:
        self._answer(head)

    def _answer(self, head: Head) -> NoReturn:
        self._head = head
        host = host_name(head.fields.get("HTTP_HOST", ""))
        target = head.target
        if (absolute := re.fullmatch(ABSOLUTE_FORM, target)) is not None:
            target = absolute[2] or ""
        if not target.startswith("/"):
            target = f"/{target}" if target.startswith("?") else "/"
        url = f"https://{host}{'' if self._port == _HTTPS else f':{self._port}'}{target}"
        if self._redirects and host:
            status = 301 if head.method in ("GET", "HEAD") else 308  # 308: the method stays (RFC 9110 section 15.4.9)
            refusal = RequestRefused(status, "It is here, encrypted:", fields=(("Location", url),), close=True)
        else:
            detail = "This port takes encrypted connections only" + (f": {url}" if host else ".")
            refusal = RequestRefused(400, detail, close=True, cause="not encrypted")
        refusal.accept = head.fields.get("HTTP_ACCEPT")
        raise refusal
