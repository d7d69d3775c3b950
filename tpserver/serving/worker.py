"""One of several processes that serve: when its server begins, drains, and wants to be replaced."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Sequence

from tpserver.config import Config
from tpserver.engine.task import Task
from tpserver.logs.streams import LogStream
from tpserver.run import Server
from tpserver.serving.process import Process
from tpserver.system.memory import resident_memory
from tpserver.workers.link import Link


class Worker(Process):
    """Of one process. `number` says which it is; the first one says for all of them where they serve."""

    replaced_first = True  # by another process, which accepts before this one drains

    def __init__(
        self, link: Link, number: int, config: Config, sockets: Sequence[socket.socket], origin: str = ""
    ) -> None:
        super().__init__(config, origin=origin)
        LogStream.shared = True
        self.link = link
        self.number = number
        self.sockets = sockets
        self.greets = number == 0
        self._handed_in = any(endpoint.descriptor is not None for endpoint in config.endpoints)
        self._max_requests = config.max_requests
        if config.max_requests:
            self._max_requests += random.randint(0, config.max_requests_jitter)
        self._max_rss = config.max_rss
        self._running: list[Task] = []  # at the last look

    def prepare(self, stack: contextlib.ExitStack) -> None:
        """Nothing: signals and systemd are the parent's."""

    def make_server(self) -> Server:
        """As `Process.make_server`, at the parent's sockets."""
        return Server(self.config, sockets=self.sockets)

    def catch_stops(self, stack: contextlib.ExitStack, server: Server) -> None:
        """Nothing: the parent tells."""

    def serve(self, server: Server) -> None:
        """Waits until all workers are ready, and serves until told to drain."""
        link = self.link
        server.balances = self.replaced_first
        link.reopen = self.reopen_logs
        link.hangs = lambda: self._hangs(server)
        link.retires = lambda: self._retires(server)

        def end(refuses: bool) -> None:
            server.refuses_when_draining = refuses
            if refuses:  # no other process takes what waits, unless the sockets are systemd's
                server.shares_sockets = self._handed_in
            # Other processes go on, or come next: clients that are about to send a request find their connection open.
            server.spares_idle = self.replaced_first and (self._handed_in or not refuses)
            server.begin_shutdown()

        if link.commit():
            self.begin(server)
            link.serve(end)
            server.serve_forever()

    def begin(self, server: Server) -> None:
        """All workers are ready: this one accepts from now on."""
        if self.greets:
            self.greet(server)

    def say_end(self) -> bool:
        """Nothing: the parent says it."""
        return True

    def _hangs(self, server: Server) -> bool:
        """Whether requests wait, and those that run are the same as at the last look."""
        before, self._running = self._running, list(server.tasks.running)
        return bool(server.tasks.waiting and self._running == before)

    def _retires(self, server: Server) -> str:
        if self._max_requests and server.handled >= self._max_requests:
            return f"{server.handled} request{'' if server.handled == 1 else 's'}"
        if self._max_rss and (used := resident_memory()) > self._max_rss:
            return f"{used // 1024**2} MiB of memory"
        return ""
