"""The threads of a server: a ThreadPoolExecutor, in which each stay of a thread is known by its turn."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any


class Turn:
    """One stay of a pool thread in the server's work."""

    __slots__ = ("over", "thread")

    def __init__(self) -> None:
        self.thread = 0  # its identity, from when it has begun
        self.over = False  # that thread is elsewhere by now; not told by a future, whose lock may have been left held


class Pool:
    """The threads of one `serve_forever`, up to `threads`; none is made before it is needed."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="tpserver")
        if hasattr(self._executor, "_idle_semaphore"):
            self._executor._idle_semaphore = _Idle()  # type: ignore[assignment]
        self._stopping = False
        self._ended: SimpleQueue[None] = SimpleQueue()  # when it stops: a turn has ended. It has no lock of Python's

    @property
    def size(self) -> int:
        """How many threads there are. A moment's answer."""
        return len(self._executor._threads)

    def submit(self, work: Callable[[Any, Turn], None], argument: Any) -> None:
        """A thread calls `work(argument, turn)`. Any thread. Raises RuntimeError where none can be started.

        Even so the pool keeps what it was given, and a thread that is free takes it.
        """
        self._executor.submit(self._take, work, argument, Turn())

    def wait_for(self, turn: Turn, timeout: float) -> bool:
        """The watcher, when it stops: whether `turn` is over, `timeout` seconds later at most."""
        self._stopping = True
        end = monotonic() + timeout
        while not turn.over:
            try:
                self._ended.get(timeout=max(end - monotonic(), 0.0))
            except Empty:
                return turn.over
        return True

    def shutdown(self, *, wait: bool) -> None:
        """Takes nothing more; with `wait`, until all threads have ended."""
        self._executor.shutdown(wait=wait)

    def _take(self, work: Callable[[Any, Turn], None], argument: Any, turn: Turn) -> None:
        try:
            turn.thread = threading.get_ident()
            work(argument, turn)
        finally:
            try:
                turn.over = True
            finally:  # the first may be interrupted, see `rescue`
                turn.over = True
                if self._stopping:
                    self._ended.put(None)


class _Idle:
    """How many threads of a pool have nothing to do: instead of its own semaphore, which is a Condition.

    A thread that is interrupted when it enters that keeps its lock, and nobody can start anything any more.
    """

    def __init__(self) -> None:
        self._threads: deque[None] = deque()

    def release(self) -> None:
        """A thread of the pool has nothing to do. Any thread."""
        self._threads.append(None)

    def acquire(self, timeout: float | None = None) -> bool:
        """Whether there was one: it is counted no more. Never waits. Any thread."""
        try:
            self._threads.pop()
        except IndexError:
            return False
        return True
