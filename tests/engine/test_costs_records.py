"""Whose costs are recorded: of groups of routes and of single routes, bounded in number."""

from __future__ import annotations

import threading

import pytest

from tests.client import PATIENCE
from tests.engine.costs_fakes import Asked, Learning
from tpserver.engine import costs as module
from tpserver.engine.costs import Costs, Kind
from tpserver.engine.measuring import COMPUTING, HAND_OVER, Run

MAX_RECORDS = module._LIMIT
LONGEST_NAME = module._LIMIT


@pytest.fixture
def learning() -> Learning:
    return Learning()


# -- groups


def test_a_slow_page_is_found_out_although_each_of_its_addresses_is_asked_for_once(learning: Learning) -> None:
    ran = [learning.run(f"/report?{number}", waits=2.0) for number in range(1000)]
    assert ran[:2] == ["place", "place"]
    assert ran[2:].count("place") < 0.3 * 998  # each run takes 2 s here, so a trial is due often
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
        learning.costs.learn(Asked(f"/page?{number}"), None, Run(0.05, 0.0, 0.0), 0.0)
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
    learning.costs.learn(Asked(group + "?quick"), None, Run(10e-6, 10e-6, 10e-6), learning.now)
    assert learning.costs.routes == {}
    assert learning.costs.record(Asked(group + "b")) is learning.costs.groups[group[:LONGEST_NAME]]


def test_a_slow_page_with_a_long_name_goes_to_the_pool(learning: Learning) -> None:
    assert learning.places("/" + "a" * 2 * LONGEST_NAME, 20, waits=0.01)[-1] == "pool"


def test_routes_are_learnt_by_several_threads_at_once_beyond_the_bound() -> None:
    costs = Costs(8)
    faults: list[BaseException] = []

    def learn(start: int) -> None:
        try:
            for number in range(start, start + MAX_RECORDS + 200):
                request = Asked(f"GET /{number}?{number}")
                costs.record(request)
                costs.learn(request, None, Run(1.0, 0.0, 0.0), 0.0)
                costs.learn(request, None, Run(1e-6, 1e-6, 1e-6), 0.0)
                costs.note_elapsed(request, costs.find(request), 1.0)
                if number % 50 == 0:
                    costs.records(0.0)
        except BaseException as fault:  # noqa: BLE001 - to be shown by the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=learn, args=(10_000 * number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert faults == []
    assert len(costs.groups) <= MAX_RECORDS
    assert len(costs.routes) <= MAX_RECORDS


def test_what_was_decided_can_be_seen(learning: Learning) -> None:
    for _ in range(50):
        learning.run("/slow", waits=0.05)
        learning.run("/report", computes=0.3)
        learning.run("/page", computes=100e-6)
    seen = {name: (cost, kind) for name, cost, kind in learning.costs.records(learning.now - 10.0)}
    assert {name: kind for name, (_, kind) in seen.items()} == {
        "/slow": Kind.LONG, "/report": Kind.COMPUTING, "/page": Kind.QUICK
    }  # fmt: skip
    assert seen["/report"][0].computing >= COMPUTING
    assert seen["/slow"][0].elapsed == pytest.approx(0.05)
    assert 1 <= seen["/slow"][0].seen <= 50
