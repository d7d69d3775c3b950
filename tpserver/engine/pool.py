"""The pool: a bounded executor of daemon threads, which run requests of the application.

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
from typing import Final, ParamSpec, TypeVar

from tpserver.logs.log import Log
from tpserver.system.clock import clock

_log = Log("tpserver")

P = ParamSpec("P")
T = TypeVar("T")
# Seconds that a server waits for threads which were told to end.
JOIN_TIMEOUT: Final = 2.0


class Pool(Executor):
    """Up to `max_workers` daemon threads, started when they are needed. Any thread may call.

    A hand-over is one `SimpleQueue.put`: it makes no future, no condition and no object.
    """

    def __init__(self, max_workers: int, thread_name_prefix: str = "tpserver") -> None:
        self._max_workers = max_workers
        self._prefix = thread_name_prefix
        self._jobs: SimpleQueue[partial[object] | None] = SimpleQueue()  # None: a thread ends
        self._idle: deque[None] = deque()  # one for each thread that has nothing to do; append and pop are atomic
        self._threads: set[threading.Thread] = set()
        self._started = 0
        self._closed = False
        # Guards `_threads`, `_started` and `_closed`.
        self._lock = threading.Lock()

    def run(self, job: Callable[[T], object], argument: T) -> None:
        """A thread calls `job(argument)`. Raises RuntimeError where none can be started, and where it is shut down.

        Where none can be started the pool keeps what it was given, and the next free thread takes it.
        """
        if self._closed:
            raise RuntimeError("the pool has been shut down")
        self._jobs.put(partial(job, argument))
        try:
            self._idle.pop()
        except IndexError:
            self.start_missing()

    def start_missing(self) -> None:
        """Starts one more thread, if there may be one more. Raises RuntimeError where it cannot be started."""
        with self._lock:
            if self._started >= self._max_workers or self._closed:
                return
            self._started += 1
            thread = threading.Thread(target=self._work, name=f"{self._prefix}-{self._started}", daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except BaseException:
                self._started -= 1
                self._threads.discard(thread)
                raise

    def start_all(self) -> None:
        """Starts all threads now. Raises RuntimeError where one cannot be started."""
        while self._started < self._max_workers:
            self.start_missing()

    @property
    def backlog(self) -> int:
        """How many jobs no thread has taken yet. A moment's answer."""
        return self._jobs.qsize()

    def start_replacements(self) -> None:
        """Starts a thread for what waits, also in place of one that an exception from outside has ended.

        Raises RuntimeError where none can be started.
        """
        if self._jobs.qsize():
            with self._lock:
                self._threads = {thread for thread in self._threads if thread.is_alive()}
                self._started = len(self._threads)
            self.start_missing()

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
            threads = list(self._threads)
        if cancel_futures:
            with contextlib.suppress(Empty):
                while isinstance(job := self._jobs.get_nowait(), partial):
                    if isinstance(job.args[0], Future):
                        job.args[0].cancel()
        for _ in threads:
            self._jobs.put(None)
        if wait:
            for thread in threads:
                thread.join()

    def join(self, timeout: float, but: Collection[int]) -> None:
        """Waits until all threads have ended, for `timeout` seconds at most, `but` for those identities."""
        with self._lock:
            threads = list(self._threads)
        join_all(threads, timeout, but)

    def _work(self) -> None:
        """A thread of the pool. An exception that comes from outside costs it one job at most."""
        ended = False
        while not ended:
            try:
                self._run_jobs()
                ended = True
            except BaseException:  # noqa: BLE001 - meant for the application, but it came too late
                _log.debug("an exception came to a thread of the pool between two requests")
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _run_jobs(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException:  # noqa: BLE001 - the job's own fault, or as above; what it had is found by the watcher
                _log.exception("internal error in a thread of the pool; it goes on")
            del job
            self._idle.append(None)


def join_all(threads: Collection[threading.Thread], timeout: float, but: Collection[int]) -> None:
    """Waits until all threads have ended, for `timeout` seconds at most, `but` for those identities."""
    deadline = clock.monotonic() + timeout
    for thread in threads:
        if thread.ident is not None and thread.ident not in but and thread is not threading.current_thread():
            thread.join(max(deadline - clock.monotonic(), 0.0))
