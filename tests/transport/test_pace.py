"""How fast a transfer must be: the arithmetic of its deadline."""

from __future__ import annotations

import pytest

from tpserver.transport.pace import Timing


@pytest.mark.parametrize(
    ("min_rate", "grace", "stall", "deadline"),
    [(240, 5, 30, 105), (240, 40, 30, 130), (240, 0, 30, 100), (0, 5, 30, 130), (0.5, 5, 30, 105)],
)
def test_the_first_deadline(min_rate, grace, stall, deadline):
    assert Timing(min_rate=min_rate, grace=grace, send_timeout=stall).begin(100) == deadline


@pytest.mark.parametrize(
    ("min_rate", "deadline", "moved", "now", "later"),
    [
        (100, 105, 0, 101, 105),  # nothing moved: nothing is gained
        (100, 105, 100, 101, 106),  # a second for a hundred bytes
        (100, 105, 1, 101, 105.01),
        (100, 105, 1_000_000, 101, 131),  # but no more than the pause that is allowed
        (100, 131, 0, 101, 131),
        (100, 105, 200, 105, 107),
        (0, 105, 0, 101, 131),  # any rate: each event begins the pause anew
        (0, 131, 5, 110, 140),
    ],
)
def test_the_deadline_after_some_bytes(min_rate, deadline, moved, now, later):
    assert Timing(min_rate=min_rate).progress(deadline, moved, now) == later


def lasts(timing, rate, seconds):
    """Whether a transfer at this rate, in one step each second, is allowed to go on for so long."""
    deadline = timing.begin(0)
    for now in range(1, seconds + 1):
        if deadline <= now:
            return False
        deadline = timing.progress(deadline, rate, now)
    return True


@pytest.mark.parametrize(
    ("rate", "seconds", "allowed"),
    [
        (240, 10_000, True),
        (239, 900, True),
        (239, 1000, False),
        (120, 8, True),
        (120, 12, False),
        (0, 4, True),
        (0, 5, False),
    ],
)
def test_a_steady_transfer(rate, seconds, allowed):
    assert lasts(Timing(), rate, seconds) is allowed


def test_one_byte_each_second_ends_soon():
    assert not lasts(Timing(), 1, 6)
