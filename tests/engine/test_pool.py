"""The threads of a server that lead and run requests: an executor of the standard library's kind."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from tests.client import PATIENCE
from tests.waiting import eventually
from tpserver.engine.pool import Pool

THREADS = 3


class TooLate(BaseException):
    """What a library raises in a thread that has taken too long."""


class Held:
    """Jobs that wait until they are let go."""

    def __init__(self) -> None:
        self.begun: SimpleQueue[threading.Thread] = SimpleQueue()
        self._go_on = threading.Event()

    def __call__(self, *_: object) -> None:
        self.begun.put(threading.current_thread())
        self._go_on.wait(PATIENCE)

    def thread(self) -> threading.Thread:
        """That of the next one that has begun."""
        return self.begun.get(timeout=PATIENCE)

    def go_on(self) -> None:
        self._go_on.set()


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.go_on()


@pytest.fixture
def pool(held: Held) -> Iterator[Pool]:
    pool = Pool(THREADS)
    yield pool
    held.go_on()
    pool.shutdown(wait=True)


# -- as concurrent.futures.Executor


def test_a_result_is_there_when_it_is_asked_for(pool: Pool) -> None:
    assert isinstance(pool, concurrent.futures.Executor)
    assert pool.submit(pow, 2, 10).result(PATIENCE) == 1024
    assert pool.submit(int, "11", base=2).result(PATIENCE) == 3


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_what_a_job_raises_is_raised_where_its_result_is_asked_for(pool: Pool, error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    future = pool.submit(fail)
    assert isinstance(future.exception(PATIENCE), error)
    assert pool.submit(pow, 2, 2).result(PATIENCE) == 4


def test_a_map_has_the_results_in_order(pool: Pool) -> None:
    assert list(pool.map(pow, range(50), [2] * 50, timeout=PATIENCE)) == [number**2 for number in range(50)]


def test_the_module_waits_for_its_futures(pool: Pool) -> None:
    futures = [pool.submit(pow, number, 2) for number in range(20)]
    done, waiting = concurrent.futures.wait(futures, PATIENCE)
    assert (len(done), len(waiting)) == (20, 0)


def test_a_job_that_has_not_begun_can_be_cancelled(pool: Pool, held: Held) -> None:
    for _ in range(THREADS):
        pool.submit(held)
        held.thread()
    ran: list[int] = []
    future = pool.submit(ran.append, 1)
    assert future.cancel()
    held.go_on()
    pool.shutdown()
    assert ran == []


def test_a_pool_that_is_shut_down_finishes_what_it_has_and_takes_nothing_more() -> None:
    with Pool(1) as pool:
        futures = [pool.submit(pow, number, 2) for number in range(10)]
    assert [future.result(0) for future in futures] == [number**2 for number in range(10)]
    with pytest.raises(RuntimeError):
        pool.submit(pow, 2, 2)
    with pytest.raises(RuntimeError):
        pool.run(print, None)


def test_a_pool_that_is_shut_down_may_cancel_what_has_not_begun(held: Held) -> None:
    pool = Pool(1)
    first = pool.submit(held)
    held.thread()
    second = pool.submit(pow, 2, 2)
    pool.shutdown(wait=False, cancel_futures=True)
    held.go_on()
    pool.shutdown(wait=True)
    assert first.result(0) is None
    assert second.cancelled()


# -- threads


def test_there_are_no_more_threads_than_asked_for(pool: Pool, held: Held) -> None:
    futures = [pool.submit(held) for _ in range(3 * THREADS)]
    threads = {held.thread() for _ in range(THREADS)}
    assert len(threads) == THREADS
    assert pool.backlog == 2 * THREADS
    held.go_on()
    concurrent.futures.wait(futures, PATIENCE)
    threads.update(held.thread() for _ in range(2 * THREADS))
    assert len(threads) == THREADS
    assert sorted(thread.name for thread in threads) == ["tpserver-1", "tpserver-2", "tpserver-3"]


def test_threads_do_not_keep_the_process(pool: Pool, held: Held) -> None:
    pool.run(held, None)
    assert held.thread().daemon


def test_a_thread_that_has_nothing_to_do_is_taken_again(pool: Pool) -> None:
    threads = set()
    for _ in range(20):
        threads.add(pool.submit(threading.get_ident).result(PATIENCE))
        eventually(lambda: len(pool._idle) == len(pool._threads), "no thread has become idle")
    assert len(threads) == 1


def test_a_thread_is_started_where_none_is_free(pool: Pool, held: Held) -> None:
    pool.run(held, None)
    first = held.thread()
    assert pool.submit(threading.current_thread).result(PATIENCE) is not first


def test_threads_that_were_started_in_advance_are_taken_first(pool: Pool) -> None:
    pool.start(2)
    before = list(pool._threads)
    assert pool.submit(threading.current_thread).result(PATIENCE) in before
    assert pool._threads == before
    pool.start(2 * THREADS)
    assert len(pool._threads) == THREADS


def test_it_is_known_whether_a_thread_is_free_or_may_be_started(held: Held) -> None:
    with Pool(1) as pool:
        assert pool.available
        pool.run(held, None)
        held.thread()
        assert not pool.available
        held.go_on()
        eventually(lambda: pool.available, "no thread is free")


def test_where_no_thread_can_be_started_the_next_free_one_takes_the_job(
    pool: Pool, held: Held, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    pool.run(held, None)
    thread = held.thread()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(RuntimeError):
        pool.start()
    ran: SimpleQueue[threading.Thread] = SimpleQueue()
    for _ in range(2):
        pool.run(lambda _: ran.put(threading.current_thread()), None)
    assert log.text.count("cannot start a thread (can't start new thread); going on with those that run") == 1
    held.go_on()
    assert [ran.get(timeout=PATIENCE) for _ in range(2)] == [thread, thread]


@pytest.mark.parametrize("error", [TooLate, ValueError, SystemExit])
def test_what_is_raised_from_outside_costs_one_job(pool: Pool, error: type[BaseException]) -> None:
    """Also no thread: the next jobs find all of them."""

    def interrupted(_: object) -> None:
        raise error

    for _ in range(3 * THREADS):
        pool.run(interrupted, None)
    together = threading.Barrier(THREADS)
    futures = [pool.submit(together.wait, PATIENCE) for _ in range(THREADS)]
    concurrent.futures.wait(futures, PATIENCE)
    assert sorted(future.result(0) for future in futures) == list(range(THREADS))


def test_one_that_comes_between_two_jobs_costs_none(pool: Pool) -> None:
    class Jobs(SimpleQueue):  # type: ignore[type-arg]
        left = 2

        def get(self, *given: Any, **more: Any) -> Any:
            if self.left:
                self.left -= 1
                raise TooLate
            return super().get(*given, **more)

    pool._jobs = Jobs()
    assert pool.submit(pow, 2, 2).result(PATIENCE) == 4


def test_a_thread_that_has_died_is_replaced(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception from outside can hit the few instructions that catch such exceptions."""
    work = pool._work
    monkeypatch.setattr(pool, "_work", lambda: None)
    pool.start(THREADS)
    monkeypatch.setattr(pool, "_work", work)
    future = pool.submit(pow, 2, 2)
    eventually(lambda: not any(thread.is_alive() for thread in pool._threads), "a thread is alive")
    pool.start_replacements()
    assert future.result(PATIENCE) == 4


def test_a_thread_that_hangs_is_not_waited_for(held: Held) -> None:
    pool = Pool(2)
    pool.run(held, None)
    thread = held.thread()
    pool.submit(pow, 2, 2).result(PATIENCE)
    pool.shutdown(wait=False)
    pool.join(PATIENCE, {thread.ident or 0})
    assert [one for one in pool._threads if one.is_alive()] == [thread]
    held.go_on()
    pool.join(PATIENCE, ())
    assert not thread.is_alive()
