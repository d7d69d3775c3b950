"""What is told while a server lives: signs of life to systemd, and what the drain waits for, to it and to the log."""

from __future__ import annotations

from typing import Final

from tpserver.engine.life import Life
from tpserver.engine.server import Server
from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.system.systemd import Notifier

_log = Log("tpserver")

# Seconds between two lines while it drains.
_BETWEEN: Final = 1.0
# Seconds that systemd is asked to wait for the end, from each message on.
_EXTENSION: Final = 10


class Progress:
    """Of one server. Only the watcher calls."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.notifier: Notifier | None = None  # of a server that owns its process, which signals stop
        self._life = Life.NEW
        self._next = 0.0  # when to tell something
        self._end = 0.0  # of the drain
        self._asked = False  # the leader is to give a sign of life, and has not yet

    def check(self) -> None:
        """In each round of checks, and at the end."""
        server, now = self._server, clock.monotonic()
        if server.life is not self._life:
            self._life, self._asked = server.life, False
            if self._life is Life.DRAINING:
                self._next, self._end = now + _BETWEEN, now + server.timing.drain_timeout
            if self._life >= Life.DRAINING:
                self._tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={_EXTENSION}000000")
        if now < self._next:
            return
        if self._life is Life.DRAINING:
            self._next = now + _BETWEEN
            if awaited := self._awaited():
                text = f"stopping: waiting for {awaited}, {max(self._end - now, 0):.0f} s at most"
                _log.info("%s%s", text, "" if self.notifier is None else "; a second signal ends at once")
                self._tell(f"STATUS={text}", f"EXTEND_TIMEOUT_USEC={_EXTENSION}000000")
        elif self._life is Life.SERVING and self.notifier is not None and self.notifier.interval and not self._asked:
            self._next = now + self.notifier.interval
            self._asked = True
            server.connections.mailbox.post(self._tell_alive, now)

    def _tell_alive(self, now: float) -> None:
        """The leader, by post: who polls can say so."""
        self._asked = False
        self._tell("WATCHDOG=1")

    def _awaited(self) -> str:
        tasks = self._server.tasks
        counts = ((len(tasks.everything()), "request"), (self._server.connections.awaited, "connection"))
        return " and ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts if count)

    def _tell(self, *assignments: str) -> None:
        if self.notifier is not None:
            self.notifier.tell(*assignments)
