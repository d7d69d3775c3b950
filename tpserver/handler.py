"""One complete request -> its response: HTTP/1.1 on the engine.

`HTTPProtocol` is what the engine asks of a protocol, `HTTPRequestHandler` what socketserver calls a
request handler: `setup`, `handle` and `finish` serve the one request that it was made for.
"""

from __future__ import annotations

import socketserver
import time
from functools import partial
from time import perf_counter
from typing import Any, BinaryIO, Final

from tpserver.errors import RequestRefused
from tpserver.files.file import File
from tpserver.http import pages
from tpserver.http.arriving import ArrivingContent
from tpserver.http.dates import format_date
from tpserver.http.head import Head, Limits
from tpserver.http.message import CONTINUE, Interim, Memory, Message, MessageReader
from tpserver.http.negotiation import accepts_html
from tpserver.http.pages import Refusal
from tpserver.http.response import server_timing, stamp
from tpserver.logs.access_log import AccessLog, Record
from tpserver.logs.log import Log
from tpserver.reply import Wire
from tpserver.response_counts import Answers
from tpserver.sheets import Answer, Sheets
from tpserver.site.site import Site
from tpserver.site.vhosts import VirtualHosts
from tpserver.spool import Spool
from tpserver.wsgi.responder import WSGIResponder

_log = Log("tpserver")
_application_log = Log("tpserver.application")


# Bytes on disk, where nobody says how many.
_SPOOL_LIMIT: Final = 1024**3


class HTTPRequest(Message):
    """A message on its connection: what the engine hands from method to method."""

    __slots__ = (
        "arrived", "arrives_yet", "begun", "connection", "found", "handed_over", "line", "own", "remote", "route",
        "waited", "wide_route",
    )  # fmt: skip
    kind: Final = "request"

    connection: Any  # the engine's; set before the request is run
    found: Any  # who answers, as `Site.find` says
    own: bool
    arrived: float
    begun: float
    line: int
    remote: tuple[str, str]  # address and port of the client
    route: str  # the target, and the virtual host: requests that cost alike
    wide_route: str  # method and the first two segments of the path: requests that may do so

    def __init__(self, head: Head, content: BinaryIO | None) -> None:
        self.head = head
        self.content = content
        self.handed_over = False
        self.waited = False
        self.arrives_yet = False

    def describe(self) -> str:
        """Method and target, which hold no white space and no control character."""
        return f"{self.head.method} {self.head.target}"

    def close(self) -> None:
        """Gives its content's file back."""
        if self.content is not None:
            self.content.close()


class HTTPProtocol:
    """What all connections of one server share: limits, memory, the clock's second, and the site."""

    def __init__(
        self,
        site: Site | VirtualHosts,
        limits: Limits | None = None,
        *,
        software: str = "tpserver",
        access_log: AccessLog | None = None,
        spool: Spool | None = None,
        arriving: tuple[str, ...] = (),
    ) -> None:
        """`arriving`: beginnings of paths whose contents the application reads while they arrive."""
        self.site = site
        self.limits = limits or Limits()
        self.memory = Memory()
        self.access_log = access_log
        self.spool = spool or Spool(_SPOOL_LIMIT)
        self.answers = Answers([])
        self.arrives = partial(_begins, arriving) if arriving else None
        self.draining = False  # every answer is the last on its connection; set by the engine
        self.turn = 0
        self.found: dict[Head, Any] = {}  # who answers, of the heads that have come in this turn
        self.ready: dict[bytes, Answer] = {}  # the same for those that are answered already, by what came
        self.sheets = Sheets()
        self._software = software
        self._second = -1
        self.stamp = b""
        self.begin_turn()

    def begin_turn(self) -> None:
        """The leader: a new turn begins; perhaps a new second."""
        self.turn += 1
        self.found, self.ready = {}, {}  # not cleared: a relieved leader may still write to those before
        second = int(time.time())
        if second != self._second:
            self._second = second
            self.sheets.begin_second()
            self.stamp = stamp(format_date(second), self._software)

    def end(self) -> None:
        """The server has stopped: what was kept for its turns is of no use any more."""
        self.found, self.ready = {}, {}
        self.sheets.begin_second()

    def find(self, head: Head) -> Any:
        """Who answers a request with this head, as `Site.find` says; the refusal that it gets, being whole; or the
        `Answer` itself, which needs no handler then.
        """
        found: Any
        turn, kept = self.turn, self.found
        try:
            found = self.site.find(head, turn)
        except RequestRefused as refusal:
            found = refusal
        if isinstance(found, File) and head.simple and not self.draining:
            ready = self.site.ready(head, found, self.stamp)
            if ready is not None:
                found = Answer(head, *ready, self.sheets.find(ready[0]))
        kept[head] = found
        return found

    def receiver(self, client_address: Any = ("", 0)) -> Receiver:
        """For a new connection."""
        return Receiver(self, client_address)

    def overload(self, request: HTTPRequest, retry_after: int) -> bytes:
        """503 for a request that finds no place. The connection stays, for its message was complete: but in a drain."""
        head = request.head
        # A content that is still on its way would be taken for the next request.
        keep_alive = head.keep_alive and not request.arrives_yet and not self.draining
        if not keep_alive:
            request.connection.keep_alive = False
        data = pages.response(
            503,
            "The server is busy. Try again in a moment.",
            stamp=self.stamp,
            html=accepts_html(head.fields.get("HTTP_ACCEPT")),
            head_only=head.method == "HEAD",
            protocol=head.protocol,
            keep_alive=keep_alive,
            fields=(("Retry-After", str(retry_after)),),
        )
        self.record(request.connection.client_address, head, 503, pages.content_length(data))
        return data

    def too_many_connections(self, client_address: Any) -> bytes:
        """503 for a connection beyond the limit, whatever it was going to ask."""
        data = pages.response(
            503,
            "The server has as many connections as it takes. Try again in a moment.",
            stamp=self.stamp,
            fields=(("Retry-After", "1"),),
        )
        self.record(client_address, None, 503, pages.content_length(data))
        return data

    def record(self, client_address: Any, head: Head | None, status: int, length: int) -> None:
        """One answer, with `length` bytes of content, for the figures and the access log. Any thread."""
        self.answers.mine.add(status, length)
        if self.access_log is not None:
            self.access_log.append(Record(time.time(), client_address, head, status, length))


