"""HTTP/1.1 on the engine: what all connections share, what each receives, and the request that comes of it.

`Receiver` parses and nothing else. What answers a request is looked for when the leader asks it to answer at once.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Sized
from typing import BinaryIO, Final

from tpserver.errors import RequestRefused
from tpserver.files.responder import FileResponder
from tpserver.http import pages
from tpserver.http.arriving import ArrivingContent
from tpserver.http.dates import format_date
from tpserver.http.head import Head
from tpserver.http.message import Memory, MessageReader
from tpserver.http.negotiation import accepts_html
from tpserver.http.own_responses import busy_response
from tpserver.http.pages import Refusal
from tpserver.http.refused import RefusedHead, refused_head
from tpserver.http.response import stamp
from tpserver.http.section import Limits
from tpserver.http.target import LONGEST_GROUP, route_group
from tpserver.logs.access_log import AccessLog
from tpserver.logs.lines import refusal
from tpserver.logs.log import Log
from tpserver.reply import Responder, Wire
from tpserver.response_counts import ResponseCounts
from tpserver.site.hung import find_beside_hangs, place_name
from tpserver.site.mounts import Mounts
from tpserver.site.site import PageResponder, Site
from tpserver.site.vhosts import VirtualHosts
from tpserver.spool import Spool
from tpserver.system.clock import clock
from tpserver.transport.listener import counted_address
from tpserver.transport.protocol import Address, Hangs, Outcome, Request
from tpserver.version import SOFTWARE

_log = Log("tpserver")

# The route of all checks of passwords: what they cost tells nothing of the address.
CHECKS: Final = "password checks"
# Of a 503 whose end is not known.
_SOON: Final = (("Retry-After", "5"),)


class HTTPRequest(Request):
    """One message on its connection: what socketserver hands from method to method.

    Its site and its responder are chosen once, by the leader, in `answer_at_once`.
    """

    __slots__ = ("content", "head", "protocol", "remote", "responder", "site")

    connection: Wire
    site: Site  # this and what follows: chosen in `answer_at_once`, as `runs_inline`
    responder: Responder

    def __init__(self, protocol: HTTPProtocol, remote: tuple[str, str], head: Head, content: BinaryIO | None) -> None:
        """`remote` is the client's address and port; `content` is None where the message has none."""
        self.protocol = protocol
        self.remote = remote
        self.head = head
        self.content = content
        kind: type = type(content)  # not `isinstance`, which is slow for a class of `io`
        self.content_arriving = kind is ArrivingContent

    def answer_at_once(self) -> bool:
        """As in the engine: chooses what answers, and sends the response of a small file that is ready."""
        protocol, head = self.protocol, self.head
        if (only := protocol.only) is not None and head.path != "*":  # there is nothing to look for
            self.site, self.responder = only
            self.runs_inline = self.computes = False
            return False
        protocol.answering = None if protocol.detours else head
        found = protocol.found  # before `turn`: what a relieved leader finds for an old one is not kept for a new one
        known = found.get(head)
        if known is None:
            site = protocol.site
            if not isinstance(site, Site):
                site = site.choose(head)
            responder: Responder
            try:
                if protocol.detours:
                    responder = find_beside_hangs(site, head, protocol)
                else:
                    responder = site.find(head, protocol.turn)
            except RequestRefused as refusal:
                responder = PageResponder(refusal.status, refusal.detail, refusal.fields, refusal.cause)
            known = found[head] = site, responder
        self.site, self.responder = known
        responder = known[1]
        if type(responder) is FileResponder and not protocol.draining:
            data = responder.ready or responder.ready_response(head, protocol.stamp)
            if data is not None:
                self.connection.write(data)
                protocol.record(self.connection.client_address, head, 200, responder.content_length)
                return True
        self.runs_inline = responder.runs_inline
        self.computes = responder.computes
        return False

    @property
    def route(self) -> str:
        """Method and target, behind the virtual host's name: on another host the same address may cost more."""
        return self._at_host(CHECKS if self.computes else self.head.route)

    @property
    def route_group(self) -> str:
        """As `route`, without the query and with a star for each segment of the path that may be an id."""
        head = self.head
        return self._at_host(CHECKS if self.computes else route_group(head.method, head.path[:LONGEST_GROUP]))

    def _at_host(self, route: str) -> str:
        return f"{self.site.host} {route}" if self.site.host else route

    def describe(self) -> str:
        """Method and target, which hold no white space and no control character."""
        return self.head.route

    def close(self) -> None:
        """Closes the file of its content."""
        if self.content is not None:
            self.content.close()


