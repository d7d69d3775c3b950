"""Which kind a request is: learnt from what its route has cost, with a clock that the test moves."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.engine.costs_fakes import Asked, Learning
from tpserver.engine import costs as module
from tpserver.engine.costs import BRIEF, Cost, Kind
from tpserver.engine.measuring import COMPUTING, HAND_OVER, Run


@pytest.fixture
def learning() -> Learning:
    return Learning()


# -- what one run tells


def test_a_run_beside_which_nothing_computed_tells_what_it_waited_and_computed() -> None:
    assert Run(0.010, 0.004, 0.004).verdict() == (pytest.approx(0.006), 0.004)
    assert Run(0.010, 0.004, 0.005).verdict() == (pytest.approx(0.006), 0.004)  # the others: next to nothing


def test_a_run_whose_processor_time_is_more_than_its_time_has_not_waited() -> None:
    assert Run(0.010, 0.011, 0.011).verdict() == (0.0, 0.011)


def test_a_short_run_has_waited_for_the_interpreter_at_most() -> None:
    assert Run(0.0002, 0.0001, 0.0002).verdict() == (0.0, 0.0001)


def test_a_run_that_got_its_share_of_the_interpreter_beside_others_tells_nothing() -> None:
    assert Run(0.004, 0.002, 0.004, at_once=2).verdict() is None


def test_a_long_run_that_got_less_than_a_quarter_of_its_share_has_waited() -> None:
    assert Run(0.1, 0.004, 0.1, at_once=4).verdict() == (0.1, 0.004)
    assert Run(0.1, 0.004, 0.1, at_once=8).verdict() is None


def test_a_run_that_computes_for_long_beside_others_is_known_to_compute() -> None:
    assert Run(0.1, 0.03, 0.1, at_once=3).verdict() == (None, 0.03)


# -- what a route's runs tell together


def test_what_is_unknown_is_quick(learning: Learning) -> None:
    assert learning.kind("/page") is Kind.QUICK
    assert learning.costs.find(Asked("/page")) is None


@pytest.mark.parametrize(
    "cost",
    [
        {"computes": 5e-6},
        {"computes": 2 * HAND_OVER},
        {"computes": 0.7 * COMPUTING},
        {"computes": 20e-6, "waits": 0.8 * HAND_OVER},
        {"computes": 2e-3, "waits": 2e-3 / 10},
    ],
    ids=["nothing", "a little", "computing for a while", "waiting for a moment", "waiting for a part of what it takes"],
)
def test_what_does_not_make_others_wait_stays_in_place(learning: Learning, cost: dict[str, float]) -> None:
    assert set(learning.places("/page", 1000, **cost)) == {"place"}


@pytest.mark.parametrize(
    ("cost", "kind"),
    [
        ({"waits": BRIEF / 2}, Kind.BRIEF),
        ({"waits": 0.0008}, Kind.BRIEF),
        ({"waits": 2 * BRIEF}, Kind.LONG),
        ({"computes": 0.3}, Kind.COMPUTING),
        ({"computes": 3 * COMPUTING, "waits": 3e-3}, Kind.COMPUTING),
        ({"computes": 3 * COMPUTING, "waits": 5e-3}, Kind.BRIEF),
    ],
    ids=["waiting", "waiting less than a tick", "waiting for long", "computing", "a little of both", "both"],
)
def test_what_makes_others_wait_goes_to_the_pool(learning: Learning, cost: dict[str, float], kind: Kind) -> None:
    assert learning.run("/slow", **cost) == "place"
    learning.places("/slow", 19, **cost)
    learning.now = 0.0  # no time for a trial
    assert learning.run("/slow", **cost) == "pool"
    assert learning.kind("/slow") is kind
    assert set(learning.places("/other", 10)) == {"place"}


def test_one_run_in_many_that_waits_does_not_condemn_a_route(learning: Learning) -> None:
    for number in range(2000):
        assert learning.run("/page", waits=0.05 if number % 100 == 70 else 0.0, computes=100e-6) == "place"


def test_a_first_run_that_computes_does_not_make_a_route_slow(learning: Learning) -> None:
    """A first request imports modules and compiles templates."""
    assert learning.run("/page", computes=0.4, waits=0.1) == "place"
    assert set(learning.places("/page", 100, computes=50e-6)) == {"place"}


def test_what_computes_for_long_leaves_after_its_second_run(learning: Learning) -> None:
    assert learning.places("/report", 3, computes=0.3) == ["place", "place", "pool"]


def test_trials_become_rarer_and_do_not_end(learning: Learning) -> None:
    begun = []
    for _ in range(20_000):
        if learning.run("/slow", waits=0.01) == "place":
            begun.append(learning.now)
    gaps = [later - earlier for earlier, later in pairwise(begun[2:]) if later - earlier > 0.05]
    rounded = [round(gap, 1) for gap in gaps]
    assert rounded == sorted(rounded)
    assert gaps[0] < 4 * module._FIRST_TRIAL
    assert gaps[-1] == pytest.approx(module._LONGEST_TRIAL, rel=0.1)
    assert len(begun) < 0.01 * 20_000


@pytest.mark.parametrize("long", [5, 10_000])
def test_what_has_become_quick_comes_back(learning: Learning, long: int) -> None:
    learning.places("/page", long, waits=0.01)
    ran = [learning.run("/page", computes=20e-6, pause=0.01) for _ in range(2000)]
    assert set(ran[-100:]) == {"place"}


def test_what_was_slow_while_others_computed_comes_back(learning: Learning) -> None:
    """Threads that compute at once slow each other: what runs in the pool meanwhile tells nothing new."""
    for _ in range(10):
        learning.costs.learn(Asked("/page"), None, Run(0.05, 0.001, 0.001), learning.now)
    assert learning.kind("/page") is not Kind.QUICK
    for _ in range(100):
        learning.costs.learn(Asked("/page"), None, Run(0.004, 0.002, 0.004, at_once=2), learning.now)
    learning.now += module._FIRST_TRIAL
    assert learning.kind("/page").is_trial
    assert set(learning.places("/page", 50, computes=0.6e-3)) == {"place"}
    assert learning.kind("/page") is Kind.QUICK


def test_a_trial_that_learns_nothing_ends(learning: Learning) -> None:
    learning.places("/page", 10, waits=0.01)
    learning.now += module._LONGEST_TRIAL
    trials = 0
    while learning.kind("/page").is_trial:
        learning.costs.learn(Asked("/page"), None, Run(0.004, 0.002, 0.004, at_once=2), learning.now)
        trials += 1
    assert trials <= module.SPAN


def test_an_unknown_route_leaves_after_a_long_run_that_tells_nothing(learning: Learning) -> None:
    learning.costs.learn(Asked("/page"), None, Run(0.030, 0.004, 0.030, at_once=8), learning.now)
    assert learning.kind("/page") is Kind.LONG


def test_a_trial_whose_long_runs_tell_nothing_fails(learning: Learning) -> None:
    learning.costs.learn(Asked("/page"), None, Run(0.030, 0.004, 0.030, at_once=8), learning.now)
    learning.now += module._FIRST_TRIAL
    while learning.kind("/page").is_trial:
        learning.costs.learn(Asked("/page"), None, Run(0.030, 0.004, 0.030, at_once=8), learning.now)
    assert learning.kind("/page") is Kind.LONG


def test_what_computes_runs_one_at_a_time_also_while_its_trial_goes_on_elsewhere(learning: Learning) -> None:
    learning.places("/report", 20, computes=4 * COMPUTING)
    request = Asked("/report")
    learning.costs.record(request).relieved.add(request)
    assert learning.kind("/report") is Kind.COMPUTING


def test_what_computes_no_longer_comes_back(learning: Learning) -> None:
    learning.places("/report", 10, computes=4 * COMPUTING)
    ran = [learning.run("/report", computes=20e-6, pause=0.01) for _ in range(300)]
    assert set(ran[-100:]) == {"place"}


def test_the_watcher_is_patient_with_what_is_known_to_compute(learning: Learning) -> None:
    learning.places("/page", 50, computes=3e-3)
    cost = learning.costs.find(Asked("/page"))
    assert cost is not None
    assert cost.patience == pytest.approx(6e-3)


def test_the_watcher_is_not_patient_with_what_waits_but_on_trial_for_a_bounded_time(learning: Learning) -> None:
    learning.places("/slow", 50, waits=1.0)
    cost = learning.costs.find(Asked("/slow"))
    assert cost is not None
    assert cost.patience == 2 * COMPUTING
    assert Cost().patience == 0.0


# -- runs that go on in a thread that was relieved


def test_those_that_come_while_an_unknown_slow_one_runs_go_to_the_pool(learning: Learning) -> None:
    request = Asked("/slow")
    cost = learning.costs.record(request)
    cost.relieved.add(request)
    assert learning.kind("/slow") is Kind.LONG
    cost.relieved.discard(request)
    assert learning.kind("/slow") is Kind.QUICK


def test_of_a_route_that_is_known_to_be_quick_all_threads_but_one_may_wait() -> None:
    learning = Learning(threads=3)
    learning.places("/page", 20, computes=1e-3)
    requests = [Asked("/page") for _ in range(2)]
    cost = learning.costs.record(requests[0])
    cost.relieved.add(requests[0])
    assert learning.kind("/page") is Kind.QUICK
    cost.relieved.add(requests[1])
    assert learning.kind("/page") is Kind.BRIEF
    cost.relieved.clear()
    assert learning.kind("/page") is Kind.QUICK
