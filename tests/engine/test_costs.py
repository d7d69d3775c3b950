"""Which kind a request is: learnt from what its route has cost, with a clock that the test moves."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from tests.client import PATIENCE
from tpserver.engine import costs as module
from tpserver.engine.costs import BRIEF, COMPUTING, HAND_OVER, Cost, Costs, Kind, Run
from tpserver.engine.protocol import Request

MAX_RECORDS = module._MAX_RECORDS
LONGEST_NAME = module._LONGEST_NAME
IN_PLACE = (Kind.QUICK, Kind.TRIAL, Kind.LONG_TRIAL)
PATIENT = 2 * 1e-3  # seconds after which the watcher has relieved a leader


class Asked(Request):
    """As much of a request as `Costs` looks at. The group is what stands before the question mark."""

    __slots__ = ("group", "name")

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.group = name.partition("?")[0]

    @property
    def route(self) -> str:
        return self.name

    @property
    def route_group(self) -> str:
        return self.group


class Learning:
    """Costs, and requests that run one after the other by them, as the engine does it."""

    def __init__(self, threads: int = 8) -> None:
        self.costs = Costs(threads)
        self.now = 0.0

    def run(self, name: str, *, computes: float = 0.0, waits: float = 0.0, pause: float = 0.0) -> str:
        """One request; where it ran."""
        self.now += pause
        request = Asked(name)
        cost, kind = self.costs.find(request), self.costs.kind(request, self.now)
        elapsed = computes + waits
        measured = cost is not None and cost.elapsed >= HAND_OVER
        if kind not in IN_PLACE:
            measured = True
        elif elapsed >= max(PATIENT, cost.patience if cost is not None else 0.0):
            self.costs.begin_relieved(request)
        self.now += elapsed
        if measured:
            self.costs.learn(request, Run(elapsed, computes, computes), self.now)
        elif elapsed >= HAND_OVER or cost is not None:
            self.costs.note_elapsed(request, cost, elapsed)
        self.costs.end_relieved(request)
        return "place" if kind in IN_PLACE else "pool"

    def places(self, name: str, count: int, **cost: float) -> list[str]:
        return [self.run(name, **cost) for _ in range(count)]

    def kind(self, name: str) -> Kind:
        return self.costs.kind(Asked(name), self.now)


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


def test_a_long_run_that_got_less_than_half_of_its_share_has_waited() -> None:
    assert Run(0.1, 0.004, 0.1, at_once=4).verdict() == (0.1, 0.001)


def test_a_run_that_computes_for_long_beside_others_is_known_to_compute() -> None:
    assert Run(0.1, 0.03, 0.1, at_once=3).verdict() == (0.0, pytest.approx(0.01))


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
        ({"computes": 2 * COMPUTING, "waits": 20e-3}, Kind.COMPUTING),
    ],
    ids=["waiting", "waiting less than a tick", "waiting for long", "computing", "both"],
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
        learning.costs.learn(Asked("/page"), Run(0.05, 0.001, 0.001), learning.now)
    assert learning.kind("/page") is not Kind.QUICK
    for _ in range(100):
        learning.costs.learn(Asked("/page"), Run(0.004, 0.002, 0.004, at_once=2), learning.now)
    learning.now += module._FIRST_TRIAL
    assert learning.kind("/page").is_trial
    assert set(learning.places("/page", 50, computes=0.6e-3)) == {"place"}
    assert learning.kind("/page") is Kind.QUICK


def test_a_trial_that_learns_nothing_ends(learning: Learning) -> None:
    learning.places("/page", 10, waits=0.01)
    learning.now += module._LONGEST_TRIAL
    trials = 0
    while learning.kind("/page").is_trial:
        learning.costs.learn(Asked("/page"), Run(0.004, 0.002, 0.004, at_once=2), learning.now)
        trials += 1
    assert trials <= module._SPAN


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
    learning.costs.begin_relieved(request)
    assert learning.kind("/slow") is Kind.LONG
    learning.costs.end_relieved(request)
    assert learning.kind("/slow") is Kind.QUICK


def test_of_a_route_that_is_known_to_be_quick_all_threads_but_one_may_wait() -> None:
    learning = Learning(threads=3)
    learning.places("/page", 20, computes=1e-3)
    requests = [Asked("/page") for _ in range(2)]
    learning.costs.begin_relieved(requests[0])
    assert learning.kind("/page") is Kind.QUICK
    learning.costs.begin_relieved(requests[1])
    assert learning.kind("/page") is Kind.BRIEF
    for request in requests:
        learning.costs.end_relieved(request)
    assert learning.kind("/page") is Kind.QUICK


def test_a_run_that_begins_or_ends_twice_is_counted_once(learning: Learning) -> None:
    """Its own thread and the watcher may both end it, and one that was interrupted may do it again."""
    request = Asked("/slow")
    for action in (learning.costs.begin_relieved, learning.costs.end_relieved):
        action(request)
        action(request)
    assert [len(cost.relieved) for cost in learning.costs.groups.values()] == [0]


# -- groups


def test_a_slow_page_is_found_out_although_each_of_its_addresses_is_asked_for_once(learning: Learning) -> None:
    ran = [learning.run(f"/report?{number}", waits=2.0) for number in range(1000)]
    assert ran[:2] == ["place", "place"]
    assert ran[2:].count("place") < 0.2 * 998  # each run takes 2 s here, so a trial is due often
    assert learning.costs.routes == {}, "what is like its group is not remembered by itself"


def test_a_slow_address_does_not_take_its_quick_neighbours_along(learning: Learning) -> None:
    for number in range(2000):
        slow = number % 40 == 39
        learning.run("/report?slow" if slow else f"/report?{number}", waits=0.01 * slow, computes=100e-6)
    assert learning.kind("/report?slow") in (Kind.BRIEF, Kind.TRIAL)
    assert {learning.run(f"/report?{number}", computes=100e-6) for number in range(50)} == {"place"}


def test_what_is_quick_among_slow_ones_is_found_out_when_it_has_run(learning: Learning) -> None:
    for number in range(100):
        learning.run(f"/report?{number}", waits=2.0)
    while learning.kind("/report?0").is_trial:
        learning.run("/report?0", waits=2.0)
    assert learning.run("/report?list", computes=20e-6) == "pool"
    assert set(learning.places("/report?list", 1000, computes=20e-6)) == {"place"}
    assert learning.kind("/report?1") is not Kind.QUICK


def test_a_slow_group_tells_nothing_about_others(learning: Learning) -> None:
    for number in range(100):
        learning.run(f"/report?{number}", waits=2.0)
        assert learning.run(f"/user?{number}") == learning.run(f"/page{number}") == "place"
    assert learning.run("/") == "place"


def test_a_group_that_has_become_quick_comes_back(learning: Learning) -> None:
    for number in range(1000):
        learning.run(f"/report?{number}", waits=2.0)
    ran = [learning.run(f"/report?{number}", computes=20e-6, pause=0.1) for number in range(1000, 2000)]
    assert set(ran[-100:]) == {"place"}


# -- what is kept


def test_what_tells_no_more_than_nothing_is_forgotten(learning: Learning) -> None:
    learning.run("/page", computes=0.5)
    assert list(learning.costs.groups) == ["/page"]
    for _ in range(20_000):
        learning.run("/page", computes=20e-6)
    assert (learning.costs.groups, learning.costs.routes) == ({}, {})


def test_a_slow_exception_is_not_forgotten_with_its_quick_group(learning: Learning) -> None:
    learning.run("/page?0", computes=0.5)
    for number in range(200):
        learning.run(f"/page?{number}", computes=100e-6)
    learning.places("/page?slow", 20, waits=0.5)
    for number in range(20_000):
        learning.run(f"/page?{number}", computes=10e-6)
    assert learning.kind("/page?slow") is not Kind.QUICK


def test_routes_that_contradict_their_group_are_bounded_in_number(learning: Learning) -> None:
    learning.places("/page", 20, computes=1e-3)
    for number in range(MAX_RECORDS + 100):
        learning.places("/page", 10, computes=1e-3)
        learning.costs.learn(Asked(f"/page?{number}"), Run(0.05, 0.0, 0.0), 0.0)
    assert len(learning.costs.routes) == MAX_RECORDS
    assert f"/page?{MAX_RECORDS + 99}" in learning.costs.routes


def test_groups_are_bounded_in_number(learning: Learning) -> None:
    for number in range(MAX_RECORDS + 100):
        learning.run(f"/{number}", waits=0.01)
    assert len(learning.costs.groups) == MAX_RECORDS
    assert f"/{MAX_RECORDS + 99}" in learning.costs.groups


def test_a_flood_of_fresh_paths_that_are_quick_does_not_make_a_slow_one_be_learnt_anew(learning: Learning) -> None:
    learning.places("/report", 5, waits=0.01)
    for number in range(3 * MAX_RECORDS):
        learning.run(f"/{number}", computes=HAND_OVER / 2)
    assert learning.run("/report", waits=0.01) == "pool"


def test_a_long_name_has_no_record_of_its_own(learning: Learning) -> None:
    group = "/" + "a" * 2 * LONGEST_NAME
    learning.places(group, 20, waits=0.01)
    assert list(learning.costs.groups) == [group[:LONGEST_NAME]]
    learning.costs.learn(Asked(group + "?quick"), Run(10e-6, 10e-6, 10e-6), learning.now)
    assert learning.costs.routes == {}
    request = Asked(group + "b")
    learning.costs.begin_relieved(request)
    assert [len(cost.relieved) for cost in learning.costs.groups.values()] == [1]
    learning.costs.end_relieved(request)
    assert [len(cost.relieved) for cost in learning.costs.groups.values()] == [0]


def test_a_slow_page_with_a_long_name_goes_to_the_pool(learning: Learning) -> None:
    assert learning.places("/" + "a" * 2 * LONGEST_NAME, 20, waits=0.01)[-1] == "pool"


def test_routes_are_learnt_by_several_threads_at_once_beyond_the_bound() -> None:
    costs = Costs(8)
    faults: list[BaseException] = []

    def learn(start: int) -> None:
        try:
            for number in range(start, start + MAX_RECORDS + 200):
                request = Asked(f"GET /{number}?{number}")
                costs.begin_relieved(request)
                costs.end_relieved(request)
                costs.learn(request, Run(1.0, 0.0, 0.0), 0.0)
                costs.learn(request, Run(1e-6, 1e-6, 1e-6), 0.0)
                costs.note_elapsed(request, costs.find(request), 1.0)
                if number % 50 == 0:
                    costs.stats(0.0)
        except BaseException as fault:  # noqa: BLE001 - to be shown by the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=learn, args=(10_000 * number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert faults == []
    assert len(costs.groups) <= MAX_RECORDS
    assert len(costs.routes) <= MAX_RECORDS


def test_what_was_decided_can_be_seen(learning: Learning) -> None:
    for _ in range(50):
        learning.run("/slow", waits=0.05)
        learning.run("/report", computes=0.3)
        learning.run("/page", computes=100e-6)
    seen = {entry["route"]: entry for entry in learning.costs.stats(learning.now - 10.0)}
    assert seen["/slow"]["place"] == "pool"
    assert seen["/report"]["place"] == "computing"
    assert learning.costs.stats(learning.now)
    assert seen["/report"]["computing"] >= COMPUTING
    assert seen["/slow"]["elapsed"] == pytest.approx(0.05)
    assert seen["/slow"]["runs"] == 50
