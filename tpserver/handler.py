"""One complete request -> its response: what socketserver calls a request handler.

`setup`, `handle` and `finish` serve the one request that a handler is made for.
"""

from __future__ import annotations

import socketserver
from io import BufferedReader, BytesIO
from typing import BinaryIO, Final, cast

from tpserver.errors import RequestRefused
from tpserver.http import pages
from tpserver.http.arriving import ArrivingContent
from tpserver.http.message import CONTINUE
from tpserver.http.own_responses import own_response
from tpserver.http.response import server_timing, with_rules
from tpserver.protocol import HTTPRequest
from tpserver.reply import Wire
from tpserver.system.clock import clock

# Statuses of the server's own that refuse a request: each is logged and counted.
_REFUSALS: Final = frozenset({400, 408, 413, 414, 417, 431, 503})
# Seconds that a request has taken after which it is asked whether its client has left.
_LEFT_AFTER: Final = 0.1


class HTTPRequestHandler(socketserver.StreamRequestHandler):
    """Serves one request; the `Reply` that its responder answers through.

    `rfile` is the request's content, a binary file: complete, or arriving while it is read (`--stream-body`).
    `wfile` is the connection.
    """

    request: HTTPRequest
    rfile: BinaryIO  # type: ignore[assignment]
    wfile: Wire  # type: ignore[assignment]
    status = 0
    length = 0
    streams = False
    _refused = False  # and told
    _asks_for_content = False

    def setup(self) -> None:
        """Prepares the reply. The thread that runs the request, as for all that follows."""
        request = self.request
        self.wfile = self.connection = request.connection
        self._protocol = protocol = request.protocol
        self.stamp: bytes = protocol.stamp
        self.remote = request.remote
        self._keep_alive = request.head.section.keep_alive
        self._arriving: ArrivingContent | None = None
        content = request.content
        self.rfile = BytesIO() if content is None else content
        if request.content_arriving:
            self._arriving = arriving = cast(ArrivingContent, content)
            self.rfile = BufferedReader(arriving)
            arriving.fetch = self._fetch
            # No byte of it has come: the client waits to be told to continue (RFC 9110 section 10.1.1).
            self._asks_for_content = request.head.section.expects_continue and not arriving.started

    def handle(self) -> None:
        """Has the responder answer; a refusal becomes an error page."""
        request = self.request
        try:
            request.responder.respond(request, self)
        except RequestRefused as refusal:
            self.page(refusal.status, refusal.detail, refusal.fields, refusal.cause)

    def finish(self) -> None:
        """Counts and logs the response, and closes the content.

        A client that has left before any of it could be sent gets 499 in the log, as with nginx.
        """
        request = self.request
        elapsed = clock.perf_counter() - request.arrived
        if elapsed >= _LEFT_AFTER and not (self.streams or request.runs_inline) and self.wfile.client_left():
            self.status = 499
        if self._arriving is not None:
            self._finish_arriving(self._arriving.refusal)
        if not self._keep_alive:
            self.wfile.keep_alive = False
            # RFC 9112 section 9.6: it sends no more requests. (Behind a content some clients send a blank line.)
            self.wfile.client_ends = not request.head.section.keep_alive and request.content is None
        if request.content is not None:
            self.rfile.close()
        self._protocol.record(self.client_address, request.head, self.status, self.length, elapsed)

    def _finish_arriving(self, refusal: RequestRefused | None) -> None:
        """Behind an application that read its content, which may have answered for the failure itself."""
        if refusal is not None and not self._refused:
            self._tell_refusal(refusal.status, refusal.detail, refusal.cause)
        if self.wfile.broken and not self.streams:
            self.status = 499

    # -- Reply

    @property
    def keep_alive(self) -> bool:
        """False: the connection ends with this response, as it does when the server drains.

        Once it was read as False it stays so: the head says so.
        """
        if self._keep_alive and (
            self._protocol.draining or (self._arriving is not None and not self._arriving.complete)
        ):
            self._keep_alive = False
        return self._keep_alive

    @keep_alive.setter
    def keep_alive(self, value: bool) -> None:
        """Set to False, the connection ends with this response."""
        self._keep_alive = value

    def page(self, status: int, detail: str, fields: tuple[tuple[str, str], ...] = (), cause: str = "") -> None:
        """Answers with a page of the site's for `status`, or a short one of the server's own."""
        head, site = self.request.head, self.request.site
        if status in _REFUSALS:
            self._tell_refusal(status, detail, cause)
        fields = with_rules(fields, site.fields_of(head, self.request.responder))
        if status >= 400 and site.error_page(head, self, status, fields):
            return
        data = own_response(head, status, detail, self.stamp + self.marks, self.keep_alive, fields)
        self.status = status
        self.length = pages.content_length(data)
        self.wfile.write(data)

    def _tell_refusal(self, status: int, detail: str, cause: str) -> None:
        """Counts and logs it."""
        cause = cause or pages.cause_of(status)
        self._refused = True
        self._protocol.refused[cause] += 1
        self._protocol.tell_refusal(self.client_address, self.request.head, status, cause, detail)

    @property
    def marks(self) -> bytes:
        """As `Reply.marks`."""
        return self.request.site.marks(self.request.head)

    @property
    def header_fields(self) -> list[tuple[str, str]]:
        """As `Reply.header_fields`."""
        return self.request.site.header_fields(self.request.head)

    def _fetch(self) -> bytes:
        """The next bytes of a content that is still on its way.

        Raises OSError when none will come, `RequestRefused` (408) when they come too slowly.
        """
        if self._asks_for_content:
            self._asks_for_content = False
            if not self.status:  # else the response has begun, and tells the client as well
                self.wfile.send(CONTINUE)
        try:
            return self.wfile.receive()
        except TimeoutError as error:
            raise RequestRefused(408, "The content comes too slowly.", close=True, cause="slow body") from error


class TimedRequestHandler(HTTPRequestHandler):
    """The same with `--server-timing`: the application's responses say how long they took."""

    def setup(self) -> None:
        """Starts the clock as well."""
        super().setup()
        self._began = clock.perf_counter()

    @property
    def stamp(self) -> bytes:
        """With the times until now, which is when the head is made."""
        request = self.request
        if request.runs_inline:
            return self._stamp
        return self._stamp + server_timing(self._began - request.arrived, clock.perf_counter() - self._began)

    @stamp.setter
    def stamp(self, value: bytes) -> None:
        """The Date and Server lines."""
        self._stamp = value
