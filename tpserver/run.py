"""Puts it together: a `Config` becomes folder and application, these a site, and the site a `Server`."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from functools import partial
from typing import Any, TypedDict

from tpserver.application import check_application, check_unpatched, load_application
from tpserver.config import OPTIONS, Config
from tpserver.drop_in import logged_by, request_log_of, server_class_for
from tpserver.ending import end_if_log_is_stuck
from tpserver.engine import server as engine
from tpserver.engine.stats import Stats
from tpserver.errors import AddressError, StartError, UsageError
from tpserver.files.background import BackgroundCoder
from tpserver.files.coders import quick_coders
from tpserver.greeting import greeting, open_browser, start_warnings
from tpserver.handler import HTTPRequestHandler, TimedRequestHandler
from tpserver.http.response import server_value
from tpserver.http.section import Limits
from tpserver.logs.access_log import AccessLog
from tpserver.logs.lines import with_colours
from tpserver.logs.log import Log
from tpserver.logs.server_log import LogWriter, log_to_stderr
from tpserver.logs.streams import LogFile, LogStream
from tpserver.protocol import HTTPProtocol
from tpserver.response_counts import ResponseStats
from tpserver.signals import logs_reopened_by_signals, stopped_by_signals
from tpserver.site.build import Sites
from tpserver.site.site import Site
from tpserver.spool import SPOOL, Spool
from tpserver.system import process
from tpserver.system.console_ends import stopped_by_console
from tpserver.system.monkey_patches import patched
from tpserver.system.network import bind_advice, reachable_at
from tpserver.system.terminal import has_colours
from tpserver.transport.errors import EngineBroken
from tpserver.transport.listener import shortage
from tpserver.transport.pace import Timing
from tpserver.transport.protocol import CONTENTS
from tpserver.wsgi.responder import Application

_log = Log("tpserver")


class SpoolStats(TypedDict):
    """Bytes of contents on disk, and how many there may be."""

    limit: int
    bytes: int


class ServerStats(Stats):
    """Those of the engine, with what was answered and with contents on disk."""

    answers: ResponseStats
    spool: SpoolStats


class Server(engine.Server):
    """An HTTP server for a folder, an application, or both. Life and methods are those of `socketserver`.

    Raises `StartError` where the address or the access log cannot be opened, and where a library has replaced
    sockets and threads; `UsageError` for a root that is no folder. `application` is a callable (PEP 3333); where it
    is None, `config.app` names one.
    """

    protocol: HTTPProtocol
    reads_contents: bool  # an application reads contents of requests, which are stored
    request_log: type | None = None  # a request handler of wsgiref's whose methods log each request

    def __init__(self, config: Config | None = None, application: Application | None = None) -> None:
        self.config = config = config or Config()
        self.log_stuck = False  # a log cannot be written to its end: its reader has stopped
        if application is None and config.app is not None:
            application = load_application(config.app, config.app_dir)
        check_application(application)
        check_unpatched()
        self._patched = False  # by a library, since; that has been logged
        self._coder = BackgroundCoder(quick_coders()) if config.compress == "auto" else None
        self._sites = Sites(config, self._coder, load_application)
        self._application: Application | None = None
        self._log_file: LogFile | None = None
        self.access_log = self._open_access_log(config.access_log)
        protocol = HTTPProtocol(
            Site(None, None),  # until the address is known
            Limits(config.max_head, config.max_fields, config.max_body),
            access_log=self.access_log,
            spool=Spool(config.max_spool),
            arriving=config.stream_body,
            arriving_chunked=config.stream_chunked,
            software=server_value(config.server_header),
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
            )
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            text = f"cannot listen on {config.host}:{config.port}: {reason}{bind_advice(error, config.port)}"
            raise AddressError(text, error) from error
        protocol.refused = self.refused
        protocol.spool.hangs = partial(self.hanging.refuses, CONTENTS)
        protocol.spool.note_answer = partial(self.hanging.note_answer, CONTENTS)
        self.set_app(application)
        if self._sites.guard is not None:
            self._sites.guard.warn_in_the_clear(self.server_name)
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
        """The address to open in a browser."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.server_name, self.server_name)
        return f"http://[{host}]:{self.server_port}/" if ":" in host else f"http://{host}:{self.server_port}/"

    def stats(self) -> ServerStats:
        """The statistics of this moment. Any thread."""
        spool = self.protocol.spool
        return ServerStats(
            **super().stats(),
            answers=self.protocol.response_counts.stats(),
            spool=SpoolStats(limit=spool.limit, bytes=spool.taken),
        )

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """As in the engine. Raises `StartError` where a library has replaced sockets and threads meanwhile."""
        check_unpatched()
        super().serve_forever(poll_interval)

    def service_actions(self) -> None:
        """The watcher, in each round of checks."""
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

    def _open_access_log(self, where: str) -> AccessLog | None:
        if where == "none" or (where == "-" and sys.stdout is None):
            return None
        if where == "-":
            write = LogStream(sys.stdout).write
            return AccessLog((lambda text: write(with_colours(text))) if has_colours(sys.stdout) else write)
        try:
            self._log_file = LogFile(where)
        except (OSError, ValueError) as error:
            raise StartError(f"cannot write the access log {where}: {getattr(error, 'strerror', error)}") from error
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
    return made_of(*_parts(app, host=host, port=port, **options))


