"""One process of `--reload`: its server, also where the application cannot be started, and what it watches."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Sequence

from tpserver.application import application_folder
from tpserver.config import Config
from tpserver.errors import StartError, TpserverError
from tpserver.reload.broken import BrokenApplication
from tpserver.reload.events import page_end
from tpserver.reload.watched import Changes, Watched, described, files_of
from tpserver.reload.watcher import watch
from tpserver.run import Server
from tpserver.serving.worker import Worker
from tpserver.system.clock import clock
from tpserver.workers.link import Link


class ReloadingWorker(Worker):
    """As a `Worker`; one that has drained is replaced."""

    replaced_first = False

    def __init__(
        self, link: Link, number: int, config: Config, sockets: Sequence[socket.socket], origin: str, events: int
    ) -> None:
        """`events` is the port of the event stream.

        0: others than this machine reach the server, so pages stay as they are, and no error is shown.
        """
        super().__init__(link, number, config, sockets, origin)
        self._events = events
        self._since = 0.0  # of the clock of files, in seconds: what changes from then on starts it again
        self._broken = False
        self._broken_files: list[str] = []

    def make_server(self) -> Server:
        """As `Worker.make_server`; where the application cannot be started, a server that shows why.

        Raises `TpserverError` where the options are wrong at the first start.
        """
        self._since = clock.time()
        # It is found by whole seconds and the size of the file: two quick edits may look the same.
        sys.dont_write_bytecode = True
        _attach_terminal()
        end = page_end(self._events, self.number) if self._events else b""
        try:
            return Server(self.config, sockets=self.sockets, page_end=end)
        except TpserverError as error:
            if self.greets and not isinstance(error, StartError):
                raise
            self._broken, self._broken_files = True, files_of(error)
            return self._broken_server(error, end)

    def _broken_server(self, error: TpserverError, end: bytes) -> Server:
        details = error.cause_text if isinstance(error, StartError) else ""
        if sys.stderr is not None:
            print(f"tpserver: error: {error}\n{details}", file=sys.stderr, end="", flush=True)
        shown = (str(error), details) if self._events else ("The log says why.", "")
        bare = self.resolved.__replace__(app=None, root=None, vhost=(), mount=(), spa=None, error_page=())
        return Server(bare, BrokenApplication(*shown), sockets=self.sockets, page_end=end)

    def begin(self, server: Server) -> None:
        """As `Worker.begin`, and watches files."""
        super().begin(server)
        watch(self._watched, self._tell)

    def _watched(self) -> Watched:
        config = self.resolved
        named = [what for _, what in (*config.vhost, *config.mount)]
        served = [what for what in (config.root, *named) if what is not None and os.path.isdir(what)]
        applications = [what for what in (config.app, *named) if what is not None and what not in served]
        return Watched(
            config.app_dir,
            config.reload_include,
            served,
            folders=[application_folder(what, config.app_dir) for what in applications],
            files=self._broken_files,
            since=self._since,
            all_code=self._broken,
        )

    def _tell(self, changes: Changes) -> None:
        if changes.code:
            self.link.tell("changed", described(changes.code, self.resolved.app_dir))
        else:
            self.link.tell("edited", "css" if all(path.endswith(".css") for path in changes.pages) else "reload")


def _attach_terminal() -> None:
    """For debuggers: `multiprocessing` has closed the standard input. (Where there is no terminal nothing happens.)"""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            sys.stdin = open("CONIN$", encoding="utf-8")  # noqa: SIM115 - as long as the process lives
        else:
            terminal = os.open("/dev/tty", os.O_RDWR)
            os.dup2(terminal, 0)
            os.close(terminal)
            sys.stdin = open(0, closefd=False)  # noqa: SIM115
