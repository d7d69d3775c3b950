"""The access log: a request costs one line of text; a thread of its own writes the lines in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from tpserver.http.head import Head
from tpserver.http.refused import RefusedHead
from tpserver.logs.lines import combined, host_prefix
from tpserver.logs.log import Log
from tpserver.logs.writing_thread import WritingThread

_log = Log("tpserver")

# Lines kept while the log cannot be written; beyond this the oldest are dropped.
_BACKLOG: Final = 100_000
# So many characters of lines that are longer than usual are kept. To count all would take a tenth of a line's time.
_LONG_LINES: Final = 32 * 1024**2
_USUAL: Final = 512
# Lines written in one go: 128 KiB and more would be memory that the system maps anew for each write.
_BATCH: Final = 500
# Seconds between two writes: each takes the interpreter from the requests.
_PAUSE: Final = 0.05


class AccessLog:
    """Passes lines in the combined format to `write`, at least `pause` seconds apart."""

    def __init__(
        self, write: Callable[[str], object], reopen: Callable[[], object] = lambda: None, *, pause: float = _PAUSE
    ) -> None:
        """`reopen` opens the file anew. The thread that writes calls both."""
        self._write = write
        self._reopen = reopen
        self._reopening = False  # asked for, and not yet begun
        self._lines: deque[str] = deque()
        self._long = 0  # characters in long ones; threads that overlap may lose some, until all are written
        self._dropping = False  # since the last time that all were written, which has been logged
        self.hosts_port: int | None = None  # set: each line begins with the host that was asked for, and this port
        self.user_of: Callable[[Head], str] | None = None  # where there are users
        self._failing = False  # a line was lost since the last write, which has been logged
        self._thread = WritingThread("tpserver-access-log", self._write_all, pause)

    def add(
        self,
        when: float,
        client_address: object,
        head: Head | RefusedHead | None,
        status: int,
        length: int,
        elapsed: float = 0.0,
    ) -> None:
        """One answered request, as `combined`. Any thread; never raises."""
        try:
            user_of = self.user_of
            user = user_of(head) if user_of is not None and type(head) is Head and head.secret else "-"
            line = combined(when, client_address, head, status, length, elapsed, user)
            if self.hosts_port is not None:
                line = host_prefix(head, self.hosts_port) + line
            lines = self._lines
            lines.append(line)
            if len(line) > _USUAL or len(lines) > _BACKLOG:
                self._bound(len(line))
        except Exception as error:  # noqa: BLE001 - no memory: the request has been answered and goes on
            self._complain(error)

    def ring(self) -> None:
        """Wakes the writing thread where there are lines. The watcher calls it in each round of checks."""
        if self._lines:
            self._thread.wake()

    def reopen(self) -> None:
        """Has the writing thread open the file anew, for log rotation. Any thread, and signal handlers."""
        self._reopening = True
        self._thread.wake()

    def close(self, timeout: float = 2.0) -> bool:
        """Writes the remaining lines within `timeout` seconds; returns whether all are written."""
        return self._thread.finish(timeout)

    def _bound(self, length: int) -> None:
        """A line of so many characters has been added: drops the oldest ones beyond the bounds."""
        if length > _USUAL:
            self._long += length
        lines = self._lines
        if self._long <= _LONG_LINES and len(lines) <= _BACKLOG:
            return
        try:
            while self._long > _LONG_LINES or len(lines) > _BACKLOG:
                self._forget(lines.popleft())
        except IndexError:  # the writing thread has taken the last
            self._long = 0
        if not self._dropping:
            self._dropping = True
            _log.error("the access log is written too slowly; its oldest lines are dropped")

    def _forget(self, line: str) -> None:
        if len(line) > _USUAL:
            self._long -= len(line)

    def _write_all(self) -> None:
        lines = self._lines
        while lines or self._reopening:  # in batches: lines may arrive as fast as they are written
            if self._reopening:
                self._reopening = False
                self._reopen()
                continue
            try:
                batch = [lines.popleft() for _ in range(min(len(lines), _BATCH))]
                if self._long:
                    for line in batch:
                        self._forget(line)
                self._write("".join(batch))
                self._failing = False
            except Exception as error:  # noqa: BLE001 - a full disk, a closed pipe, no memory: the log goes on
                self._complain(error)
        self._long = 0
        self._dropping = False

    def _complain(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            _log.error("cannot write the access log: %s; lines are lost until it can be written", error)