def serve(app: Application | str | None = None, root: str | os.PathLike[str] | None = None, **options: Any) -> None:
    """Serves until Ctrl-C or SIGTERM, then drains, while new clients are refused; a second one does not wait.

    For a program that owns its process. `options` are the fields of `Config`. Without an application and a root it
    serves the current folder. Signals are handled where it is called in the main thread. It returns when the server
    has stopped; requests that never end are left behind in daemon threads. Raises `UsageError` and `StartError`, and
    SystemExit with status 1 where other code has closed the server's sockets, which is logged.
    """
    if root is not None:
        options["root"] = os.fspath(root)
    status = run(*_parts(app, **options))
    if status:
        raise SystemExit(status)


def run(config: Config, application: Application | None = None) -> int:
    """As `serve`, for a `Config`; returns the exit status of a process that ends with its server."""
    check_unpatched()  # before there is any thread
    log = log_to_stderr(config.log_level)
    try:
        server, stdout = _run(config, application, log)
    finally:
        stuck = log is not None and not log.finish()
    stuck = stuck or server.log_stuck
    if not stuck:
        _say(stdout, "stopped")
    status = int(server.broken)
    end_if_log_is_stuck(stuck, status)
    return status


def _run(config: Config, application: Application | None, log: LogWriter | None) -> tuple[Server, LogStream | None]:
    """The server, which has stopped, and stdout as it was when the application had been imported."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    process.raise_file_limit()
    process.share_heaps()
    if config.root is None and config.app is None and application is None and not config.vhost and not config.mount:
        config = config.__replace__(root=".")
    made: list[Server] = []  # the server: a signal may come before, while the application is imported

    def reopen_logs() -> None:
        for server in made:
            server.reopen_logs()

    with (
        logs_reopened_by_signals(reopen_logs),
        Server(config, application) as server,
        stopped_by_signals(server.begin_shutdown),
        stopped_by_console(server.begin_shutdown),
    ):
        made.append(server)
        if log is not None:
            log.start()  # now: perhaps no thread can be started when there is something to say
        stdout = None if sys.stdout is None else LogStream(sys.stdout)
        for warning in start_warnings(config, server.get_app(), server.sockets, server.reads_contents):
            _log.warning("%s", warning)
        others = reachable_at(server.server_name)
        _say(stdout, greeting(config, server.get_app(), server.url, others, colours=has_colours(sys.stdout)))
        if config.switch_interval:
            sys.setswitchinterval(config.switch_interval)
            server.switch_interval = config.switch_interval
        if config.open:
            threading.Thread(target=open_browser, args=(server.url,), daemon=True).start()
        server.refuses_when_draining = True  # clients can go elsewhere at once
        with contextlib.suppress(EngineBroken):  # it has been logged
            server.serve_forever()
    return server, stdout


def _say(stdout: LogStream | None, text: str) -> None:
    if stdout is None:
        return
    try:
        stdout.write(text + "\n")
    except (OSError, ValueError):  # its reader has gone, or it was closed; the interpreter must not try again
        if sys.stdout is stdout.stream:
            sys.stdout = None


def _parts(app: Application | str | None, **options: Any) -> tuple[Config, Application | None]:
    """What to make a `Server` of. Raises `UsageError`."""
    try:
        return (Config(app=app, **options), None) if isinstance(app, str) else (Config(**options), app)
    except TypeError as error:
        unknown = sorted(set(options) - set(OPTIONS))
        raise UsageError(f"there is no option {', '.join(unknown)}" if unknown else str(error)) from None
