"""One stable state: whatever stalls an application, its quick requests run in place again right after."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.client import PATIENCE, Client, request
from tests.console import Console, tpserver

CLIENTS = 64
WINDOW = 400  # answers: less than a server gives in a second
MOST_WINDOWS = 40
PATIENT = 3 * PATIENCE

# Its first requests take long; then it does a fixed amount of work: 0.6 ms. A request for /stall stalls all others.
# The content is the name of the thread that runs the request. A loop, not a generator: to measure coverage would make
# it four times as long.
PAGE = """
import threading
import time

began = time.monotonic()
never = threading.Event()
lock = threading.Lock()

def app(environ, start_response):
    left = began + 2.0 - time.monotonic()
    if left > 0:
        never.wait(left)
    with lock:
        if environ["PATH_INFO"] == "/stall":
            never.wait(0.3)
    total = 0
    for number in range(12_000):
        total += number * number
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [threading.current_thread().name.encode()]
"""


class Answers:
    """How many requests the leader and the pool have answered so far. Client threads count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.in_pool = 0
        self.all = 0
        self.came = threading.Condition(self._lock)

    def count(self, thread: str) -> None:
        with self.came:
            self.all += 1
            self.in_pool += not thread.startswith("tpserver-leader-")
            self.came.notify_all()

    def window(self) -> float:
        """The share of the next so many answers that the pool gave."""
        end = monotonic() + PATIENT
        with self.came:
            before, in_pool = self.all, self.in_pool
            while self.all < before + WINDOW:
                assert self.came.wait(end - monotonic()), "it answers too few requests"
            return (self.in_pool - in_pool) / (self.all - before)


@contextmanager
def asking(console: Console) -> Iterator[Answers]:
    """All clients ask, each as soon as it has its answer."""
    assert console.url  # read from its output before the threads ask for it
    answers, enough = Answers(), threading.Event()

    def ask() -> None:
        with Client(console) as client:
            while not enough.is_set():
                client.send(request("/page"))
                response = client.response()
                assert response.status == 200
                answers.count(response.content.decode())

    threads = [threading.Thread(target=ask, name="client") for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        enough.set()
        for thread in threads:
            thread.join(PATIENCE)


def is_in_place_again(answers: Answers) -> bool:
    """Whether two windows in a row come in which the pool ran next to nothing.

    A machine that is busy stalls a window now and then; under the old rule the share of the pool stays near 1.
    """
    shares = [1.0, 1.0]
    while len(shares) < MOST_WINDOWS and max(shares[-2:]) > 0.05:
        shares.append(answers.window())
    return max(shares[-2:]) <= 0.05


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_requests_run_in_place_again_after_a_slow_start_and_after_a_stall(
    tmp_path: Path, thread_clock_tick: float
) -> None:
    if thread_clock_tick > 1e-3:
        pytest.skip(f"the clock of a thread ticks every {thread_clock_tick:.3f} s here: what computes seems to wait")
    (tmp_path / "page.py").write_text(PAGE, "utf-8")
    with (
        tpserver("--access-log", "none", "--queue", "100", "page:app", cwd=tmp_path) as console,
        asking(console) as answers,
    ):
        assert is_in_place_again(answers)
        with Client(console) as client:
            assert client.ask("/stall").status == 200
        assert is_in_place_again(answers)
