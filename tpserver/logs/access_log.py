"""The access log: a request costs one line of text; a thread of its own writes the lines in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from tpserver.http.dates import format_date
from tpserver.http.head import Head
from tpserver.logs.log import Log
from tpserver.logs.writing_thread import WritingThread

_log = Log("tpserver")

# Lines kept while the log cannot be written; beyond this the oldest are dropped.
_BACKLOG: Final = 100_000
# Lines written in one go: 128 KiB and more would be memory that the system maps anew for each write.
_BATCH: Final = 500
# Seconds between two writes: each takes the interpreter from the requests.
_PAUSE: Final = 0.05
# Control characters, which could end a line or move a terminal's cursor, and bytes of an unknown coding are escaped.
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0x100))} | {
    ord('"'): '\\"',
    ord("\\"): "\\\\",
}
# Bytes that need no escape.
_PLAIN: Final = bytes(code for code in range(0x80) if code not in _ESCAPES)


class AccessLog:
    """Passes lines in the combined format to `write`, at least `pause` seconds apart."""

    def __init__(self, write: Callable[[str], object], *, pause: float = _PAUSE) -> None:
        self._write = write
        self._lines: deque[str] = deque(maxlen=_BACKLOG)
        self.user_of: Callable[[Head], str] | None = None  # where there are users
        self._failing = False  # a line was lost since the last write, which has been logged
        self._thread = WritingThread("tpserver-access-log", self._write_all, pause)

    def add(self, when: float, client_address: object, head: Head | None, status: int, length: int) -> None:
        """One answered request, as `combined`. Any thread; never raises."""
        try:
            user = "-" if self.user_of is None or head is None or not head.secret else self.user_of(head)
            self._lines.append(combined(when, client_address, head, status, length, user))
        except Exception as error:  # noqa: BLE001 - no memory: the request has been answered and goes on
            self._complain(error)

    def ring(self) -> None:
        """Wakes the writing thread where there are lines. The watcher calls it in each round of checks."""
        if self._lines:
            self._thread.wake()

    def close(self, timeout: float = 2.0) -> bool:
        """Writes the remaining lines within `timeout` seconds; returns whether all are written."""
        return self._thread.finish(timeout)

    def _write_all(self) -> None:
        lines = self._lines
        while lines:  # in batches: lines may arrive as fast as they are written
            try:
                self._write("".join([lines.popleft() for _ in range(min(len(lines), _BATCH))]))
                self._failing = False
            except Exception as error:  # noqa: BLE001 - a full disk, a closed pipe, no memory: the log goes on
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            _log.error("cannot write the access log: %s; lines are lost until it can be written", error)


def combined(when: float, client_address: object, head: Head | None, status: int, length: int, user: str = "-") -> str:
    """A line in the Combined Log Format of Apache httpd.

    `when` is in seconds since the epoch, `length` in bytes of content. `client_address` as the socket has it. `head`
    is None where it was malformed.
    """
    host = client_address[0] if isinstance(client_address, tuple) and client_address else "-"
    if head is None:
        request = referer = agent = "-"
    else:
        request = f"{head.route} {head.protocol}"
        referer = head.fields.get("HTTP_REFERER", "-")
        agent = head.fields.get("HTTP_USER_AGENT", "-")
    # Nearly all are plain. To see that of the three at once takes a fifteenth of the time that escaping them takes.
    values = f"{request}{referer}{agent}"
    if not values.isascii() or values.encode().translate(None, _PLAIN):  # what is left is not plain
        request, referer, agent = (text.translate(_ESCAPES) for text in (request, referer, agent))
    if user != "-":
        user = user.translate(_ESCAPES).replace(" ", "\\x20")
    return f'{host} - {user} [{_when(int(when))}] "{request}" {status} {length or "-"} "{referer}" "{agent}"\n'


@lru_cache(maxsize=1)
def _when(seconds: int) -> str:
    _, day, month, year, time, _ = format_date(seconds).split()
    return f"{day}/{month}/{year}:{time} +0000"
