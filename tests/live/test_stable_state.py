"""One stable state: whatever stalls an application, its quick requests run in place again right after."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest

from tests.client import PATIENCE, Client, request
from tests.running import Running, Start

CLIENTS = 64
SLOW_START = 1.0  # seconds
STALL = 0.3  # seconds
WINDOW = 400  # answers: less than a server gives in a second
MOST_WINDOWS = 25
PATIENT = 3 * PATIENCE


class Page:
    """Its first requests take long; then it does a fixed amount of work: 0.6 ms. One request may stall all others."""

    def __init__(self) -> None:
        self._never = threading.Event()
        self._started = monotonic()
        self._lock = threading.Lock()
        self.stall_once = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        left = self._started + SLOW_START - monotonic()
        if left > 0:
            self._never.wait(left)
        with self._lock:
            if self.stall_once:
                self.stall_once = False
                self._never.wait(STALL)
        total = 0
        for number in range(12_000):  # a loop, not a generator: to measure coverage would make it four times as long
            total += number * number
        start_response("200 OK", [("Content-Length", "4")])
        return [b"page"]


@contextmanager
def asking(running: Running) -> Iterator[None]:
    """All clients ask, each as soon as it has its answer."""
    enough = threading.Event()

    def ask() -> None:
        with Client(running) as client:
            while not enough.is_set():
                client.send(request("/page"))
                assert client.response().status == 200

    threads = [threading.Thread(target=ask, name="client") for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join(PATIENCE)


def window(running: Running) -> float:
    """The share of the next so many requests that the pool ran."""
    before = running.server.stats()["requests"]
    end = monotonic() + PATIENT
    pause = threading.Event()
    while True:
        now = running.server.stats()["requests"]
        handled = now["handled"] - before["handled"]
        if handled >= WINDOW:
            return (now["in_pool"] - before["in_pool"]) / handled
        assert monotonic() < end, "it answers too few requests"
        pause.wait(0.005)


def is_in_place_again(running: Running) -> bool:
    """Whether two windows in a row come in which the pool ran next to nothing.

    A machine that is busy stalls a window now and then; under the old rule the share of the pool stays near 1.
    """
    shares = [1.0, 1.0]
    while len(shares) < MOST_WINDOWS and max(shares[-2:]) > 0.05:
        shares.append(window(running))
    return max(shares[-2:]) <= 0.05


@pytest.mark.timeout(180)
def test_requests_run_in_place_again_after_a_slow_start_and_after_a_stall(start: Start) -> None:
    page = Page()
    running = start(page)
    with asking(running):
        assert is_in_place_again(running)
        page.stall_once = True
        window(running)
        assert not page.stall_once
        assert is_in_place_again(running)