class Receiver(MessageReader[HTTPRequest]):
    """One connection's side of HTTP. Whoever owns the connection calls."""

    __slots__ = ("_client_address", "_protocol", "_remote")

    def __init__(self, protocol: HTTPProtocol, client_address: Any) -> None:
        super().__init__(protocol.limits, protocol.memory, protocol.spool.new_content, HTTPRequest, protocol.arrives)
        self._protocol = protocol
        self._client_address = client_address
        self._remote = _remote(client_address)

    def receive(self, data: bytes) -> Any:
        """Bytes in; a request, an interim response, a refusal, or None. Never raises but for a fault of ours."""
        protocol = self._protocol
        ready = protocol.ready  # of the turn that this begins in
        if ready and self._head is None and not self._buffer:
            # The quickest way first: others have asked for the same small file in this turn.
            answer = ready.get(data)
            if answer is not None:
                self._blank_seen = False
                protocol.record(self._client_address, answer.head, 200, answer.length)
                return answer
        try:
            request = _read_message(self, data)
        except RequestRefused as refusal:
            return self._refuse(refusal, data)
        except OSError as error:
            _log.error("cannot store the content of a request: %s", error)
            return self._refuse(RequestRefused(503, "The server has no room for this content now.", close=True), data)
        if request is None or isinstance(request, Interim):
            return request
        head = request.head
        found = protocol.found.get(head) or protocol.find(head)
        if type(found) is Answer:
            answer = found
            # `data` is this head and nothing else.
            if protocol.memory.heads.get(data) is head:
                ready[data] = answer
            protocol.record(self._client_address, head, 200, answer.length)
            return answer
        request.found = found
        request.remote = self._remote
        if request.content is not None:
            request.arrives_yet = isinstance(request.content, ArrivingContent)
        if isinstance(found, WSGIResponder):
            request.own = False
            request.route = head.route
            request.wide_route = head.wide_route or _wide_route(head)
        else:
            request.own = True
        return request

    def expire(self) -> bytes:
        """408 in the middle of a request; nothing where none has begun (RFC 9110 section 15.5.9)."""
        if self.part == "nothing":
            return b""
        refusal: Refusal = self._refuse(RequestRefused(408, "The request has not come in time.", close=True))
        return refusal.data

    def _refuse(self, refusal: RequestRefused, data: bytes = b"") -> Refusal:
        """`data` came last. What begins as a HEAD request is answered as one, however it goes on."""
        head = self._head
        begins = (self._buffer or data)[:5] if head is None else head.method.encode() + b" "
        self.close()
        answer = pages.response(
            refusal.status,
            refusal.detail,
            stamp=self._protocol.stamp,
            html=accepts_html(refusal.accept),
            head_only=refusal.head_only or begins == b"HEAD ",
            fields=refusal.fields,
        )
        self._protocol.record(self._client_address, None, refusal.status, pages.content_length(answer))
        return Refusal(refusal.status, answer)


