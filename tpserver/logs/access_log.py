"""The access log: a request costs one append; a thread of its own formats and writes lines in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from tpserver.http.dates import format_date
from tpserver.http.head import Head
from tpserver.logs.log import Log
from tpserver.logs.writing_thread import WritingThread

_log = Log("tpserver")

# Records kept while the log cannot be written; beyond this the oldest are dropped.
_BACKLOG: Final = 100_000
# Lines written in one go.
_BATCH: Final = 1000
# Control characters, which could end a line or move a terminal's cursor, and bytes of an unknown coding are escaped.
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0x100))} | {
    ord('"'): '\\"',
    ord("\\"): "\\\\",
}


class Record(NamedTuple):
    """One answered request. `head` is None where it was malformed.

    `when` is in seconds since the epoch, `length` in bytes of content. `client_address` as the socket has it.
    """

    when: float
    client_address: object
    head: Head | None
    status: int
    length: int


class AccessLog:
    """Passes lines in the combined format to `write`. Any thread may call `append` with a `Record`."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._records: deque[Record] = deque(maxlen=_BACKLOG)
        self.append = self._records.append
        self._failing = False  # the last write failed, which has been logged
        self._thread = WritingThread("tpserver-access-log", self._write_all)

    def ring(self) -> None:
        """Wakes the writing thread where there are records. The watcher calls it once a tick."""
        if self._records:
            self._thread.wake()

    def close(self, timeout: float = 2.0) -> bool:
        """Writes the remaining records within `timeout` seconds; returns whether all are written."""
        return self._thread.finish(timeout)

    def _write_all(self) -> None:
        records = self._records
        while records:  # in batches: records may arrive as fast as they are written
            batch = [records.popleft() for _ in range(min(len(records), _BATCH))]
            try:
                self._write("".join(map(combined, batch)))
                self._failing = False
            except Exception as error:  # noqa: BLE001 - a full disk, a closed pipe, no memory: the log goes on
                if not self._failing:
                    self._failing = True
                    _log.error("cannot write the access log: %s; lines are lost until it can be written", error)


def combined(record: Record) -> str:
    """A line in the Combined Log Format of Apache httpd."""
    head = record.head
    address = record.client_address
    host = address[0] if isinstance(address, tuple) and address else "-"
    if head is None:
        request = referer = agent = "-"
    else:
        request = f"{head.method} {head.target} {head.protocol}".translate(_ESCAPES)
        referer = head.fields.get("HTTP_REFERER", "-").translate(_ESCAPES)
        agent = head.fields.get("HTTP_USER_AGENT", "-").translate(_ESCAPES)
    when = _when(int(record.when))
    return f'{host} - - [{when}] "{request}" {record.status} {record.length or "-"} "{referer}" "{agent}"\n'


@lru_cache(maxsize=1)
def _when(seconds: int) -> str:
    _, day, month, year, time, _ = format_date(seconds).split()
    return f"{day}/{month}/{year}:{time} +0000"
