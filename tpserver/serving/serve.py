"""`serve`: in this process, or in others that this one supervises."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tpserver.config import Config
from tpserver.errors import StartError, TpserverError, UsageError
from tpserver.run import parts
from tpserver.serving.ending import leave_worker
from tpserver.serving.process import Process
from tpserver.system.console_ends import StoppedBy, stopped_by_console
from tpserver.wsgi.responder import Application

if TYPE_CHECKING:
    from tpserver.workers.link import Pipe


def serve(app: Application | str | None = None, root: str | os.PathLike[str] | None = None, **options: object) -> None:
    """Serves until Ctrl-C or SIGTERM, then drains, while new clients are refused; a second one does not wait.

    For a program that owns its process. `options` are the fields of `Config`. Without an application and a root it
    serves the current folder. Signals are handled where it is called in the main thread. It returns when the server
    has stopped; requests that never end are left behind in daemon threads. Raises `UsageError` and `StartError`, and
    SystemExit with status 1 where other code has closed the server's sockets, which is logged.
    """
    if root is not None:
        options["root"] = os.fspath(root)
    status = run(*parts(app, **options))
    if status:
        raise SystemExit(status)


def run(
    config: Config,
    application: Application | None = None,
    *,
    origin: str = "",
    stopped_by: StoppedBy = stopped_by_console,
) -> int:
    """As `serve`, for a `Config`; returns the exit status. `origin`: where the address comes from, for the greeting."""
    if config.root is None and config.app is None and application is None and not config.vhost and not config.mount:
        config = config.__replace__(root=".")
    if not config.supervised:
        return Process(config, application, origin=origin, stopped_by=stopped_by).run()
    if application is not None:
        raise UsageError("other processes import the application by its name: serve('module:app', workers=2)")
    from tpserver.serving.supervise import supervise  # imports multiprocessing

    return supervise(config, serve_as_worker, origin, stopped_by)


def serve_as_worker(
    pipe: Pipe, number: int, config: Config, sockets: Sequence[socket.socket], events: int, origin: str
) -> None:
    """The main thread of a process that a parent has started, from its first to its last moment.

    `events` is the port of the event stream of `--reload`; 0: there is none.
    """
    # They import multiprocessing, and the parts of --reload.
    import multiprocessing

    from tpserver.serving.worker import Worker
    from tpserver.workers.link import Link

    link = Link(pipe)
    multiprocessing.set_start_method(None, force=True)  # the application may set its own, as in a process by itself
    if config.reload:
        from tpserver.serving.reloading import ReloadingWorker

        worker: Worker = ReloadingWorker(link, number, config, sockets, origin, events)
    else:
        worker = Worker(link, number, config, sockets, origin)
    try:
        status = worker.run()
    except TpserverError as error:
        status = error.exit_status
        link.tell("failed", str(error), error.cause_text if isinstance(error, StartError) else "", status)
    leave_worker(status)
