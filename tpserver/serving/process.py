"""A process that serves: its settings, its signals, its logs, what it says, and its exit status."""

from __future__ import annotations

import contextlib
import sys

from tpserver.application import check_unpatched
from tpserver.config import Config
from tpserver.greeting import addresses_of, greeting, open_browser, reachable_addresses, start_warnings
from tpserver.logs.log import Log
from tpserver.logs.server_log import log_to_stderr
from tpserver.logs.streams import LogStream, say
from tpserver.run import Server
from tpserver.serving.ending import end_if_log_is_stuck, say_last
from tpserver.serving.signals import logs_reopened_by_signals, stopped_by_signals
from tpserver.system.console_ends import StoppedBy, stopped_by_console
from tpserver.system.process import escape_stdout, raise_file_limit, share_heaps
from tpserver.system.systemd import Notifier
from tpserver.system.terminal import has_colours
from tpserver.transport.errors import EngineBroken
from tpserver.wsgi.responder import Application

_log = Log("tpserver")


class Process:
    """As it is by itself. A `Worker`, which has a parent, does some steps otherwise."""

    def __init__(
        self,
        config: Config,
        application: Application | None = None,
        *,
        origin: str = "",
        stopped_by: StoppedBy = stopped_by_console,
    ) -> None:
        """`origin`: where the address comes from, for the greeting. `stopped_by`: what ends it besides signals."""
        self.config = config
        self.resolved = config.resolved()  # now: the application may change the current folder
        self._application = application
        self._origin = origin
        self._stopped_by = stopped_by
        self._server: Server | None = None  # a signal may come before, while the application is imported
        self._stdout: LogStream | None = None  # as it is when the application has been imported
        self._notifier: Notifier | None = None

    def run(self) -> int:
        """Serves, and returns the exit status that the process ends with. Raises `TpserverError`.

        Signals are handled where the main thread calls it.
        """
        check_unpatched()  # before there is any thread
        log = log_to_stderr(self.config.log_level)
        try:
            escape_stdout()
            raise_file_limit()
            share_heaps()
            with contextlib.ExitStack() as stack:
                self.prepare(stack)
                server = self._server = stack.enter_context(self.make_server())
                self.catch_stops(stack, server)
                if log is not None:
                    log.start()  # now: perhaps no thread can be started when there is something to say
                self._stdout = None if sys.stdout is None else LogStream(sys.stdout)
                if self.config.switch_interval:
                    sys.setswitchinterval(self.config.switch_interval)
                    server.switch_interval = self.config.switch_interval
                with contextlib.suppress(EngineBroken):  # it has been logged
                    self.serve(server)
        finally:
            stuck = log is not None and not log.finish()
        stuck = stuck or server.log_stuck or not self.say_end()
        status = int(server.broken)
        end_if_log_is_stuck(stuck, status)
        return status

    # -- the steps, in order

    def prepare(self, stack: contextlib.ExitStack) -> None:
        """What comes before the application is imported, and is undone at the end."""
        self._notifier = Notifier()
        stack.callback(self._notifier.close)
        stack.enter_context(logs_reopened_by_signals(self.reopen_logs))

    def make_server(self) -> Server:
        """Imports the application, and binds. Raises `TpserverError`."""
        return Server(self.config, self._application)

    def catch_stops(self, stack: contextlib.ExitStack, server: Server) -> None:
        """From here on a signal makes the server drain."""
        stack.enter_context(stopped_by_signals(server.begin_shutdown))
        stack.enter_context(self._stopped_by(server.begin_shutdown))

    def serve(self, server: Server) -> None:
        """Until it is told to stop, and has drained."""
        notifier = self._notifier
        assert notifier is not None
        server.progress.notifier = notifier
        addresses = self.greet(server)
        server.refuses_when_draining = True  # clients can go elsewhere at once
        # Sockets that it was given are served by another process next: clients that are about to send a request find
        # their connection open.
        server.spares_idle = server.shares_sockets
        notifier.tell("READY=1", f"STATUS=serving at {', '.join(addresses)}")
        server.serve_forever()

    def say_end(self) -> bool:
        """The last line. Returns whether stdout has taken it."""
        return say_last(self._stdout, "stopped")

    # -- what several steps need

    def reopen_logs(self) -> None:
        """A signal: the files of logs are opened anew, and those of certificates read."""
        if self._server is None:
            return
        if self._notifier is not None:
            self._notifier.tell_reloading()
        self._server.reopen_logs()
        self._server.reload_certificates()
        if self._notifier is not None:
            self._notifier.tell("READY=1")

    def greet(self, server: Server) -> list[str]:
        """Says where the server is, and what of its surroundings will hurt it; the addresses."""
        config = self.config.__replace__(root=self.resolved.root)
        warnings = start_warnings(
            config,
            server.get_app(),
            server.served_sockets,
            reads_contents=server.reads_contents,
            contents_folder=server.protocol.spool.folder,
        )
        for warning in warnings:
            _log.warning("%s", warning)
        sockets, scheme = server.served_sockets, server.scheme
        addresses, others = addresses_of(sockets, scheme), reachable_addresses(sockets, scheme)
        colours = has_colours(sys.stdout)
        say(self._stdout, greeting(config, server.get_app(), addresses, others, self._origin, colours=colours))
        if config.open:
            open_browser(addresses)
        return addresses
