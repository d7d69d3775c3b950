"""What wakes the threads of the server that rest."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.console import PATIENCE
from tpserver.system.bell import Bell


def test_a_ring_before_the_wait_is_heard_once_however_often_it_rang() -> None:
    bell = Bell()
    for _ in range(100):
        bell.ring()
    assert bell.wait(PATIENCE)
    assert not bell.wait(0.0)


def test_a_ring_ends_a_wait() -> None:
    bell, waits, heard = Bell(), threading.Event(), []

    def rest() -> None:
        waits.set()
        heard.append(bell.wait(PATIENCE))

    thread = threading.Thread(target=rest)
    thread.start()
    assert waits.wait(PATIENCE)
    bell.ring()
    thread.join(PATIENCE / 2)
    assert heard == [True]


@pytest.mark.parametrize("timeout", [0.0, 1e-9, 1e-6, 1e-5])
def test_a_wait_ends_whose_time_is_over_before_it_has_begun(timeout: float) -> None:
    """The first wait of a `queue.SimpleQueue` may not, before Python 3.13."""
    for _ in range(1000):
        assert not Bell().wait(timeout)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="no signal for oneself")
def test_a_signal_handler_rings_in_the_middle_of_a_wait() -> None:
    bell = Bell()
    before = signal.signal(signal.SIGUSR2, lambda number, frame: bell.ring())
    try:
        main = threading.get_ident()
        sender = threading.Thread(target=lambda: signal.pthread_kill(main, signal.SIGUSR2))
        sender.start()
        assert bell.wait(PATIENCE)
        sender.join()
    finally:
        signal.signal(signal.SIGUSR2, before)