def _arrives(prefixes: tuple[str, ...], chunked: bool, head: Head) -> bool:
    """Whether the application reads the content while it arrives."""
    return head.path.startswith(prefixes) and (chunked or head.section.content_length is not None)


class HTTPProtocol:
    """What all connections of one server share: limits, remembered heads, the second's stamp, and the site."""

    clear_text_receiver: Callable[[Address, bool], Receiver]  # of a server with TLS

    def __init__(
        self,
        site: Site | VirtualHosts | Mounts,
        limits: Limits | None = None,
        *,
        access_log: AccessLog | None = None,
        spool: Spool | None = None,
        arriving: tuple[str, ...] = (),
        arriving_chunked: bool = False,
        software: str | None = None,
        hsts: int = 0,
    ) -> None:
        """`arriving`: beginnings of paths whose contents the application reads while they arrive.

        Those of unknown length only with `arriving_chunked`: most frameworks take them for empty. `hsts` in seconds.
        """
        self._software = SOFTWARE if software is None else software  # the value of the Server field, "" for none
        self.hsts = b"Strict-Transport-Security: max-age=%d\r\n" % hsts if hsts else b""  # RFC 6797
        self.site = site
        self.limits = limits or Limits()
        self.memory = Memory()
        self.access_log = access_log
        self.spool = spool or Spool()
        self.response_counts = ResponseCounts([])
        # By cause; two threads that overlap may lose one. The engine counts those that it sees in the same one.
        self.refused: Counter[str] = Counter()
        self.arrives = functools.partial(_arrives, arriving, arriving_chunked) if arriving else None
        self.draining = False  # every response is the last on its connection; set by the engine
        self.turn = 0
        self.answering: Head | None = None  # of the last request that the leader has begun to answer in this turn
        self.detours: Sized = ()
        self.hanging: Hangs  # set by the engine, as `detours`
        # The site, and the application that answers for everything but `*`; None where there is something to look for.
        self.only: tuple[Site, Responder] | None = None
        # Site and responder of each head that came in this turn of the leader, so that one stat serves them all.
        self.found: dict[Head, tuple[Site, Responder]] = {}
        self._second = -1
        self.stamp = b""
        self.begin_turn()

    def begin_turn(self) -> None:
        """The leader: a new turn begins, perhaps a new second."""
        self.turn += 1
        site = self.site
        self.only = site.application_alone if isinstance(site, Site) else None
        self.found, self.answering = {}, None  # not cleared: a relieved leader may still write to the one before
        if (second := int(clock.time())) != self._second:
            self._second = second
            self.stamp = stamp(format_date(second), self._software) + self.hsts

    def end(self) -> None:
        """The server has stopped: drops what was kept for one turn."""
        self.found = {}
        self.answering = None

    def place_name(self) -> str:
        """As in the engine."""
        if (head := self.answering) is None:
            return ""
        return place_name(self.site if isinstance(self.site, Site) else self.site.choose(head), head)

    def new_content(self, client_address: Address, length: int | None) -> BinaryIO:
        """The leader: a file for the content of a request. Raises as `Spool.new_content`."""
        return self.spool.new_content(length, counted_address(client_address))

    def receiver(self, client_address: Address = ("", 0)) -> Receiver:
        """For a new connection."""
        return Receiver(self, client_address)

    def is_counted(self, client_address: Address) -> bool:
        """As in the transport."""
        return True

    def overload(self, request: Request, retry_after: int, cause: str) -> bytes:
        """503 for a request that is not run. The connection stays open unless the server drains."""
        assert isinstance(request, HTTPRequest)
        head = request.head
        # A content that is still on its way would be taken for the next request.
        keep_alive = head.section.keep_alive and not request.content_arriving and not self.draining
        if not keep_alive:
            request.connection.keep_alive = False
        html = accepts_html(head.fields.get("HTTP_ACCEPT"))
        site, stamp = request.site, self.stamp + request.site.marks(head)
        fields = (*site.header_fields(head), ("Retry-After", str(retry_after)))
        data, length = busy_response(stamp, fields, html, head.method == "HEAD", head.protocol, keep_alive)
        self.record(request.connection.client_address, head, 503, length, clock.perf_counter() - request.arrived)
        self.tell_refusal(request.connection.client_address, head, 503, cause, "")
        return data

    def leave(self, request: Request) -> None:
        """As in the engine: logs it with 499, as nginx does."""
        assert isinstance(request, HTTPRequest)
        self.record(request.connection.client_address, request.head, 499, 0, clock.perf_counter() - request.arrived)

    def too_many_connections(self, client_address: Address, cause: str) -> bytes:
        """503 for a connection beyond the limit, whatever it was going to ask."""
        data = pages.response(
            503,
            "The server has as many connections as it takes. Try again in a moment.",
            stamp=self.stamp,
            fields=(("Retry-After", "1"),),
        )
        self.record(client_address, None, 503, pages.content_length(data))
        self.tell_refusal(client_address, None, 503, cause, "")
        return data

    def tell_refusal(
        self, client_address: Address, head: Head | RefusedHead | None, status: int, cause: str, detail: str
    ) -> None:
        """Logs why a request was refused: a line at the level debug. Any thread."""
        if _log.enabled(logging.DEBUG):
            _log.debug("%s", refusal(client_address, head, status, f"{cause}: {detail}" if detail else cause))

    def record(
        self, client_address: Address, head: Head | RefusedHead | None, status: int, length: int, elapsed: float = 0.0
    ) -> None:
        """Counts and logs one response with `length` bytes of content. Any thread.

        `elapsed` is in seconds, from when the request was complete.
        """
        statuses, lengths = self.response_counts.own
        statuses[status] += 1
        lengths[status] += length
        if self.access_log is not None:
            self.access_log.add(clock.time(), client_address, head, status, length, elapsed)


