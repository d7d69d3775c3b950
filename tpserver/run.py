"""Puts it together: a `Config` becomes folder and application, these a site, and the site a `Server`."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tpserver.application import check_application, check_unpatched, load_application
from tpserver.config import OPTIONS, Config
from tpserver.drop_in import logged_by, request_log_of, server_class_for
from tpserver.engine.stats import Stats
from tpserver.errors import AddressError, StartError, UsageError
from tpserver.files.background import BackgroundCoder
from tpserver.files.coders import quick_coders
from tpserver.greeting import address_of
from tpserver.handler import HTTPRequestHandler, TimedRequestHandler
from tpserver.http.response import server_value
from tpserver.http.section import Limits
from tpserver.logs.access_log import AccessLog
from tpserver.logs.lines import with_colours
from tpserver.logs.log import Log
from tpserver.logs.streams import LogFile, LogStream
from tpserver.progress import Progress
from tpserver.protocol import HTTPProtocol
from tpserver.response_counts import ResponseStats
from tpserver.site.build import Sites
from tpserver.site.site import Site
from tpserver.spool import SPOOL, Spool, SpoolStats
from tpserver.system.monkey_patches import patched
from tpserver.system.terminal import has_colours
from tpserver.tls.server import TLSServer
from tpserver.transport.listener import shortage
from tpserver.transport.listening import endpoint_of
from tpserver.transport.pace import Timing
from tpserver.transport.protocol import CONTENTS
from tpserver.wsgi.responder import Application

_log = Log("tpserver")


class ServerStats(Stats):
    """Those of the engine, with what was answered and with contents on disk."""

    answers: ResponseStats
    spool: SpoolStats


class Server(TLSServer):
    """An HTTP server for a folder, an application, or both. Life and methods are those of `socketserver`.

    Raises `StartError` where the address or the access log cannot be opened, and where a library has replaced
    sockets and threads; `UsageError` for a root that is no folder. `application` is a callable (PEP 3333); where it
    is None, `config.app` names one. `sockets` that listen already are served in place of the address of `config`.
    `page_end` is put behind each page of HTML, of the application and of folders.
    """

    protocol: HTTPProtocol
    reads_contents: bool  # an application reads contents of requests, which are stored
    request_log: type | None = None  # a request handler of wsgiref's whose methods log each request

    def __init__(
        self,
        config: Config | None = None,
        application: Application | None = None,
        *,
        sockets: Sequence[socket.socket] = (),
        page_end: bytes = b"",
    ) -> None:
        written = config or Config()
        self.config = config = written.resolved()  # now: an application may change the folder when it is imported
        self.log_stuck = False  # a log cannot be written to its end: its reader has stopped
        if application is None and config.app is not None:
            application = load_application(config.app, config.app_dir)
        check_application(application)
        check_unpatched()
        self.progress = Progress(self)
        self._patched = False  # by a library, since; that has been logged
        self._coder = BackgroundCoder(quick_coders()) if config.compress == "auto" else None
        self._sites = Sites(config, self._coder, load_application, page_end)
        self._application: Application | None = None
        self._log_file: LogFile | None = None
        self.access_log = self._open_access_log(config.access_log, written.access_log)
        make_protocol: Callable[..., HTTPProtocol] = HTTPProtocol
        if config.trusted_proxy or config.drops_forwarded:
            from tpserver.proxied import ProxiedProtocol  # not without a proxy

            make_protocol = partial(ProxiedProtocol, config)
        protocol = make_protocol(
            Site(None, None),  # until the address is known
            Limits(config.max_head, config.max_fields, config.max_body),
            access_log=self.access_log,
            spool=Spool(config.max_spool),
            arriving=config.stream_body,
            arriving_chunked=config.stream_chunked,
            software=server_value(config.server_header),
            hsts=config.hsts,
        )
        timing = Timing(
            head_timeout=config.head_timeout,
            idle_timeout=config.idle_timeout,
            min_rate=config.min_rate,
            send_timeout=config.send_timeout,
            drain_timeout=config.drain_timeout,
        )
        handler_class = TimedRequestHandler if config.server_timing else HTTPRequestHandler
        try:
            super().__init__(
                (config.host, config.port),
                handler_class if self.request_log is None else logged_by(self.request_log, handler_class),
                protocol,
                threads=config.threads,
                stream_threads=config.threads_beside_streams,
                queue=config.queue,
                queue_timeout=config.queue_timeout,
                in_place=config.in_place == "auto",
                max_connections=config.max_connections,
                max_connections_per_ip=config.max_connections_per_ip,
                max_outbox=config.max_outbox,
                sendfile=not config.no_sendfile,
                slow_request=config.slow_request,
                timing=timing,
                endpoints=config.endpoints if config.bind else (),
                socket_options=config.socket_options,
                backlog=config.backlog,
                sockets=sockets,
                tls=self.make_tls(config),
            )
        except OSError as error:
            if isinstance(error, AddressError):
                raise
            raise AddressError(f"cannot listen on {config.host}:{config.port}: {error.strerror}", error) from error
        protocol.refused = self.refused
        protocol.spool.hangs = partial(self.hanging.refuses, CONTENTS)
        protocol.spool.note_answer = partial(self.hanging.note_answer, CONTENTS)
        self.set_app(application)
        if self._sites.guard is not None:
            for sock in () if config.encrypted else self.sockets:
                self._sites.guard.warn_in_the_clear(endpoint_of(sock).host)
            if self.access_log is not None:
                self.access_log.user_of = self._sites.guard.user_of

    def _build(self) -> None:
        """As in the engine. Says where fewer connections are possible than were asked for."""
        super()._build()
        wanted, possible = self.config.max_connections, self.connections.capacity
        # Of Windows's 500 only who has asked for more is told: there is nothing to be done.
        if possible < wanted and (sys.platform != "win32" or wanted != OPTIONS["max_connections"].default):
            why = shortage(wanted, self.connections.poller.capacity)
            _log.warning("--max-connections reduced from %d to %d: %s", wanted, possible, why)

    def set_app(self, application: Application | None) -> None:
        """The application that answers from now on; None: files only. As wsgiref's `WSGIServer.set_app`.

        Virtual hosts keep what they have.
        """
        check_application(application)
        self.protocol.site, self.reads_contents = self._sites.build(application, self.server_name, self.server_port)
        self._application = application
        if self.config.vhost and self.access_log is not None:
            self.access_log.hosts_port = self.server_port
        # Where no application reads a content, none is stored on disk.
        if self.reads_contents:
            self.protocol.spool.prepare()
        max_body = self.config.max_body if self.reads_contents else min(self.config.max_body, SPOOL)
        self.protocol.limits = self.protocol.limits._replace(max_body=max_body)

    def get_app(self) -> Application | None:
        """The application that answers, but for virtual hosts with one of their own."""
        return self._application

    @property
    def url(self) -> str:
        """The first address, to open in a browser; unix:PATH for a unix socket."""
        return address_of(endpoint_of(self.socket), self.scheme)

    def stats(self) -> ServerStats:
        """The statistics of this moment. Any thread."""
        protocol = self.protocol
        return ServerStats(**super().stats(), answers=protocol.response_counts.stats(), spool=protocol.spool.stats())

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """As in the engine. Raises `StartError` where a library has replaced sockets and threads meanwhile."""
        check_unpatched()
        super().serve_forever(poll_interval)

    def service_actions(self) -> None:
        """The watcher, in each round of checks."""
        super().service_actions()
        self.progress.check()
        if self.access_log is not None:
            self.access_log.ring()
        if not self._patched and (problem := patched()) is not None:
            self._patched = True
            _log.critical("%s", problem)

    def server_close(self) -> None:
        """Closes the listening socket and the access log."""
        super().server_close()
        if self._coder is not None:
            self._coder.close()
        if self.access_log is not None and not self.access_log.close():
            self.log_stuck = True
        elif self._log_file is not None:
            with contextlib.suppress(OSError):  # the access log has said so
                self._log_file.close()

    def _open_access_log(self, where: str, shown: str) -> AccessLog | None:
        if where == "none" or (where == "-" and sys.stdout is None):
            return None
        if where == "-":
            write = LogStream(sys.stdout).write
            return AccessLog((lambda text: write(with_colours(text))) if has_colours(sys.stdout) else write)
        try:
            self._log_file = LogFile(where, shown)
        except (OSError, ValueError) as error:
            raise StartError(f"cannot write the access log {shown}: {getattr(error, 'strerror', error)}") from error
        return AccessLog(self._log_file.write, self._log_file.reopen)

    def reopen_logs(self) -> None:
        """Opens the access log anew under its name, where it is a file. Any thread, and signal handlers."""
        if self.access_log is not None:
            self.access_log.reopen()


def make_server(
    host: str = "127.0.0.1",
    port: int = 8888,
    app: Application | str | None = None,
    server_class: type | None = None,
    handler_class: type | None = None,
    **options: Any,
) -> Server:
    """A bound server, not serving yet: a drop-in for `wsgiref.simple_server.make_server`.

    `options` are the fields of `Config`; the access log is off unless one names it. Nothing of the
    process around it is changed: no signal handler, no switch interval, no logging. `server_class` and
    `handler_class` may be derived from wsgiref's: docs/embedding.md says what of them has a meaning.
    """
    options.setdefault("access_log", "none")
    made_of: type[Server] = server_class_for(server_class, Server)
    if (request_log := request_log_of(handler_class)) is not None:
        made_of = type(made_of.__name__, (made_of,), {"request_log": request_log})
    config, application = parts(app, host=host, port=port, **options)
    if config.supervised:
        raise UsageError("make_server makes one server; --workers, --reload and what replaces processes are for serve")
    return made_of(config, application)


def parts(app: Application | str | None, **options: Any) -> tuple[Config, Application | None]:
    """What to make a `Server` of, of the arguments of `serve` and `make_server`. Raises `UsageError`."""
    try:
        return (Config(app=app, **options), None) if isinstance(app, str) else (Config(**options), app)
    except TypeError as error:
        unknown = sorted(set(options) - set(OPTIONS))
        raise UsageError(f"there is no option {', '.join(unknown)}" if unknown else str(error)) from None
