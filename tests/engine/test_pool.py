"""The threads of a server: the pool as an executor of the standard library's kind, and the bench of leaders."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from tests.client import PATIENCE
from tests.waiting import eventually
from tpserver.engine.bench import Bench
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


def test_where_no_thread_can_be_started_the_next_free_one_takes_the_job(
    pool: Pool, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.run(held, None)
    thread = held.thread()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    ran: SimpleQueue[threading.Thread] = SimpleQueue()
    with pytest.raises(RuntimeError):
        pool.run(lambda _: ran.put(threading.current_thread()), None)
    held.go_on()
    assert ran.get(timeout=PATIENCE) is thread


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
    for _ in range(THREADS):
        pool.start_missing()
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


# -- the bench


class Leading:
    """What the threads of a bench do: by each term, wait until it is over."""

    def __init__(self, most: int = 2) -> None:
        self.bench = Bench(most, self._work)
        self.begun: SimpleQueue[tuple[int, threading.Thread]] = SimpleQueue()
        self._over: dict[int, threading.Event] = {}
        self.raises: dict[int, type[BaseException]] = {}

    def _work(self, term: int) -> None:
        self.begun.put((term, threading.current_thread()))
        self._over[term].wait(PATIENCE)
        if term in self.raises:
            raise self.raises[term]

    def lead(self, term: int) -> threading.Thread:
        """A thread that leads by this term."""
        self._over[term] = threading.Event()
        self.bench.lead(term)
        begun, thread = self.begun.get(timeout=PATIENCE)
        assert begun == term
        return thread

    def end(self, term: int) -> None:
        self._over[term].set()

    def parked(self, count: int) -> None:
        eventually(lambda: len(self.bench._parked) == count, "it has not come back")


@pytest.fixture
def leading() -> Iterator[Callable[..., Leading]]:
    made: list[Leading] = []

    def make(most: int = 2) -> Leading:
        made.append(Leading(most))
        return made[-1]

    yield make
    for one in made:
        one.bench.close()
        for event in one._over.values():
            event.set()
        one.bench.join(PATIENCE, ())


def test_a_relieved_leader_comes_back_and_leads_again(leading: Callable[..., Leading]) -> None:
    one = leading()
    first = one.lead(1)
    second = one.lead(2)
    assert first is not second
    one.end(1)
    one.parked(1)
    assert one.lead(3) is first
    assert {first.name, second.name} == {"tpserver-leader"}
    assert first.daemon


def test_there_are_no_more_leaders_than_asked_for(leading: Callable[..., Leading]) -> None:
    one = leading(2)
    one.lead(1)
    assert one.bench.available
    one.lead(2)
    assert not one.bench.available
    with pytest.raises(RuntimeError, match="2 threads"):
        one.bench.lead(3)
    one.end(1)
    one.parked(1)
    assert one.bench.available


def test_it_is_known_which_thread_leads_by_which_term(leading: Callable[..., Leading]) -> None:
    one = leading()
    thread = one.lead(1).ident or 0
    assert one.bench.is_at_work(thread, 1)
    assert not one.bench.is_at_work(thread, 2)
    assert not one.bench.is_at_work(0, 0)
    one.end(1)
    one.parked(1)
    assert not one.bench.is_at_work(thread, 1)


@pytest.mark.parametrize("error", [TooLate, SystemExit, ValueError])
def test_a_leader_that_was_interrupted_can_lead_again(
    leading: Callable[..., Leading], error: type[BaseException]
) -> None:
    one = leading()
    one.raises[1] = error
    thread = one.lead(1)
    one.end(1)
    one.parked(1)
    assert one.lead(2) is thread


def test_a_leader_that_has_died_is_not_counted(
    leading: Callable[..., Leading], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception from outside can hit the few instructions that catch such exceptions."""
    one = leading(1)
    with monkeypatch.context() as patched:
        patched.setattr(one.bench, "_run", lambda term: None)
        one.bench.lead(1)
    (thread,) = one.bench._threads
    thread.join(PATIENCE)
    assert one.bench.available
    assert one.lead(2).is_alive()


def test_where_no_leader_can_be_started_none_is_counted(
    leading: Callable[..., Leading], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = leading(1)

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="new thread"):
            one.bench.lead(1)
    assert one.bench.available
    one.lead(2)


def test_closing_ends_those_that_wait_and_the_others_when_they_come_back(leading: Callable[..., Leading]) -> None:
    one = leading()
    parked, leads = one.lead(1), one.lead(2)
    one.end(1)
    one.parked(1)
    one.bench.close()
    parked.join(PATIENCE)
    assert (parked.is_alive(), leads.is_alive()) == (False, True)
    assert not one.bench.wait_for(leads.ident or 0, 0.0)
    one.end(2)
    assert one.bench.wait_for(leads.ident or 0, PATIENCE)
    # It has come back, and so it is on its way out: it may be alive for another moment, and the bench not know it.
    one.bench.join(PATIENCE, ())
    leads.join(PATIENCE)
    assert not leads.is_alive()


def test_a_leader_that_hangs_is_not_waited_for(leading: Callable[..., Leading]) -> None:
    one = leading()
    hangs, other = one.lead(1), one.lead(2)
    one.bench.close()
    one.end(2)
    one.bench.join(PATIENCE, {hangs.ident or 0})
    assert (hangs.is_alive(), other.is_alive()) == (True, False)