class Receiver(MessageReader[HTTPRequest]):
    """One connection's side of HTTP. Only the thread that owns the connection calls."""

    __slots__ = ("_client_address", "_protocol", "_remote")

    def __init__(self, protocol: HTTPProtocol, client_address: Address) -> None:
        super().__init__(
            protocol.limits, protocol.memory, functools.partial(protocol.new_content, client_address), protocol.arrives
        )
        self._protocol = protocol
        self._client_address = client_address
        # REMOTE_ADDR and REMOTE_PORT; a unix socket has none.
        self._remote = (client_address[0], str(client_address[1])) if isinstance(client_address, tuple) else ("", "")

    def new_message(self, head: Head, content: BinaryIO | None) -> HTTPRequest:
        """As `MessageReader.new_message`."""
        return HTTPRequest(self._protocol, self._remote, head, content)

    def receive(self, data: bytes) -> Outcome:
        """Bytes in; a request, an interim response, a refusal, or None. Never raises `RequestRefused`."""
        try:
            return self.read_message(data)
        except RequestRefused as refusal:
            return self._refuse(refusal, data)
        except OSError as error:
            _log.error("cannot store the content of a request: %s", error)
            detail = "The server has no room for this content now."
            return self._refuse(RequestRefused(503, detail, close=True, fields=_SOON, cause="disk full"), data)

    def expire(self) -> bytes:
        """408 in the middle of a request; nothing where none has begun (RFC 9110 section 15.5.9)."""
        if self.part == "nothing":
            return b""
        cause = "head timeout" if self.part == "head" else "slow body"
        return self._refuse(RequestRefused(408, "The request has not come in time.", close=True, cause=cause)).data

    def note_left(self, head: Head) -> None:
        """As `MessageReader.note_left`: logs it with 499."""
        self._protocol.record(self._client_address, head, 499, 0)

    def _refuse(self, refusal: RequestRefused, data: bytes = b"") -> Refusal:
        """`data` came last. What begins as a HEAD request is answered as one, however it goes on.

        The response is counted and logged here, for there is no request that could be.
        """
        head = self._head
        come = self.pending or data
        begins = come[:5] if head is None else head.method.encode() + b" "
        self._head = None  # it is answered: its client has not left
        self.close()
        response = pages.response(
            refusal.status,
            refusal.detail,
            stamp=self._protocol.stamp,
            html=accepts_html(refusal.accept),
            head_only=begins == b"HEAD ",
            fields=refusal.fields,
        )
        told = refused_head(bytes(come)) if head is None else head
        cause = refusal.cause or pages.cause_of(refusal.status)
        self._protocol.record(self._client_address, told, refusal.status, pages.content_length(response))
        self._protocol.tell_refusal(self._client_address, told, refusal.status, cause, refusal.detail)
        return Refusal(refusal.status, response, cause)