_read_message = MessageReader[HTTPRequest].receive  # `super()` for a call that every request makes


def _remote(client_address: Any) -> tuple[str, str]:
    """A socket's address -> REMOTE_ADDR and REMOTE_PORT; a unix socket has none."""
    if isinstance(client_address, tuple):
        return client_address[0], str(client_address[1])
    return "", ""


def _begins(prefixes: tuple[str, ...], head: Head) -> bool:
    return head.path.startswith(prefixes)


def _wide_route(head: Head) -> str:
    head.wide_route = head.wide()
    return head.wide_route


class HTTPRequestHandler(socketserver.StreamRequestHandler):
    """Serves one request; the `Reply` that responders answer through. Lives as long as that.

    `rfile` is the complete content, `wfile` the connection.
    """

    request: HTTPRequest
    protocol: HTTPProtocol
    wfile: Wire  # type: ignore[assignment]
    status = 0
    length = 0

    def setup(self) -> None:
        request = self.request
        self.wfile = self.connection = request.connection
        self.protocol = self.server.protocol  # type: ignore[attr-defined]
        self.stamp: bytes = self.protocol.stamp
        self.remote = request.remote
        if request.arrives_yet:
            content: Any = request.content
            content.fetch = self._fetch
            # Nothing of it has come: the client waits to be told to go on (RFC 9110 section 10.1.1).
            self._asks_for_content = request.head.expects_continue and not content.started
        self._keep_alive = request.head.keep_alive

    def handle(self) -> None:
        request = self.request
        found = request.found
        try:
            if not request.own:
                found.respond(request, self)
            elif isinstance(found, RequestRefused):
                raise found
            else:
                self.protocol.site.respond(request, self, found)
        except RequestRefused as refusal:
            self.page(refusal.status, refusal.detail, refusal.fields)

    def finish(self) -> None:
        request = self.request
        if not self._keep_alive:
            self.connection.keep_alive = False
        if request.content is not None:
            request.close()
        self.protocol.record(self.client_address, request.head, self.status, self.length)

    # -- Reply

    @property
    def keep_alive(self) -> bool:
        """False: the connection ends with this response, as it does when the server drains.

        What has been read once is what the head says, and so what is done.
        """
        if self._keep_alive and (
            self.server.draining  # type: ignore[attr-defined]
            or (self.request.arrives_yet and not self.request.content.complete)  # type: ignore[union-attr]
        ):
            self._keep_alive = False
        return self._keep_alive

    @keep_alive.setter
    def keep_alive(self, value: bool) -> None:
        self._keep_alive = value

    def _fetch(self) -> bytes:
        """The next bytes of a content that is still on its way.

        Raises OSError when none will come, `RequestRefused` (408) when they come too slowly.
        """
        if self._asks_for_content:
            self._asks_for_content = False
            if not self.status:  # else the answer has begun, and tells the client as well
                self.wfile.send(CONTINUE)
        try:
            return self.wfile.receive()
        except TimeoutError as error:
            raise RequestRefused(408, "The content comes too slowly.", close=True) from error

    def page(self, status: int, detail: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        """Answers with a page of the site's for `status`, or a short one of the server's own."""
        head = self.request.head
        if status >= 400 and self.protocol.site.error_page(head, self, status, fields):
            return
        data = pages.response(
            status,
            detail,
            stamp=self.stamp,
            html=accepts_html(head.fields.get("HTTP_ACCEPT")),
            head_only=head.method == "HEAD",
            protocol=head.protocol,
            keep_alive=self.keep_alive,
            fields=fields,
        )
        self.status = status
        self.length = pages.content_length(data)
        self.wfile.write(data)

    def complain(self, text: str) -> None:
        """One line in the log for the application's author, with the request that it is about."""
        head = self.request.head
        _application_log.error("%s %s: %s", head.method, head.target, text)


class TimedRequestHandler(HTTPRequestHandler):
    """The same with `--server-timing`: the application's responses say how long they took."""

    def setup(self) -> None:
        super().setup()
        self._began = perf_counter()

    @property
    def stamp(self) -> bytes:
        """With the times until now, which is when the head is made."""
        request = self.request
        if request.own:
            return self._stamp
        return self._stamp + server_timing(self._began - request.arrived, perf_counter() - self._began)

    @stamp.setter
    def stamp(self, value: bytes) -> None:
        self._stamp = value
