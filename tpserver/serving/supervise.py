"""The parent of several processes that serve: opens the sockets, and has its workers use them."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys

from tpserver.config import Config
from tpserver.errors import UsageError
from tpserver.greeting import addresses_of, public_name
from tpserver.logs.log import Log
from tpserver.logs.server_log import log_to_stderr
from tpserver.logs.streams import LogStream
from tpserver.reload.events import EventStream
from tpserver.serving.ending import end_if_log_is_stuck, say_last
from tpserver.serving.reports import Reports
from tpserver.serving.signals import handled, stopped_by_signals, unless_hung_up
from tpserver.system.console_ends import StoppedBy, stopped_by_console
from tpserver.system.process import raise_file_limit
from tpserver.system.processors import processors
from tpserver.tls.redirecting import open_all
from tpserver.transport.listening import endpoint_of, remove_files, socket_files
from tpserver.workers.parent import UNGUARDED, Parent, Target
from tpserver.workers.supervisor import Supervisor

_log = Log("tpserver")


def supervise(config: Config, target: Target, origin: str = "", stopped_by: StoppedBy = stopped_by_console) -> int:
    """Has processes serve, and returns the exit status when all have ended.

    They call `target(pipe, number, config, sockets, events, origin)`; `events` is the port of the event stream of
    `--reload`, or 0. `stopped_by` is entered when the first one serves. The main thread. Raises `StartError` where the
    address cannot be opened, and what a process tells that cannot start.
    """
    _check(config)
    count = 1 if config.reload else config.workers or processors()
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
            _log.info("%s; starting again", what)
            parent.ask("replace")
        elif kind == "edited" and events is not None:
            events.tell(str(what))

    arguments = (config.__replace__(workers=count), sockets, 0 if events is None else events.port, origin)
    parent = Parent(supervisor, target, arguments, hear)
    served = [sock for sock in sockets if endpoint_of(sock).port != config.redirect_http]
    addresses = addresses_of(served, "https" if config.encrypted else "http")
    reports = Reports(supervisor, parent.describe, addresses, config.drain_timeout)
    parent.turned = reports.check

    def committed(number: int) -> None:
        while not_entered:
            stack.enter_context(not_entered.pop())
        if events is not None:
            events.serves(number)

    parent.committed = committed

    def close() -> None:
        """Each worker has its own sockets, and closes them when it has taken what waits."""
        remove_files(files)
        for sock in sockets:
            sock.close()

    def stopping() -> None:
        reports.tell_stopping()
        close()

    parent.stopping = stopping

    def stop() -> None:
        parent.ask("stop")

    not_entered = [stopped_by(stop)]  # as for one process: it may be told to stop when it serves
    replace = unless_hung_up(lambda: parent.ask("replace"))
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(handled({"SIGHUP": replace, "SIGUSR1": lambda: parent.ask("reopen")}))
            stack.enter_context(stopped_by_signals(stop))
            parent.run()
    finally:
        close()
        reports.close()
        if events is not None:
            events.close()
        stuck = log is not None and not log.finish()
    stuck = stuck or not say_last(None if sys.stdout is None else LogStream(sys.stdout), "stopped")
    end_if_log_is_stuck(stuck)
    return 0


def _check(config: Config) -> None:
    """Raises `UsageError` where the options are not for several processes."""
    if hasattr(multiprocessing.current_process(), "_inheriting"):  # a worker that imports its main module
        sys.exit(UNGUARDED)
    if config.reload and config.workers != 1:
        raise UsageError("--reload is for one process; leave out --workers")
    if config.redirect_http == 0:
        raise UsageError("--redirect-http 0 is for one process; name a port")
    if config.tls is not None:
        from tpserver.tls.self_signed import self_signed_file

        self_signed_file()  # once, or the first workers would each make one
