"""The bench: daemon threads that lead, and those that wait to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from queue import Empty, SimpleQueue

from tpserver.engine.pool import join_all
from tpserver.logs.log import Log
from tpserver.system.clock import clock

_log = Log("tpserver")


class Bench:
    """Threads that lead, and those that wait to. A relieved leader comes back by itself. Any thread may call."""

    def __init__(self, most: int, work: Callable[[int], None]) -> None:
        """`work(term)` leads by that term, and returns when relieved or stopped."""
        self._most = most
        self._work = work
        self._parked: deque[SimpleQueue[int | None]] = deque()  # append and pop are atomic
        self._at_work: dict[int, int] = {}  # of those that are in `work`: identity, and the term that they lead by
        self._threads: set[threading.Thread] = set()
        self._closed = False
        self._ended: SimpleQueue[None] = SimpleQueue()  # when it closes: a thread has come back
        # Guards `_threads`.
        self._lock = threading.Lock()

    @property
    def available(self) -> bool:
        """Whether there is a thread that could lead. A moment's answer."""
        return bool(self._parked) or self._count() < self._most

    def is_at_work(self, thread: int, term: int) -> bool:
        """Whether that thread leads by that term, or was relieved of it and has not come back. A moment's answer."""
        return self._at_work.get(thread) == term

    def lead(self, term: int) -> None:
        """A thread of the bench leads by `term`. Raises RuntimeError where none is free and none can be started."""
        try:
            self._parked.pop().put(term)
            return
        except IndexError:
            pass
        own: SimpleQueue[int | None] = SimpleQueue()
        own.put(term)
        self._start(own)

    def start(self, count: int) -> None:
        """Starts `count` threads that wait to lead. Raises RuntimeError where one cannot be started."""
        for _ in range(count):
            own: SimpleQueue[int | None] = SimpleQueue()
            self._start(own)
            self._parked.append(own)

    def _start(self, own: SimpleQueue[int | None]) -> None:
        with self._lock:
            if self._count() >= self._most:
                raise RuntimeError(f"{self._most} threads have been relieved and have not come back")
            thread = threading.Thread(target=self._run, args=(own,), name="tpserver-leader", daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except BaseException:
                self._threads.discard(thread)
                raise

    def _count(self) -> int:
        """Without those that an exception from outside has ended."""
        return sum(thread.is_alive() for thread in self._threads.copy())

    def close(self) -> None:
        """The watcher: those that wait end; the others end when they come back."""
        self._closed = True
        while self._parked:
            self._parked.pop().put(None)

    def wait_for(self, thread: int, timeout: float) -> bool:
        """The watcher, when it has closed the bench: whether that thread comes back within `timeout` seconds."""
        deadline = clock.monotonic() + timeout
        while thread in self._at_work:
            try:
                self._ended.get(timeout=max(deadline - clock.monotonic(), 0.0))
            except Empty:
                return thread not in self._at_work
        return True

    def join(self, timeout: float, but: Collection[int]) -> None:
        """The watcher: waits until all have ended, for `timeout` seconds at most, `but` for those identities."""
        join_all(self._threads.copy(), timeout, but)

    def _run(self, own: SimpleQueue[int | None]) -> None:
        thread = threading.get_ident()
        following = own.get()
        while following is not None:
            try:
                self._at_work[thread] = following
                self._work(following)
            except BaseException:  # noqa: BLE001 - an exception from outside: what it had is found by the watcher
                _log.debug("an exception was raised in a leader from outside")
            finally:
                self._at_work.pop(thread, None)
                if self._closed:
                    self._ended.put(None)
            following = self._park(own)
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _park(self, own: SimpleQueue[int | None]) -> int | None:
        self._parked.append(own)
        if self._closed:  # the thread that closes may not have seen it
            own.put(None)
        return own.get()
