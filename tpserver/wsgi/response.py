"""The response of a WSGI application: `start_response`, `write`, and its iterable, framed and checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, NoReturn

from tpserver.errors import ApplicationError
from tpserver.http.head import Head
from tpserver.http.response import (
    CHUNKED_LINE,
    LAST_CHUNK,
    ResponseHead,
    ResponseMemory,
    application_head,
    chunk,
    early_hints_head,
    missing_stamp,
    persistence_line,
)
from tpserver.logs.log import Log
from tpserver.reply import Reply
from tpserver.system.clock import clock
from tpserver.wsgi.file_wrapper import FileWrapper

_log = Log("tpserver.application")

# Head and content of a response up to so many bytes are copied together: cheaper than a second buffer.
JOINED = 16 * 1024

# Seconds between two checks for a client that has left while nothing is sent. A client that only has nothing more to
# send looks the same, and must not miss a response that is about to come.
_LOOK: Final = 0.1

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]


class WSGIResponse:
    """One response. Only the thread that runs the request calls.

    `send_whole` is for a response in one piece, `send_all` for any other iterable.
    """

    __slots__ = ("_chunked", "_head", "_memory", "_remaining", "_reply", "_request", "_silent", "ended", "head_sent")

    def __init__(self, request: Head, reply: Reply, memory: ResponseMemory) -> None:
        self._request = request
        self._reply = reply
        self._memory = memory
        self._head: ResponseHead | None = None
        self._remaining: int | None = None  # bytes of content still promised
        self._chunked = False
        self._silent = False  # content is not sent: HEAD, 204, 304, and beyond Content-Length
        self.head_sent = False
        self.ended = False  # nothing more is sent: the connection may have another request by now

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """PEP 3333. Raises `ApplicationError` for what may not be sent, `exc_info` once the head was sent."""
        if exc_info is not None:
            try:
                if self.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # a traceback's frames and this one would keep each other alive
        elif self._head is not None:
            raise ApplicationError("start_response() was called a second time, without exc_info.")
        self._head = application_head(status, headers, self._memory)
        return self.write

    def early_hints(self, headers: list[tuple[str, str]]) -> None:
        """`environ["wsgi.early_hints"]`: sends 103 (RFC 8297) at once. Any number of times before the first bytes.

        An HTTP/1.0 client would take it for the response, so it gets none. Raises as `start_response`, and
        `ApplicationError` when the response has begun.
        """
        if self.head_sent or self.ended:
            raise ApplicationError("wsgi.early_hints() was called after the first bytes of the answer.")
        lines = early_hints_head(headers)
        if self._request.protocol == "HTTP/1.1":
            self._reply.wfile.send(lines)

    @property
    def self_delimited(self) -> bool:
        """Whether the client can tell by itself that something is missing (RFC 9112 section 8)."""
        return self._chunked or self._remaining is not None

    def send_whole(self, data: bytes) -> None:
        """The content in one piece: head and content leave together."""
        lines = self._usual_head(data)
        if lines is None:
            self._send_joined(data)
            return
        self.ended = True
        if len(data) <= JOINED:
            self._reply.wfile.write(lines + data)
        else:
            self._reply.wfile.write(lines)
            self._reply.wfile.write(data)

    def _usual_head(self, data: bytes) -> bytes | None:
        """The head before `data`, if that is all that Content-Length promises, and nothing else is unusual."""
        head, request, reply = self._head, self._request, self._reply
        if head is None or self.head_sent or type(data) is not bytes or head.content_length != len(data):
            return None
        if not head.plain or request.method == "HEAD" or request.section.protocol != "HTTP/1.1":
            return None
        self.head_sent = True
        self._remaining = 0
        reply.status = head.status
        reply.length = len(data)
        return head.complete(reply.stamp) if reply.keep_alive else head.complete_last(reply.stamp)

    def send_all(self, result: Iterable[bytes]) -> None:
        """Sends each piece of what the application returned as it comes."""
        if isinstance(result, FileWrapper) and self._send_file(result):
            return
        if isinstance(result, (list, tuple)):
            self._send_joined(b"".join(_checked(piece) for piece in result))
            return
        reply, send = self._reply, self._reply.wfile.send
        next_look = 0.0
        for piece in _iterate(result):
            if type(piece) is not bytes:
                piece = _checked(piece)
            if piece:
                next_look = 0.0  # writing tells, too; and a client that has only closed its side still reads
                if self._chunked and self.head_sent:  # as `write`, in fewer steps
                    framed = chunk(piece)
                    reply.length += len(piece)
                    send(framed)
                elif (lines := self._usual_head(piece)) is not None:
                    send(lines + piece)
                    reply.streams = True
                else:
                    self.write(piece)
                if self._silent:
                    break  # PEP 3333: stop iterating when enough has been sent; it may never end
            elif (now := clock.monotonic()) >= next_look:
                # It waits for something, and would do so for ever if it did not notice that its client has left.
                wire = self._reply.wfile
                if next_look and not wire.sending and wire.client_gone():
                    self._give_up()
                next_look = now + _LOOK
        self._end()

    def _give_up(self) -> NoReturn:
        if not self.head_sent and self._head is not None:
            self._begin(None)
            self.head_sent = True  # no other is sent
        self._reply.wfile.abort()
        raise ConnectionAbortedError("the client has gone")

    def write(self, data: bytes) -> None:
        """The callable that `start_response` returns: sends at once.

        Raises ConnectionAbortedError when the client has gone, `ApplicationError` when the answer has ended.
        """
        if self.ended:
            raise ApplicationError("write() was called after the end of the answer.")
        data = _checked(data)
        if not data:
            return
        framed = self._frame(data, b"" if self.head_sent else self._begin(None))
        if framed:
            self._reply.wfile.send(framed)
            self._reply.streams = True

    def _send_joined(self, data: bytes) -> None:
        data = _checked(data)
        if self.head_sent:  # by write()
            self.write(data)
        else:
            head = self._begin(len(data))
            framed = self._frame(data)
            if len(framed) <= JOINED:
                head, framed = head + framed, b""
            self._reply.wfile.write(head)
            self.head_sent = True
            if framed:
                self._reply.wfile.write(framed)
        self._end()

    def _begin(self, length: int | None) -> bytes:
        """The head's bytes; decides the framing (RFC 9112 section 6). `length` is the content's, in bytes, if known.

        Until `head_sent` is set another head may be begun.
        """
        head = self._head
        if head is None:
            raise ApplicationError(
                "The application has not called start_response(status, headers) before its first bytes."
            )
        request, reply = self._request, self._reply
        reply.status = head.status
        if head.closes:
            reply.keep_alive = False
        self._silent = head.bodiless or request.method == "HEAD"
        self._remaining = head.content_length
        self._chunked = False
        framing = b""
        if head.content_length is None and not head.bodiless and (length or request.method != "HEAD"):
            if length is not None:
                framing = b"Content-Length: %d\r\n" % length
            elif request.protocol == "HTTP/1.1":
                self._chunked, framing = True, CHUNKED_LINE
            else:
                reply.keep_alive = False  # the end of the connection is the end of the content
        stamp = missing_stamp(head, reply.stamp) if head.has_date or head.has_server else reply.stamp
        return head.lines + framing + stamp + persistence_line(request.protocol, reply.keep_alive) + b"\r\n"

    def _frame(self, data: bytes, head: bytes = b"") -> bytes:
        """`head`, and the bytes that carry `data`: cut off at what Content-Length has promised.

        They count as sent once they have been made: an application may go on after a MemoryError.
        """
        if self._silent:
            data = b""
        remaining = self._remaining
        too_much = remaining is not None and len(data) > remaining
        if too_much:
            self._log_error("The application sends more than its Content-Length says; the rest is cut off.")
            data = data[:remaining]
        framed = head + (chunk(data) if self._chunked and data else data)
        if head:
            self.head_sent = True
        if too_much:
            self._silent = True
        if remaining is not None:
            self._remaining = remaining - len(data)
        self._reply.length += len(data)
        return framed

    def _end(self) -> None:
        self.ended = True
        reply = self._reply
        if not self.head_sent:
            reply.wfile.write(self._begin(0))
            self.head_sent = True
        if self._chunked:
            reply.wfile.write(LAST_CHUNK)
        elif self._remaining and not self._silent:
            self._log_error("The application has sent less than its Content-Length says; the connection is closed.")
            reply.keep_alive = False

    def _log_error(self, text: str) -> None:
        _log.error("%s %s: %s", self._request.method, self._request.target, text)

    def _send_file(self, wrapper: FileWrapper) -> bool:
        """Hands a real file to the connection, which sends it without this thread; whether it could."""
        head = self._head
        if self.head_sent or head is None or (found := wrapper.real_file()) is None:
            return False
        file, offset, length = found
        if head.content_length is not None:
            length = min(length, head.content_length)
        try:
            descriptor = os.dup(file)  # before the answer has begun: there may be no more
        except OSError:
            return False
        self._reply.wfile.write(self._begin(length))
        self.head_sent = True
        if not self._silent and length:
            self._reply.length = length
            self._reply.wfile.write_file(descriptor, offset, length)
        else:
            os.close(descriptor)
        if self._remaining is not None:
            self._remaining -= length
        self._end()
        return True


def _checked(data: object) -> bytes:
    """`data` as bytes. Raises `ApplicationError`, whose text says what to change."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        raise ApplicationError(
            f"The application sends the str {_short(data)}, but a WSGI body is made of bytes. "
            "Change it to bytes: [text.encode('utf-8')] instead of [text]."
        )
    raise ApplicationError(
        f"The application sends {_short(data)}, a {type(data).__name__}, as a piece of its body; it must be bytes."
    )


def _iterate(result: object) -> Iterable[bytes]:
    if isinstance(result, str):
        problem = (
            f"the str {_short(result)}, but WSGI wants an iterable of bytes. "
            "Change it to: return [text.encode('utf-8')]."
        )
    elif isinstance(result, (bytes, bytearray)):
        problem = "bytes; WSGI wants an iterable of bytes. Change it to: return [data]."
    elif result is None:
        problem = "None. It must return an iterable of bytes, such as [data]; is a return missing?"
    else:
        try:
            return iter(result)  # type: ignore[call-overload, no-any-return]
        except TypeError:
            problem = f"a {type(result).__name__}, which is no iterable of bytes."
    raise ApplicationError(f"The application returned {problem}")


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
