"""A bounded executor of daemon threads: the pool, which runs requests of the application, and the bench, which leads.

`concurrent.futures.ThreadPoolExecutor` as it is cannot serve: its threads are joined when the
interpreter exits, whatever they do, so a request that hangs would keep the process for ever; and it takes no work
once the main thread has ended, so a server in another thread would answer nothing more. See tests/embedding.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import ParamSpec, TypeVar

from tpserver.logs.log import Log
from tpserver.system.clock import clock

_log = Log("tpserver")

P = ParamSpec("P")
T = TypeVar("T")


class Pool(Executor):
    """Up to `max_workers` daemon threads, started when they are needed. Any thread may call.

    A hand-over is one `SimpleQueue.put`: it makes no future, no condition and no object.
    """

    def __init__(self, max_workers: int, thread_name_prefix: str = "tpserver") -> None:
        self._max_workers = max_workers
        self._prefix = thread_name_prefix
        self._jobs: SimpleQueue[partial[object] | None] = SimpleQueue()  # None: all threads end
        self._idle: deque[None] = deque()  # one for each thread that has nothing to do; append and pop are atomic
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._short = False  # a thread could not be started, which has been logged
        self._lock = threading.Lock()  # guards `_threads` and `_closed`

    def run(self, job: Callable[[T], object], argument: T) -> None:
        """A thread calls `job(argument)`: where none is free and none can be started, the next that is free.

        Raises RuntimeError where the pool is shut down.
        """
        if self._closed:
            raise RuntimeError("the pool has been shut down")
        self._jobs.put(partial(job, argument))
        try:
            self._idle.pop()
        except IndexError:
            self._start_missing()

    def start(self, count: int = 1) -> None:
        """Starts `count` threads that wait for jobs, if there may be so many. Raises RuntimeError where it cannot."""
        for _ in range(count):
            if self._start():
                self._idle.append(None)

    def start_replacements(self) -> None:
        """Starts a thread for what waits, also in place of one that an exception from outside has ended."""
        if self._jobs.qsize():
            with self._lock:
                self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._start_missing()

    @property
    def available(self) -> bool:
        """Whether a thread is free or may be started. A moment's answer."""
        return bool(self._idle) or len(self._threads) < self._max_workers

    @property
    def backlog(self) -> int:
        """How many jobs no thread has taken yet. A moment's answer."""
        return self._jobs.qsize()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As `Executor.submit`."""
        future: Future[T] = Future()

        def job(future: Future[T]) -> None:
            if future.set_running_or_notify_cancel():
                try:
                    result = fn(*args, **kwargs)
                except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                    future.set_exception(error)
                else:
                    future.set_result(result)

        self.run(job, future)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As `Executor.shutdown`. Takes nothing more; with `wait`, until all threads have ended."""
        with self._lock:
            self._closed = True
        if cancel_futures:
            with contextlib.suppress(Empty):
                while isinstance(job := self._jobs.get_nowait(), partial):
                    if isinstance(job.args[0], Future):
                        job.args[0].cancel()
        self._jobs.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def join(self, timeout: float, but: Collection[int]) -> None:
        """Waits until all threads have ended, for `timeout` seconds at most, `but` for those identities."""
        deadline = clock.monotonic() + timeout
        for thread in self._threads:
            if thread.ident not in but:
                thread.join(max(deadline - clock.monotonic(), 0.0))

    def _start_missing(self) -> None:
        try:
            if self._start():
                self._short = False
        except RuntimeError as error:
            if not self._short:
                _log.error("cannot start a thread (%s); going on with those that run", error)
            self._short = True

    def _start(self) -> bool:
        """Starts one more thread, if there may be one more."""
        with self._lock:
            if len(self._threads) >= self._max_workers or self._closed:
                return False
            name = f"{self._prefix}-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
            return True

    def _work(self) -> None:
        """A thread of the pool. An exception that comes from outside costs it one job at most."""
        while True:
            try:
                while (job := self._jobs.get()) is not None:
                    job()
                    job = None  # it holds a request
                    self._idle.append(None)
                self._jobs.put(None)  # for the next one
                return
            except BaseException:  # noqa: BLE001 - came too late for the application; what it had is found by the watcher
                job = None
                _log.exception("internal error in a thread of the pool; it goes on")
