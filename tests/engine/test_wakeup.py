"""Waking the thread that polls, from any other."""

from __future__ import annotations

import select
import threading

import pytest

from tpserver.engine.wakeup import WakeUp


@pytest.fixture
def wakeup():
    wakeup = WakeUp()
    yield wakeup
    wakeup.close()


def rung(wakeup, timeout=0.0):
    return bool(select.select([wakeup.fd], [], [], timeout)[0])


def test_quiet_until_rung_and_again_after_silence(wakeup):
    assert not rung(wakeup)
    for _ in range(3):
        wakeup.ring()
        assert rung(wakeup, 20)
        wakeup.silence()
        assert not rung(wakeup)


def test_many_rings_are_silenced_at_once(wakeup):
    for _ in range(100_000):  # more than a socket holds
        wakeup.ring()
    assert rung(wakeup, 20)
    wakeup.silence()
    assert not rung(wakeup)


def test_silence_without_a_ring_is_harmless(wakeup):
    wakeup.silence()
    assert not rung(wakeup)


def test_many_threads_ring_and_none_is_missed(wakeup):
    asked = [0] * 8
    seen = [0] * 8

    def ask(which):
        for _ in range(2000):
            asked[which] += 1
            wakeup.ring()

    threads = [threading.Thread(target=ask, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    while sum(seen) < 8 * 2000:
        assert rung(wakeup, 20), "a ring was lost"
        wakeup.silence()
        seen = list(asked)
    for thread in threads:
        thread.join()


def test_a_ring_after_the_end_is_harmless():
    wakeup = WakeUp()
    wakeup.close()
    wakeup.ring()
    wakeup.ring()


def test_a_ring_that_cannot_be_sent_is_harmless(wakeup):
    wakeup._sending.close()
    wakeup.ring()
