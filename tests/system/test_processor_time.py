"""The processor time of the process and of a thread."""

from __future__ import annotations

import threading
import time

import pytest

from tpserver.system.processor_time import clocks_by_cycles, processor_clocks


def test_a_thread_that_computes_uses_time_and_one_that_waits_does_not() -> None:
    process_time, thread_time = processor_clocks()
    begun, used, used_by_all = time.perf_counter(), thread_time(), process_time()
    while thread_time() - used < 0.05:
        pass
    assert time.perf_counter() - begun >= 0.03  # no thread uses more than there is; and a clock may tick by 15.6 ms
    assert process_time() - used_by_all >= 0.03
    used = thread_time()
    threading.Event().wait(0.2)
    assert thread_time() - used < 0.1


@pytest.mark.parametrize("rate", [1e9, 3.5e9])
def test_cycles_are_told_as_seconds(rate: float) -> None:
    """A thread that always runs: its cycles are those of the clock on the wall."""
    clocks = clocks_by_cycles(*[lambda: int(time.perf_counter() * rate)] * 2)
    assert clocks is not None
    process_time, thread_time = clocks
    assert process_time() == pytest.approx(time.perf_counter(), rel=0.2)
    assert thread_time() == pytest.approx(time.perf_counter(), rel=0.2)


@pytest.mark.parametrize("rate", [0, 1000])
def test_what_counts_no_cycles_is_not_taken_for_a_clock(rate: int) -> None:
    assert clocks_by_cycles(*[lambda: int(time.perf_counter() * rate)] * 2) is None


def test_a_counter_of_the_process_that_stands_still_is_not_taken_for_a_clock() -> None:
    assert clocks_by_cycles(lambda: 7, lambda: int(time.perf_counter() * 1e9)) is None
