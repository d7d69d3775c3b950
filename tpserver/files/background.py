"""Coded variants made while the server runs: one thread compresses, a bounded memory keeps what it has made.

A client waits for none of this. The thread begins with the first job, ends when there is none left,
and works in pieces, for which the interpreter is free for others.
"""

from __future__ import annotations

import copy
import os
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from tpserver.errors import RequestRefused
from tpserver.files.codings import Coder, NoSmaller, coded
from tpserver.files.file import File, Signature, signature
from tpserver.files.folder import Folder
from tpserver.http.conditional import Validators
from tpserver.logs.log import Log
from tpserver.system.clock import clock

_log = Log("tpserver")

# Bytes of coded content kept, counted twice, for they are kept once more behind their heads; and variants known of.
MEMORY: Final = 32 * 1024 * 1024
ENTRIES: Final = 4096
# Files that wait to be compressed; one more is not noted, and asked for again with its next request.
QUEUE: Final = 256
# Bytes compressed in one go, some milliseconds of work.
PIECE: Final = 64 * 1024
# What was used in the last seconds is not thrown out for something else: better one file plain than two by turns.
KEPT: Final = 60.0
# Seconds until something is tried again that found no room, or a file that could not be read.
RETRY: Final = 60.0

_NEVER: Final = float("inf")

# What makes a variant another one: the file's real path and version, the coding, and the lines of the plain one's head.
_Key = tuple[str, Signature, str, bytes]


class Made:
    """What has become of one variant: `file` when there is one, `waiting` when there will be an answer soon."""

    __slots__ = ("cost", "file", "retry_at", "used", "waiting")

    def __init__(self) -> None:
        self.file: File | None = None
        self.waiting = True
        self.retry_at = _NEVER
        self.used = 0.0  # of the monotonic clock
        self.cost = 0


class _Job(NamedTuple):
    key: _Key
    made: Made
    folder: Folder
    plain: File
    coding: str


class BackgroundCoder:
    """Makes and keeps coded variants. `coders` says by coding how, the best one first."""

    def __init__(self, coders: Mapping[str, Callable[[], Coder]]) -> None:
        self._coders = coders
        self.codings = tuple(coders)
        self._made: dict[_Key, Made] = {}
        self._jobs: deque[_Job] = deque()
        self._memory = 0
        self._thread: threading.Thread | None = None
        self._closed = False
        self._full_until = 0.0  # of the monotonic clock: until then all that is kept was used lately
        self._lock = threading.Lock()  # guards all of these; nothing slow is done under it

    def variant(self, folder: Folder, plain: File, coding: str) -> Made | None:
        """What there is of `plain` in `coding`; has it made where it was not yet. None: ask again later. Any thread."""
        key = (plain.real, plain.signature, coding, plain.lines)
        now = clock.monotonic()
        with self._lock:
            made = self._made.get(key)
            if made is not None and (made.waiting or made.file is not None or now < made.retry_at):
                made.used = now
                return made
            if self._closed or len(self._jobs) >= QUEUE or (made is None and not self._make_room(0, 1, now)):
                return None
            made = self._made[key] = Made()
            made.used = now
            self._jobs.append(_Job(key, made, folder, plain, coding))
            if not self._start():
                self._jobs.clear()
                del self._made[key]
                return None
        return made

    def close(self) -> None:
        """Gives up what was not begun, and soon what was; nothing is made any more. Any thread."""
        with self._lock:
            self._closed = True
            self._drop_jobs()

    def _drop_jobs(self) -> None:
        for job in self._jobs:
            self._made.pop(job.key, None)
        self._jobs.clear()

    def _start(self) -> bool:
        """Under the lock: sees to it that the thread runs; whether it does."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tpserver-compress", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no thread is to be had now
                self._thread = None
                return False
        return True

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.popleft()
            file: File | None = None
            retry_at = _NEVER
            try:
                file = self._compress(job)
            except (OSError, RequestRefused):  # it is gone, or has changed, or cannot be read now
                retry_at = clock.monotonic() + RETRY
            except Exception:  # noqa: BLE001 - one file must not end it for the others
                _log.exception("cannot compress %s; it is sent as it is", job.plain.name)
            self._finish(job, file, retry_at)

    def _compress(self, job: _Job) -> File | None:
        """The variant, or None where it would be no smaller. Raises OSError."""
        plain = job.plain
        try:
            content = b"".join(coded(self._pieces(job), self._coders[job.coding](), plain.size))
        except NoSmaller:
            return None
        return coded_file(plain, job.coding, content)

    def _pieces(self, job: _Job) -> Iterator[bytes]:
        """The content of the file as it was when it was asked for. Raises OSError where it is another one now."""
        descriptor, opened = job.folder.open(job.plain)
        with open(descriptor, "rb", buffering=0) as stream:
            left = job.plain.size
            while left and opened is job.plain and not self._closed:
                piece = stream.read(min(left, PIECE))
                if not piece:
                    break
                left -= len(piece)
                yield piece
            # Once more at the end: whoever writes while it is read leaves another signature behind.
            if left or signature(os.fstat(stream.fileno())) != job.plain.signature:
                raise OSError("the file has changed")

    def _finish(self, job: _Job, file: File | None, retry_at: float) -> None:
        made, now = job.made, clock.monotonic()
        with self._lock:
            made.retry_at = retry_at
            if file is not None:
                cost = 2 * file.size
                if self._make_room(cost, 0, now):
                    made.file, made.cost = file, cost
                    self._memory += cost
                else:
                    made.retry_at = now + RETRY
            made.waiting = False

    def _make_room(self, cost: int, entries: int, now: float) -> bool:
        """Under the lock: throws out what was not used for long; whether there is room for so much more now."""
        if self._memory + cost <= MEMORY and len(self._made) + entries <= ENTRIES:
            return True
        if now < self._full_until:
            return False
        for used, key in sorted((made.used, key) for key, made in self._made.items() if not made.waiting):
            if used > now - KEPT:
                self._full_until = used + KEPT
                break
            if self._memory + cost <= MEMORY * 7 // 8 and len(self._made) + entries <= ENTRIES * 7 // 8:
                break  # more than was asked for, so that it need not be sorted for every single one
            made = self._made.pop(key)
            self._memory -= made.cost
            made.file = None  # for those who have kept it
        return self._memory + cost <= MEMORY and len(self._made) + entries <= ENTRIES


def coded_file(plain: File, coding: str, content: bytes) -> File:
    """`plain` as a representation in `coding`.

    Another version of a compressor may make other bytes of the same file, so the entity tag tells the bytes, too.
    """
    file = copy.copy(plain)
    file.coding = coding
    file.content = content
    file.size = len(content)
    tag = f'{plain.validators.etag[:-1]}-{coding}-{zlib.crc32(content):08x}"'
    file.validators = Validators(tag, plain.validators.last_modified)
    file.varies = True
    file.choices = None
    file.write_lines()
    return file
