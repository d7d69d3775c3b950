"""One registry: which request is where, since when, and in which thread.

A *task* is a request that is not answered at once: it waits, or runs in a thread that does not lead. (What the leader
runs in place is `Leadership.current`; it becomes a task when the leader is relieved.) Counts, queues, the log of slow
requests, the statistics, lost tasks and the drain are loops over the registry. Nothing else remembers who has what.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Set
from enum import Enum

from tpserver.engine.costs import Cost, Kind
from tpserver.transport.connection import Connection
from tpserver.transport.protocol import Request


class Place(Enum):
    """Where a task is."""

    QUEUED = "queued"
    POOL = "pool"
    RELIEVED = "relieved"  # in a thread that led when it began


class Task:
    """One request, or what a leader was relieved of. Its fields are changed by the thread that has it."""

    __slots__ = (
        "begun", "connection", "cost", "kind", "logged", "over", "place", "place_name", "request", "term", "thread",
    )  # fmt: skip

    def __init__(
        self, request: Request | None, connection: Connection, kind: Kind, place: Place, cost: Cost | None = None
    ) -> None:
        """`request` is None where a leader was relieved while it received or sent something."""
        self.request = request
        self.connection = connection
        self.kind = kind
        self.place = place
        self.cost = cost  # the record by which its kind was found; None: nothing is known, or it is no request
        self.begun = 0.0  # of perf_counter, in seconds: when it was given its thread
        self.thread = 0  # identity of the thread that has it; 0: none has come for it yet
        self.place_name = ""  # of a relieved leader: what it waits for, see `Hanging`
        self.term = 0  # of a relieved leader: the one that it led by
        self.over = False  # that thread is elsewhere by now: what is not released then was lost
        self.logged = False  # as slow

    @property
    def mostly_waits(self) -> bool:
        """Whether its thread hardly needs the interpreter, as far as is known.

        Beside others that compute, its time to wait for the interpreter counts as well. Measured with 8 threads that
        compute for 1 ms and wait for 1 ms: 10 to 35 times as long as they compute.
        """
        return self.cost is not None and self.cost.waiting > 64 * self.cost.computing

    def describe(self) -> str:
        """For the log."""
        return "a file or a content" if self.request is None else self.request.describe()


class Tasks:
    """All tasks of one server. `lock` guards the three collections: a task is in one of them, from first to last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: dict[Task, None] = {}  # of the application: each takes a place among the threads
        self.detours: dict[Task, None] = {}  # leaders that were relieved of something else: these take none
        self.for_leader: deque[Task] = deque()  # quick ones wait here
        self.for_pool: deque[Task] = deque()  # and all others here

    @property
    def waiting(self) -> int:
        """How many wait. Any thread; the answer is a moment's."""
        return len(self.for_leader) + len(self.for_pool)

    def everything(self) -> list[Task]:
        """Any thread: all there are."""
        with self.lock:
            return [*self.running, *self.detours, *self.for_leader, *self.for_pool]

    def begun(self) -> list[Task]:
        """Any thread: those that have a thread, or are on their way to one."""
        with self.lock:
            return [*self.running, *self.detours]

    def queued(self) -> list[Task]:
        """Any thread: those that wait, the leader's first."""
        with self.lock:
            return [*self.for_leader, *self.for_pool]

    def add_detour(self, task: Task) -> None:
        """The watcher."""
        with self.lock:
            self.detours[task] = None

    def put_last(self, tasks: Set[Task]) -> None:
        """The watcher: those of `tasks` that wait go behind the others."""
        if tasks:
            with self.lock:
                for queue in (self.for_leader, self.for_pool):
                    ordered = sorted(queue, key=tasks.__contains__)
                    if ordered != list(queue):
                        queue.extend(ordered)
                        for _ in ordered:  # it is never empty meanwhile, for those who look without the lock
                            queue.popleft()

    def put_back(self, task: Task) -> None:
        """The leader: a quick one that it has taken, and cannot run, is the first again."""
        with self.lock:
            self.for_leader.appendleft(task)

    def remove(self, task: Task) -> bool:
        """Any thread: takes `task` out, which is the caller's then. False: another thread has done so."""
        with self.lock:
            for running in (self.running, self.detours):
                if task in running:
                    del running[task]
                    return True
            for queue in (self.for_leader, self.for_pool):
                if task in queue:
                    queue.remove(task)
                    return True
            return False
