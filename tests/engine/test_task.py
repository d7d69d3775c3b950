"""The registry: a task is in one collection from first to last, and is taken out once."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from tests.client import PATIENCE
from tpserver.engine.costs import Kind
from tpserver.engine.task import Place, Task, Tasks


def task(place: Place = Place.QUEUED, request: Any = None) -> Task:
    connection: Any = SimpleNamespace()
    return Task(request, connection, Kind.LONG, place)


def filled() -> tuple[Tasks, list[Task]]:
    """One in each collection, in the order in which they are told."""
    tasks = Tasks()
    every = [task(Place.POOL), task(Place.RELIEVED), task(), task()]
    tasks.running[every[0]] = None
    tasks.add_detour(every[1])
    tasks.for_leader.append(every[2])
    tasks.for_pool.append(every[3])
    return tasks, every


def test_each_is_told_by_where_it_is() -> None:
    tasks, every = filled()
    assert tasks.everything() == every
    assert tasks.begun() == every[:2]
    assert tasks.queued() == every[2:]
    assert tasks.waiting == 2


def test_what_is_removed_is_the_callers_alone() -> None:
    tasks, every = filled()
    for one in every:
        assert [tasks.remove(one), tasks.remove(one)] == [True, False]
    assert tasks.everything() == []


def test_of_several_threads_that_remove_a_task_one_does() -> None:
    tasks = Tasks()
    every = [task() for _ in range(500)]
    tasks.for_pool.extend(every)
    together = threading.Barrier(4)
    removed: list[Task] = []

    def remove() -> None:
        together.wait(PATIENCE)
        for one in every:
            if tasks.remove(one):
                removed.append(one)

    threads = [threading.Thread(target=remove) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(removed) == len(every)
    assert set(removed) == set(every)


def test_a_task_describes_its_request() -> None:
    assert task(request=SimpleNamespace(describe=lambda: "GET /page")).describe() == "GET /page"
    assert task().describe() == "a file or a content"
