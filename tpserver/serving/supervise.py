"""The parent of several processes that serve: opens the sockets, and says and logs what concerns all of them."""

from __future__ import annotations

import sys
from typing import Final

from tpserver.config import Config
from tpserver.errors import UsageError
from tpserver.greeting import public_name
from tpserver.logs.log import Log
from tpserver.logs.server_log import log_to_stderr
from tpserver.logs.streams import LogStream, say
from tpserver.reload.events import EventStream
from tpserver.serving.signals import handled, stopped_by_signals
from tpserver.system.clock import clock
from tpserver.system.console_ends import StoppedBy, stopped_by_console
from tpserver.system.process import raise_file_limit
from tpserver.system.processors import processors
from tpserver.system.systemd import Notifier
from tpserver.tls.redirecting import open_all
from tpserver.transport.listening import remove_files, socket_files
from tpserver.workers.parent import Parent, Target
from tpserver.workers.supervisor import Supervisor

_log = Log("tpserver")

# Seconds beyond the time to drain that workers may take to end.
_ENDING: Final = 15


def supervise(config: Config, target: Target, origin: str = "", stopped_by: StoppedBy = stopped_by_console) -> int:
    """Has processes serve, and returns the exit status when all have ended.

    They call `target(pipe, number, config, sockets, events, origin)`; `events` is the port of the event stream of
    `--reload`, or 0. The main thread. Raises `StartError` where the address cannot be opened, and what a
    process tells that cannot start.
    """
    count = 1 if config.reload else config.workers or processors()
    if config.reload and config.workers != 1:
        raise UsageError("--reload is for one process; leave out --workers")
    if config.redirect_http == 0:
        raise UsageError("--redirect-http 0 is for one process; name a port")
    if config.tls is not None:
        from tpserver.tls.self_signed import self_signed_file

        self_signed_file()  # once, or the first workers would each make one
    log = log_to_stderr(config.log_level)
    raise_file_limit()
    sockets = open_all(config)
    files = socket_files(config.endpoints)
    supervisor = Supervisor(
        count,
        hang_timeout=config.hang_timeout,
        drain_timeout=config.drain_timeout,
        drain_first=config.reload,
        most_pause=1.0 if config.reload else 30.0,
    )
    events = EventStream() if config.reload and not any(map(public_name, sockets)) else None

    def hear(number: int, message: tuple[object, ...]) -> None:
        kind, what = message
        if kind == "changed":
            _log.info("%s has changed; starting again", what)
            parent.ask("replace")
        elif kind == "edited" and events is not None:
            events.tell(str(what))

    arguments = (config.__replace__(workers=count), sockets, 0 if events is None else events.port, origin)
    parent = Parent(supervisor, target, arguments, hear)
    service = Service(supervisor, config.drain_timeout)
    parent.turned = service.check

    def committed(number: int) -> None:
        service.tell_ready()
        if events is not None:
            events.serves(number)

    parent.committed = committed

    def close() -> None:
        """Each worker has its own sockets, and closes them when it has taken what waits."""
        remove_files(files)
        for sock in sockets:
            sock.close()

    def stopping() -> None:
        service.tell_stopping()
        close()

    def stop() -> None:
        parent.ask("stop")

    def replace() -> None:
        parent.ask("replace")
        service.tell_reloading()

    asked = {"SIGHUP": replace, "SIGUSR1": lambda: parent.ask("reopen")}

    parent.stopping = stopping
    try:
        with handled(asked), stopped_by_signals(stop), stopped_by(stop):
            parent.run()
    finally:
        close()
        service.close()
        if events is not None:
            events.close()
        if log is not None:
            log.finish()
    say(None if sys.stdout is None else LogStream(sys.stdout), "stopped")
    return 0


class Service:
    """Tells systemd what becomes of all workers. `tell_stopping` and `tell_reloading` are for signal handlers too."""

    def __init__(self, supervisor: Supervisor, drain_timeout: float) -> None:
        self._supervisor = supervisor
        self._notifier = Notifier()
        self._stop_time = int((drain_timeout + _ENDING) * 1e6)
        self._next = 0.0  # sign of life
        self._reloading = False

    def tell_ready(self) -> None:
        """Workers accept."""
        self._notifier.tell("READY=1")

    def tell_stopping(self) -> None:
        """They drain."""
        self._notifier.tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={self._stop_time}")

    def tell_reloading(self) -> None:
        """They are to be replaced; `check` tells when that is done."""
        self._notifier.tell_reloading()
        self._reloading = True

    def close(self) -> None:
        """Tells nothing from now on."""
        self._notifier.close()

    def check(self) -> None:
        """The main thread, several times a second."""
        now = clock.monotonic()
        if self._notifier.interval and now >= self._next:
            self._next = now + self._notifier.interval
            self._notifier.tell("WATCHDOG=1")
        if self._reloading and not self._supervisor.replacing:
            self._reloading = False
            self.tell_ready()
