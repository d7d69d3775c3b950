"""Variants compressed while the server runs: one thread compresses, a bounded cache keeps the results.

No client waits for it. The thread starts with the first job and ends after the last. It compresses in pieces; while it
does, other threads have the interpreter.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from tpserver.errors import RequestRefused
from tpserver.files.coders import Coder, NoSmaller, coded
from tpserver.files.file import File, Signature, VariantState, signature
from tpserver.files.folder import Folder
from tpserver.http.conditional import Validators
from tpserver.logs.log import Log
from tpserver.system.clock import clock

_log = Log("tpserver")

# Limits of the cache: bytes of coded content (counted twice: alone, and behind its head), and number of variants.
MEMORY: Final = 32 * 1024 * 1024
ENTRIES: Final = 4096
# Files that wait to be compressed; a further one is dropped, and ordered again by its next request.
QUEUE: Final = 256
# Bytes compressed at a time: some milliseconds of work.
PIECE: Final = 64 * 1024
# Seconds since its last use before a variant may be evicted: better one file plain than two in turns.
KEPT: Final = 60.0
# Seconds until a variant that did not fit into the cache, or whose file could not be read, is tried again.
RETRY: Final = 60.0

# A variant is identified by the file's real path and version, the coding, and the lines of the plain file's head.
_Key = tuple[str, Signature, str, bytes]


class _Job(NamedTuple):
    key: _Key
    state: VariantState
    folder: Folder
    plain: File
    coding: str


class BackgroundCoder:
    """Compresses variants and caches them. `coders` maps codings to their compressors, the best coding first."""

    def __init__(self, coders: Mapping[str, Callable[[], Coder]]) -> None:
        self._coders = coders
        self.codings = tuple(coders)
        self._states: dict[_Key, VariantState] = {}  # the last used comes last
        self._jobs: deque[_Job] = deque()
        self._memory = 0  # bytes of content in `_states`
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lock = threading.Lock()  # guards all of these; only quick operations hold it

    def variant(self, folder: Folder, plain: File, coding: str) -> VariantState | None:
        """The state of the variant of `plain` in `coding`; orders it where there is none. Any thread.

        None: it cannot be ordered now; a later request tries again.
        """
        key = (plain.real, plain.signature, coding, plain.lines)
        now = clock.monotonic()
        with self._lock:
            state = self._states.pop(key, None)
            if state is None or not (state.waiting or state.file or now < state.retry_at):
                if self._closed or len(self._jobs) >= QUEUE or not self._make_room(0, 1, now):
                    return None
                state = VariantState(now)
                self._jobs.append(_Job(key, state, folder, plain, coding))
                if not self._start():
                    self._jobs.clear()
                    return None
            state.used = now
            self._states[key] = state
        return state

    def close(self) -> None:
        """Drops the waiting jobs, ends the running one soon, and accepts no more. Any thread."""
        with self._lock:
            self._closed = True
            self._jobs.clear()

    def _start(self) -> bool:
        """Starts the thread where it does not run; returns whether it runs. Called under the lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tpserver-compress", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no thread can be started now
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
            retry_at = float("inf")
            try:
                content = b"".join(coded(self._pieces(job), self._coders[job.coding](), job.plain.size))
                file = coded_file(job.plain, job.coding, content)
            except NoSmaller:
                pass
            except (OSError, RequestRefused):  # removed, changed, or not readable now
                retry_at = clock.monotonic() + RETRY
            except Exception:  # noqa: BLE001 - one file must not end the thread for the others
                _log.exception("cannot compress %s; it is sent uncompressed", job.plain.name)
            self._finish(job.state, file, retry_at)

    def _pieces(self, job: _Job) -> Iterator[bytes]:
        """The content of the version that was requested. Raises OSError where the file has changed since."""
        descriptor, opened = job.folder.open(job.plain)
        with open(descriptor, "rb", buffering=0) as stream:
            left = job.plain.size
            while left and opened is job.plain and not self._closed:
                piece = stream.read(min(left, PIECE))
                if not piece:
                    break
                left -= len(piece)
                yield piece
            # Checked at the end, too: a write while the file is read changes its signature.
            if left or signature(os.fstat(stream.fileno())) != job.plain.signature:
                raise OSError("the file has changed")

    def _finish(self, state: VariantState, file: File | None, retry_at: float) -> None:
        now = clock.monotonic()
        with self._lock:
            if file is not None and self._make_room(2 * file.size, 0, now):
                state.file = file
                self._memory += 2 * file.size
            state.retry_at = retry_at if file is None else now + RETRY
            state.waiting = False

    def _make_room(self, cost: int, entries: int, now: float) -> bool:
        """Evicts the least recently used variants; returns whether `cost` bytes and `entries` more fit now.

        Called under the lock.
        """
        while self._memory + cost > MEMORY or len(self._states) + entries > ENTRIES:
            key, state = next(iter(self._states.items()))
            if state.waiting or state.used > now - KEPT:
                return False
            del self._states[key]
            if state.file is not None:
                self._memory -= 2 * state.file.size
                state.file = None  # an index may still refer to the state
        return True


def coded_file(plain: File, coding: str, content: bytes) -> File:
    """`plain` as a representation in `coding`, with the coded `content`.

    The entity tag includes a check sum: another version of a compressor may produce other bytes.
    """
    tag = f'{plain.validators.etag[:-1]}-{coding}-{zlib.crc32(content):08x}"'
    validators = Validators(tag, plain.validators.last_modified)
    size = len(content)
    return plain.altered(coding=coding, content=content, size=size, validators=validators, varies=True, made=True)
