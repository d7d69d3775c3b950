"""The rule by which a soak is judged, on series made up for it."""

from __future__ import annotations

import random

import pytest

from benchmarks.trials.flat import LEAST, RULES, WARM_UP, Rule, judge

RULE = Rule(tolerance=0.05, slack=2.0)
LENGTH = 400


def noisy(values: list[float], much: float, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [value + chance.gauss(0, much) for value in values]


def ramp(start: float, end: float) -> list[float]:
    return [start + (end - start) * number / (LENGTH - 1) for number in range(LENGTH)]


WARMING = [50 + number * 0.5 for number in range(LENGTH // 4)]  # to 100, while the caches fill

FLAT = {
    "constant": [100.0] * LENGTH,
    "nothing at all": [0.0] * LENGTH,
    "noise": noisy([100.0] * LENGTH, 20.0),
    "grows while it warms up, and no more": WARMING + [100.0] * (LENGTH - len(WARMING)),
    "a peak that passes": [100.0] * 300 + [10_000.0] * 20 + [100.0] * 80,
    "a peak at the very end": [100.0] * 390 + [10_000.0] * 10,
    "falls": ramp(200.0, 50.0),
    "a little more, within the tolerance": ramp(100.0, 104.0),
    "a small one that grows by less than the slack": ramp(3.0, 5.0),
    "up and down": [100.0 + 10 * (number % 20) for number in range(LENGTH)],
}
GROWING = {
    "a leak": ramp(100.0, 200.0),
    "a slow leak": ramp(100.0, 112.0),
    "a leak in noise": noisy(ramp(100.0, 130.0), 10.0),
    "a step that stays": [100.0] * 250 + [120.0] * 150,
    "from nothing": ramp(0.0, 100.0),
    "a leak that begins late": [100.0] * 200 + [100.0 + number for number in range(200)],
    "a saw whose teeth rise": [value + 30 * (number % 10) for number, value in enumerate(ramp(100.0, 400.0))],
}


@pytest.mark.parametrize("name", FLAT)
def test_flat(name: str) -> None:
    verdict = judge(FLAT[name], RULE)
    assert verdict.flat, str(verdict)
    assert str(verdict).startswith("flat: ")


@pytest.mark.parametrize("name", GROWING)
def test_growing(name: str) -> None:
    verdict = judge(GROWING[name], RULE)
    assert not verdict.flat, str(verdict)
    assert str(verdict).startswith("GROWS: ")


def test_too_short_a_series_is_no_pass() -> None:
    enough = int(3 * LEAST / (1 - WARM_UP))
    assert judge([1.0] * enough, RULE).flat
    assert not judge([1.0] * (enough - 4), RULE).flat
    assert str(judge([], RULE)) == "too short: 0 values"


@pytest.mark.parametrize(("name", "leak", "rest"), [("memory", 40.0, 30.0), ("descriptors", 50.0, 20.0)])
def test_the_rules_in_use_see_a_leak(name: str, leak: float, rest: float) -> None:
    assert not judge(ramp(rest, leak), RULES[name]).flat
    assert judge(ramp(rest, rest * 1.03), RULES[name]).flat


def test_two_threads_more_are_a_leak_and_one_is_none() -> None:
    assert judge([10.0] * 200 + [11.0] * 200, RULES["threads"]).flat
    assert not judge([10.0] * 200 + [12.0] * 200, RULES["threads"]).flat
