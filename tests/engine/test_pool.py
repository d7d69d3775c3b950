"""The threads of a server: taken again, known by their turns, and waited for at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.line_server import PATIENCE
from tpserver.engine.pool import Pool, Turn


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(4)
    yield pool
    pool.shutdown(wait=True)


def done_in(pool: Pool) -> Turn:
    """The turn of something that has been done."""
    turns: list[Turn] = []
    ended = threading.Event()

    def work(argument: Any, turn: Turn) -> None:
        turns.append(turn)
        ended.set()

    pool.submit(work, None)
    assert ended.wait(PATIENCE)
    assert pool.wait_for(turns[0], PATIENCE)
    return turns[0]


def test_a_thread_that_has_nothing_to_do_is_taken_again(pool: Pool) -> None:
    idle = threading.Event()
    semaphore = pool._executor._idle_semaphore
    release = semaphore.release
    semaphore.release = lambda: (release(), idle.set())  # type: ignore[method-assign, assignment, return-value]
    threads = set()
    for _ in range(3):
        idle.clear()
        threads.add(done_in(pool).thread)
        assert idle.wait(PATIENCE)
    assert (len(threads), pool.size) == (1, 1)


def test_a_thread_is_made_where_none_is_free(pool: Pool) -> None:
    go_on = threading.Event()
    pool.submit(lambda _, turn: (go_on.wait(PATIENCE), None)[1], None)
    done_in(pool)
    assert pool.size == 2
    go_on.set()


def test_nobody_can_be_interrupted_with_the_lock_of_a_condition(pool: Pool) -> None:
    """Entered, and not left: every other thread of the process would wait for it."""
    assert not isinstance(pool._executor._idle_semaphore, threading.Semaphore)


def test_what_raises_is_over_too(pool: Pool) -> None:
    turns: list[Turn] = []
    ended = threading.Event()

    def work(argument: Any, turn: Turn) -> None:
        turns.append(turn)
        ended.set()
        raise SystemExit

    pool.submit(work, None)
    assert ended.wait(PATIENCE)
    assert pool.wait_for(turns[0], PATIENCE)


def test_who_hangs_is_not_waited_for_for_ever(pool: Pool) -> None:
    go_on, begun = threading.Event(), threading.Event()
    turns: list[Turn] = []

    def work(argument: Any, turn: Turn) -> None:
        turns.append(turn)
        begun.set()
        go_on.wait(PATIENCE)

    pool.submit(work, None)
    assert begun.wait(PATIENCE)
    assert not pool.wait_for(turns[0], 0.0)
    go_on.set()
    assert pool.wait_for(turns[0], PATIENCE)
