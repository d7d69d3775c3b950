"""PEP 3333: one request of a WSGI application."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

from tpserver.errors import ApplicationError, RequestRefused
from tpserver.http.head import Head
from tpserver.http.hosts import host_name
from tpserver.http.lists import members
from tpserver.http.message import Message
from tpserver.http.response import response_memory
from tpserver.http.section import FieldSection
from tpserver.logs.log import Log
from tpserver.reply import Reply
from tpserver.wsgi.error_stream import ErrorStream
from tpserver.wsgi.file_wrapper import FileWrapper
from tpserver.wsgi.response import WSGIResponse
from tpserver.wsgi.tls_variables import tls_variables

_log = Log("tpserver.application")

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], None]]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# May interrupt the server's own sending, so they are logged also when the client has gone.
_EXHAUSTED: Final = (MemoryError, RecursionError)

# How many fork() calls lie between the first process and this one. Only a child sees it change, in its one thread.
# (Reading it costs a tenth of os.getpid(), which takes 0.3 us.)
_fork_generation = 0


def _count_fork() -> None:
    global _fork_generation
    _fork_generation += 1


if hasattr(os, "register_at_fork"):  # elsewhere there is no fork either
    os.register_at_fork(after_in_child=_count_fork)


class WSGIResponder:
    """Runs `application`. Any thread may call `respond`, several at once.

    With `by_host` SERVER_NAME is the host that the request names, for that has chosen the application.
    """

    runs_inline = False
    computes = False
    response_class = WSGIResponse

    def __init__(
        self,
        application: Application,
        server_name: str,
        server_port: int,
        *,
        software: str,
        by_host: bool = False,
        multiprocess: bool = False,
        encrypted: bool = False,
    ) -> None:
        self.application = application
        self._by_host = by_host
        self._encrypted = encrypted
        self._memory = response_memory()
        self._base: Environ = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SCRIPT_NAME": "",
            "SERVER_NAME": server_name,
            "SERVER_PORT": str(server_port),
            "SERVER_SOFTWARE": software,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if encrypted else "http",
            "wsgi.errors": ErrorStream(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
        }
        if encrypted:
            self._base["HTTPS"] = "on"

    def respond(self, request: Message, reply: Reply) -> None:
        """Never raises: what the application raises becomes a 500, or the end of the connection."""
        head = request.head
        owner, prepared = head.section.prepared
        environ: Environ = prepared.copy() if prepared is not None and owner is self else self._prepare(head.section)
        environ["REQUEST_METHOD"] = head.method
        environ["REQUEST_URI"] = head.target
        environ["PATH_INFO"] = head.path
        environ["QUERY_STRING"] = head.query
        if head.cookie is not None:
            environ["HTTP_COOKIE"] = head.cookie
        address, environ["REMOTE_PORT"] = reply.remote
        environ["REMOTE_ADDR"] = environ["REMOTE_HOST"] = address  # as waitress does, and without a look-up
        environ["wsgi.input"] = reply.rfile
        if self._encrypted:
            environ.update(tls_variables(reply.wfile.encryption))
        environ["tpserver.client_gone"] = reply.wfile.client_gone
        response = self.response_class(head, reply, self._memory)
        environ["wsgi.early_hints"] = response.early_hints
        generation = _fork_generation
        try:
            result = self.application(environ, response.start_response)
            if _fork_generation == generation:  # a child sends nothing
                if type(result) is list and len(result) == 1:
                    response.send_whole(result[0])
                else:
                    try:
                        response.send_all(result)
                    finally:
                        if hasattr(result, "close"):
                            _close(head, result.close)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: a request must not end the server
            if _fork_generation != generation:
                _end_child(error)
            self._failed(head, reply, response, error)
        if _fork_generation != generation:  # also one forked while the iterable made pieces or was closed
            _end_child(None)

    def _prepare(self, section: FieldSection) -> Environ:
        """The part of the environ that depends on the field section. Kept with one that comes a second time."""
        environ: Environ = {**self._base, **section.fields, "SERVER_PROTOCOL": section.protocol}
        environ.pop("HTTP_TRANSFER_ENCODING", None)  # the application gets the content without it
        if self._by_host:
            environ["SERVER_NAME"] = host_name(section.fields["HTTP_HOST"])
        section.prepared = self, (environ.copy() if section.prepared[0] is self else None)
        return environ

    def _failed(self, head: Head, reply: Reply, response: WSGIResponse, error: BaseException) -> None:
        response.ended = True
        gone = reply.wfile.broken and not isinstance(error, _EXHAUSTED)
        if gone:
            _log.debug("%s %s: the client has gone", head.method, head.target)
        elif isinstance(error, RequestRefused):
            # A content that was read while it arrived, and is malformed or too large: the client's fault.
            _log.info("%s %s: %s", head.method, head.target, error.detail)
        elif not response.head_sent and _asks_for_websocket(head):
            _log.error(
                "%s %s: this server has no WebSocket; the application failed at the handshake: %s",
                head.method, head.target, _in_a_line(error),
            )  # fmt: skip
            reply.page(501, "This server has no WebSocket.")
            return
        elif isinstance(error, ApplicationError):
            _log.error("%s %s: %s", head.method, head.target, error)
        else:
            _log.error("%s %s: the application raised an exception", head.method, head.target, exc_info=error)
        if response.head_sent:
            reply.keep_alive = False
            if response.self_delimited:
                reply.wfile.abort()  # the client sees that the rest is missing
            else:
                reply.wfile.reset()  # otherwise the end of the connection would pass for the end of the content
        elif gone:
            reply.keep_alive = False
        elif isinstance(error, RequestRefused):
            reply.page(error.status, error.detail, error.fields, error.cause)
        else:
            reply.page(500, "The application has failed. Its author finds the reason in the server's log.")
        if gone and not reply.streams:  # it has got nothing
            reply.status = 499


def _asks_for_websocket(head: Head) -> bool:
    """RFC 6455 section 4.1."""
    return "websocket" in (members(head.fields.get("HTTP_UPGRADE", "")) or ())


def _in_a_line(error: BaseException) -> str:
    """The name and the text of an exception."""
    lines = "".join(traceback.format_exception_only(type(error), error)).split("\n")
    return " ".join(filter(None, lines))[:300]


def _close(head: Head, close: Callable[[], object]) -> None:
    """Calls an iterable's `close` (PEP 3333). The response is decided by then, so an error is only logged."""
    try:
        close()
    except BaseException as error:  # noqa: BLE001 - as in `respond`
        _log.error("%s %s: the application raised an exception in close()", head.method, head.target, exc_info=error)


def _end_child(error: BaseException | None) -> NoReturn:
    """Ends a process that the application has forked, and that returns from the application.

    It has one thread, the client's socket and the listening one: it would send the client a second response, and keep
    the port after the server has ended. It ends with the exit status that an interpreter would give it after `error`,
    and at once: the buffers and queues of the server belong to its parent.
    """
    if isinstance(error, SystemExit):
        code = error.code
        os._exit(code & 0xFF if isinstance(code, int) else int(code is not None))
    os._exit(int(error is not None))
