"""Which kind a request is: learnt from what its route has cost, with a clock that the test moves."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.engine.costs_fakes import Asked, Learning
from tpserver.engine import costs as module
from tpserver.engine import measuring
from tpserver.engine.costs import BRIEF, Cost, Costs, Kind
from tpserver.engine.measuring import COMPUTING, HAND_OVER, Meter, Run, Verdict
from tpserver.system.thread_usage import ThreadUsage


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


def test_a_trial_decides_after_sixteen_runs_whatever_was_known_before() -> None:
    cost = Cost()
    for _ in range(50):
        cost.learn(0.01, Verdict(0.01, 0.0), 0.0)
    came_back = []
    for _ in range(module.SPAN // 4):
        came_back.append(cost.quick)
        cost.learn(1e-4, Verdict(0.0, 1e-4), cost.trial_at)
    assert came_back == [False] * (module.SPAN // 4)
    assert cost.quick


def test_a_short_run_in_the_pool_that_tells_nothing_does_not_bring_a_route_back() -> None:
    """After a trial in which nothing told anything either."""
    cost = Cost()
    while cost._trial_every == module._FIRST_TRIAL:
        cost.learn(0.03, None, cost.trial_at)
    cost.learn(0.004, None, cost.trial_at - 0.01)
    assert not cost.quick


def test_after_a_trial_that_succeeds_the_next_one_comes_as_soon_as_the_first() -> None:
    cost = Cost()
    while cost._trial_every < module._LONGEST_TRIAL:  # they fail
        cost.learn(0.01, Verdict(0.01, 0.0), cost.trial_at)
    now = cost.trial_at
    for _ in range(module.SPAN // 4):
        cost.learn(1e-4, Verdict(0.0, 1e-4), now)
    assert cost.quick
    while cost.quick:
        cost.learn(0.01, Verdict(0.01, 0.0), now)
    assert cost.trial_at == pytest.approx(now + module._FIRST_TRIAL)


@pytest.mark.parametrize("before", [0.01, 1.0])
def test_a_trial_of_short_runs_that_tell_nothing_succeeds_whatever_was_before(
    learning: Learning, before: float
) -> None:
    learning.places("/page", 100, waits=before)
    learning.now += module._LONGEST_TRIAL
    trials = 0
    while learning.kind("/page").is_trial:
        run = Run(0.004, 0.002, 0.004, at_once=2)
        learning.costs.learn(Asked("/page"), None, run, learning.now)
        trials += 1
    assert trials == module.SPAN // 4
    assert learning.kind("/page") is Kind.QUICK


def test_an_unknown_route_leaves_after_a_long_run_that_tells_nothing(learning: Learning) -> None:
    learning.costs.learn(Asked("/page"), None, Run(0.030, 0.004, 0.030, at_once=8), learning.now)
    assert learning.kind("/page") is Kind.LONG


def test_a_trial_whose_long_runs_tell_nothing_fails(learning: Learning) -> None:
    learning.costs.learn(Asked("/page"), None, Run(0.030, 0.004, 0.030, at_once=8), learning.now)
    learning.now += module._FIRST_TRIAL
    while learning.kind("/page").is_trial:
        run = Run(0.030, 0.004, 0.030, at_once=8)
        learning.costs.learn(Asked("/page"), None, run, learning.now)
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


# -- a run is measured


def test_a_meter_counts_itself_among_those_that_run_where_it_is_not_there() -> None:
    assert Meter(["another"]).end(is_counted=False).at_once == 2
    assert Meter(["another", "itself"]).end(is_counted=True).at_once == 2


@pytest.mark.parametrize(("waits", "waited"), [((3, 3), False), ((3, 4), True), ((-1, -1), True)])
def test_a_meter_tells_whether_the_thread_gave_the_processor_away(
    monkeypatch: pytest.MonkeyPatch, waits: tuple[int, int], waited: bool
) -> None:
    looks = iter(waits)
    monkeypatch.setattr(measuring, "thread_usage", lambda: ThreadUsage(0.0, next(looks)))
    assert Meter([]).end(is_counted=False).waited is waited


def test_what_is_known_of_waits_is_a_mean_of_the_runs_that_tell_of_them() -> None:
    cost = Cost()
    cost.learn(0.05, Verdict(None, COMPUTING), 0.0)
    cost.learn(0.05, Verdict(0.04, COMPUTING), 0.0)
    assert cost.waiting == pytest.approx(0.04)


def test_without_trials_what_computes_stays_what_it_is() -> None:
    """As with --in-place never: nothing is tried in place, and one computes at a time."""
    costs = Costs(8, trials=False)
    request = Asked("/report")
    for _ in range(20):
        costs.learn(request, None, Run(0.02, 0.02, 0.02), 0.0)
    assert costs.kind(request, costs.find(request), 1e6) is Kind.COMPUTING
