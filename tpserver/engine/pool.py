"""The threads of a server: a bounded executor for requests, and a bench of leaders.

All are daemon threads. `concurrent.futures.ThreadPoolExecutor` as it is cannot serve: its threads are joined when the
interpreter exits, whatever they do, so a request that hangs would keep the process for ever; and it takes no work
once the main thread has ended, so a server in another thread would answer nothing more. See tests/embedding.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import Any, Final, ParamSpec, TypeVar

from tpserver.logs.log import Log
from tpserver.system.clock import clock

_log = Log("tpserver")

P = ParamSpec("P")
T = TypeVar("T")
# Seconds that a server waits for threads which were told to end.
JOIN_TIMEOUT: Final = 2.0

Job = tuple[Callable[[Any], object], Any]


class Pool(Executor):
    """Up to `max_workers` daemon threads, started when they are needed. Any thread may call.

    A hand-over is one `SimpleQueue.put`: it makes no future, no condition and no object.
    """

    def __init__(self, max_workers: int, thread_name_prefix: str = "tpserver") -> None:
        self._max_workers = max_workers
        self._prefix = thread_name_prefix
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()  # None: a thread ends
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
        self._jobs.put((job, argument))
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

    @property
    def idle(self) -> int:
        """How many threads have nothing to do. A moment's answer."""
        return len(self._idle)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As `Executor.submit`."""
        future: Future[T] = Future()

        def job(_: None) -> None:
            if future.set_running_or_notify_cancel():
                try:
                    result = fn(*args, **kwargs)
                except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                    future.set_exception(error)
                else:
                    future.set_result(result)

        self.run(job, None)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As `Executor.shutdown`. Takes nothing more; with `wait`, until all threads have ended."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        if cancel_futures:
            while not self._jobs.empty():
                self._jobs.get()
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
                job[0](job[1])
            except BaseException:  # noqa: BLE001 - the job's own fault, or as above; what it had is found by the watcher
                _log.exception("internal error in a thread of the pool; it goes on")
            del job
            self._idle.append(None)


class Bench:
    """Threads that lead, and those that wait to. A relieved leader comes back by itself. Any thread may call."""

    def __init__(self, most: int, work: Callable[[int], None]) -> None:
        """`work(term)` leads by that term, and returns when relieved or stopped."""
        self._most = most
        self._work = work
        self._parked: deque[SimpleQueue[int | None]] = deque()  # append and pop are atomic
        self._at_work: dict[int, None] = {}  # identities of those that are in `work`
        self._threads: set[threading.Thread] = set()
        self._closed = False
        self._ended: SimpleQueue[None] = SimpleQueue()  # when it closes: a thread has come back
        # Guards `_threads`.
        self._lock = threading.Lock()

    @property
    def available(self) -> bool:
        """Whether there is a thread that could lead. A moment's answer."""
        return bool(self._parked) or len(self._threads) < self._most

    def is_at_work(self, thread: int) -> bool:
        """Whether the thread of that identity leads, or has been relieved and not come back. A moment's answer."""
        return thread in self._at_work

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
            if len(self._threads) >= self._most:
                raise RuntimeError(f"{self._most} threads have been relieved and have not come back")
            thread = threading.Thread(target=self._live, args=(own,), name="tpserver-leader", daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except BaseException:
                self._threads.discard(thread)
                raise

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
                self._at_work[thread] = None
                self._work(following)
            except BaseException:  # noqa: BLE001 - an exception from outside: what it had is found by the watcher
                _log.debug("an exception was raised in a leader from outside")
            finally:
                self._at_work.pop(thread, None)
                if self._closed:
                    self._ended.put(None)
            following = self._park(own)

    def _live(self, own: SimpleQueue[int | None]) -> None:
        """A thread of the bench: one that an exception from outside hits between two terms ends, and counts no more."""
        try:
            self._run(own)
        except BaseException:  # noqa: BLE001 - as said; the watcher finds out where it was to lead
            _log.debug("an exception was raised from outside in a thread that waits to lead")
        finally:
            with contextlib.suppress(ValueError):
                self._parked.remove(own)
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _park(self, own: SimpleQueue[int | None]) -> int | None:
        self._parked.append(own)
        if self._closed:  # whoever closes may not have seen it
            own.put(None)
        return own.get()


def join_all(threads: Collection[threading.Thread], timeout: float, but: Collection[int]) -> None:
    """Waits until all threads have ended, for `timeout` seconds at most, `but` for those identities."""
    deadline = clock.monotonic() + timeout
    for thread in threads:
        if thread.ident not in but and thread is not threading.current_thread():
            thread.join(max(deadline - clock.monotonic(), 0.0))
