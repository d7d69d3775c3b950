"""The access log: a request costs one append; a thread of its own formats and writes lines in batches.

A full disk or a pipe without a reader blocks only that thread.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from typing import Final, NamedTuple

from tpserver.http.head import Head
from tpserver.logs.log import Log
from tpserver.logs.streams import Lines

_log = Log("tpserver")

# Records kept while the log cannot be written; beyond this the oldest are dropped.
_BACKLOG: Final = 100_000
# Lines written in one go.
_BATCH: Final = 1000
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
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
    """Writes lines in the combined format to `stream`. Any thread may call `append` with a `Record`."""

    def __init__(self, stream: Lines) -> None:
        self._stream = stream
        self._records: deque[Record] = deque(maxlen=_BACKLOG)
        self.append = self._records.append
        self._wake = threading.Event()
        self._ended = False
        self._exiting = False  # the interpreter exits: no thread may write any more
        self._failing = False  # the last write failed, which has been logged
        self._thread: threading.Thread | None = None
        # A daemon thread that is in a write when the interpreter ends keeps the lock of the stream for ever.
        atexit.register(self._end_at_exit)

    def ring(self) -> None:
        """Wakes the writing thread where there are records. The watcher calls it once a tick."""
        if self._records and not self._wake.is_set():
            if self._exiting:
                return
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="tpserver-access-log", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # no thread can be started now; the next tick tries again
                    self._thread = None
                    return
            self._wake.set()

    def close(self, timeout: float = 2.0) -> bool:
        """Writes the remaining records within `timeout` seconds; returns whether all are written.

        The stream stays open.
        """
        atexit.unregister(self._end_at_exit)
        self._ended = True
        self._wake.set()
        thread, done = self._thread, True
        if thread is not None:
            thread.join(timeout)
            done = not thread.is_alive()
            self._thread = None
        else:
            self._write()
        self._ended = False
        return done

    def _end_at_exit(self) -> None:
        self._exiting = True
        self.close()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            self._write()
            if (self._ended and not self._records) or self._thread is not threading.current_thread():
                return  # closed, or `close` has stopped waiting for this thread

    def _write(self) -> None:
        records = self._records
        while records:  # in batches: records may arrive as fast as they are written
            self._write_batch([records.popleft() for _ in range(min(len(records), _BATCH))])

    def _write_batch(self, records: list[Record]) -> None:
        try:
            self._stream.write("".join(map(combined, records)))
            self._stream.flush()
            self._failing = False
        except Exception as error:  # noqa: BLE001 - a full disk, a closed pipe or stream, no memory: the log goes on
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
    return (
        f'{host} - - [{_when(record.when)}] "{request}" {record.status} {record.length or "-"} "{referer}" "{agent}"\n'
    )


def _when(seconds: float) -> str:
    year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    return f"{day:02}/{_MONTHS[month - 1]}/{year}:{hour:02}:{minute:02}:{second:02} +0000"
