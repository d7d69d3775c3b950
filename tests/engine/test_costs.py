"""Where a request runs: learnt from what its route has cost, with clocks that the test moves."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
from tpserver.engine.placement import MAX_ROUTES, Placement
from tpserver.engine.routes import BRIEF, COMPUTING, HAND_OVER, QUICK

from tpserver.engine.admission import QUICK as QUICK_ONE
from tpserver.engine.admission import WAITING as WAITING_ONE

TICK = 0.001


@pytest.fixture
def run():
    """One request of a placement: where it ran, and what that taught, as the server does it."""

    def run_one(where, name, *, computes=0.0, waits=0.0):
        request = SimpleNamespace(route=name, route_group=name.partition("?")[0])
        route = where.route(request)
        elapsed = computes + waits
        if not (route.quick or route.on_trial()):
            where.learn_long(request, elapsed, computes)
            return "pool"
        if elapsed > 2 * TICK:
            where.learn_relief(request)
            where.learn_end(request, elapsed, computes)
        elif elapsed >= QUICK or route.suspect:
            where.learn(request, elapsed, computes if route.suspect else None)
        return "place"

    return run_one


@pytest.mark.parametrize(
    "cost",
    [{"computes": 5e-6}, {"computes": QUICK * 2}, {"computes": TICK}, {"computes": 20e-6, "waits": HAND_OVER / 2}],
    ids=["nothing", "a little", "computing for a while", "waiting for a moment"],
)
def test_what_does_not_make_others_wait_stays_in_place(run, cost):
    where = Placement()
    assert {run(where, "/page", **cost) for _ in range(1000)} == {"place"}


@pytest.mark.parametrize(
    "cost",
    [{"waits": 0.01}, {"waits": 0.0008}, {"computes": 0.3}],
    ids=["waiting", "waiting less than a tick", "computing until it is relieved"],
)
def test_what_makes_others_wait_goes_to_the_pool(run, cost):
    where = Placement()
    before = [run(where, "/slow", **cost) for _ in range(20)]
    assert before[0] == "place"
    assert before[-1] == "pool"
    assert [run(where, "/slow", **cost) for _ in range(1000)].count("place") <= 20  # now and then on trial
    assert {run(where, "/other") for _ in range(10)} == {"place"}


def test_one_slow_run_does_not_condemn_a_route(run):
    where = Placement()
    for number in range(2000):
        assert run(where, "/page", waits=0.05 if number % 500 == 7 else 0.0, computes=50e-6) == "place"


def test_trials_become_rarer(run):
    where = Placement()
    ran = [run(where, "/slow", waits=0.01) for _ in range(10_000)]
    trials = [at for at, place in enumerate(ran) if place == "place"]
    gaps = [later - earlier for earlier, later in pairwise(trials) if later - earlier > 1]
    assert gaps == sorted(gaps)
    assert gaps[0] < 100 < gaps[-1] < 2000


def test_a_flood_of_fresh_paths_does_not_make_a_slow_one_be_learnt_anew(run):
    where = Placement()
    for year in range(3):
        run(where, f"/report?year={year}", waits=0.01)
    for number in range(3 * MAX_ROUTES):
        run(where, f"/{number}", computes=2 * QUICK)
    assert run(where, "/report?year=2000", waits=0.01) == "pool"
    assert len(where.wide) <= MAX_ROUTES
    assert len(where.narrow) <= MAX_ROUTES


def test_a_flood_of_slow_paths_is_bounded_too(run):
    where = Placement()
    for number in range(2 * MAX_ROUTES):
        run(where, f"/{number}", waits=0.01)
        run(where, f"/{number}/{number}", waits=0.01 * (number % 2))
        run(where, f"/{number}/{number}?", computes=QUICK * 2)
        run(where, f"/{number}?", computes=QUICK * 2)
    assert max(map(len, (where.wide, where.narrow, where.families, where.depths))) == MAX_ROUTES


def test_what_has_become_quick_comes_back(run):
    where = Placement()
    while run(where, "/page", waits=0.01) == "place":
        pass
    ran = [run(where, "/page", computes=20e-6) for _ in range(200)]
    assert set(ran[-100:]) == {"place"}


def test_what_was_slow_for_long_comes_back_too(run):
    where = Placement()
    for _ in range(10_000):
        run(where, "/page", waits=0.01)
    ran = [run(where, "/page", computes=20e-6) for _ in range(3000)]
    assert set(ran[-100:]) == {"place"}


def test_a_slow_address_does_not_take_its_quick_neighbours_along(run):
    where = Placement()
    for number in range(2000):
        run(where, "/report?slow" if number % 40 == 0 else f"/report?{number}", waits=0.01 if number % 40 == 0 else 0)
    assert run(where, "/report?slow", waits=0.01) == "pool"
    assert {run(where, f"/report?{number}") for number in range(50)} == {"place"}


def test_what_has_been_learnt_is_bounded(run):
    where = Placement()
    for number in range(MAX_ROUTES + 500):
        for _ in range(10):
            run(where, f"/{number}", computes=QUICK * 2)
        run(where, f"/{number}", waits=0.01)
        run(where, f"/{number}", waits=0.01)
    assert len(where.wide) == len(where.narrow) == MAX_ROUTES
    assert f"/{MAX_ROUTES + 499}" in where.narrow


def test_what_computes_for_long_leaves_the_leader_after_its_second_run(run):
    where = Placement()
    assert run(where, "/report", computes=0.3) == "place"  # perhaps it has only imported modules
    assert run(where, "/report", computes=0.3) == "place"
    assert {run(where, "/report", computes=0.3) for _ in range(5000)} == {"pool"}  # never on trial: the pool tells
    assert where.wide["/report"].computes


def test_what_computes_no_longer_comes_back(run):
    where = Placement()
    run(where, "/report", computes=COMPUTING * 4)
    ran = [run(where, "/report", computes=20e-6) for _ in range(200)]
    assert set(ran[-100:]) == {"place"}


def test_what_was_decided_can_be_seen(run):
    where = Placement()
    for _ in range(50):
        run(where, "/slow", waits=0.05)
        run(where, "/report", computes=0.3)
        run(where, "/page", computes=50e-6)
    seen = {entry["route"]: entry for entry in where.figures()}
    assert [seen[name]["place"] for name in ("/slow", "/report", "/page")] == ["pool", "computing", "in place"]
    assert seen["/report"]["computing"] == pytest.approx(0.3)
    assert seen["/slow"]["elapsed"] == pytest.approx(0.05)


def test_a_first_run_that_computes_does_not_make_a_route_slow(run):
    """A first request imports modules and compiles templates."""
    where = Placement()
    assert run(where, "/page", computes=0.004, waits=0.001) == "place"
    assert {run(where, "/page", computes=50e-6) for _ in range(100)} == {"place"}


def test_what_waited_twice_and_then_no_more_comes_back_soon(run):
    """The first requests open connections to a database."""
    where = Placement()
    for _ in range(2):
        assert run(where, "/page", waits=0.05) == "place"
    ran = [run(where, "/page", computes=50e-6) for _ in range(100)]
    assert ran[0] == "pool"
    assert set(ran[50:]) == {"place"}


def test_brief_ones_do_not_stand_behind_long_ones(run):
    where = Placement()
    for _ in range(10):
        run(where, "/brief", waits=BRIEF / 2)
        run(where, "/long", waits=BRIEF * 2)
    assert [where.wide[name].kind for name in ("/brief", "/long")] == [QUICK_ONE, WAITING_ONE]


def test_those_that_come_while_a_slow_one_runs_go_to_the_pool():
    where = Placement()
    request = SimpleNamespace(route="/slow", route_group="/slow")
    assert where.route(request).quick
    where.learn_relief(request)
    assert not where.route(request).quick


@pytest.mark.parametrize(
    "path",
    ["/report/{}", "/report{}", "/{0}/{0}", "/report/" + "a" * 600, "/report/{}/" + "a" * 600, "/" + "a" * 600 + "/{}"],
    ids=["second segment", "first segment", "both", "long", "long and different", "long and different behind"],
)
@pytest.mark.parametrize(
    "cost", [{"waits": 2.0}, {"computes": 0.6}, {"waits": BRIEF / 2}], ids=["waits", "computes", "brief"]
)
def test_a_slow_page_is_found_out_although_each_of_its_addresses_is_asked_for_once(run, path, cost):
    where = Placement()
    ran = [run(where, path.format(number), **cost) for number in range(1000)]
    assert set(ran[:3]) | {"pool"} == {"place", "pool"}
    assert ran[4:].count("place") <= 20  # now and then on trial
    assert len(where.wide) + len(where.narrow) < 30, "what is like its family is not remembered by itself"


def test_those_that_come_while_several_of_a_family_run_go_to_the_pool():
    where = Placement()
    held = [SimpleNamespace(route=f"/report/{number}", route_group=f"/report/{number}") for number in range(4)]
    for request in held[:3]:
        assert where.route(request).quick
        where.learn_relief(request)
    assert where.route(held[3]).kind == WAITING_ONE
    for request in held[:3]:
        where.learn_end(request, 2.0, 0.0)
    assert where.route(held[3]).kind == WAITING_ONE


@pytest.mark.parametrize("path", ["/report/{}", "/report{}"])
def test_what_is_quick_among_slow_ones_stays_in_place(run, path):
    where = Placement()
    run(where, path.format("list"))
    for number in range(2000):
        run(where, path.format(number), waits=2.0)
        assert run(where, path.format("list")) == "place"


@pytest.mark.parametrize("path", ["/report/{}", "/report{}"])
def test_what_is_quick_among_slow_ones_is_found_out_when_it_has_run(run, path):
    where = Placement()
    for number in range(100):
        run(where, path.format(number), waits=2.0)
    assert run(where, path.format("list"), computes=50e-6) == "pool"
    assert {run(where, path.format("list"), computes=50e-6) for _ in range(100)} == {"place"}
    assert [run(where, path.format(number), waits=2.0) for number in range(100, 130)].count("place") <= 3


def test_a_slow_family_tells_nothing_about_others(run):
    where = Placement()
    for number in range(100):
        run(where, f"/report/{number}", waits=2.0)
        assert run(where, f"/user/{number}") == run(where, f"/page{number}") == "place"
    assert run(where, "/") == "place"
    seen = {entry["route"]: entry["place"] for entry in where.figures()}
    assert seen["/report/*"] == "pool"


def test_a_few_slow_pages_do_not_hold_their_neighbours_back(run):
    where = Placement()
    for name in ("/", "/a", "/b"):
        run(where, name)
    for name in ("/export", "/import"):
        for _ in range(100):
            run(where, name, waits=2.0)
    assert {run(where, f"/page{number}") for number in range(100)} == {"place"}


def test_a_family_that_has_become_quick_comes_back(run):
    where = Placement()
    for number in range(1000):
        run(where, f"/report/{number}", waits=2.0)
    ran = [run(where, f"/report/{number}", computes=20e-6) for number in range(1000, 4000)]
    assert set(ran[-100:]) == {"place"}


def test_quick_pages_do_not_go_behind_slow_ones_because_the_first_of_them_were_held_up(run):
    """While a server warms up, leaders are relieved of quick requests too."""
    where = Placement()
    for number in range(4):
        request = SimpleNamespace(route=f"/user/{number}", route_group=f"/user/{number}")
        where.learn_relief(request)
        where.learn_end(request, 0.03, 0.012)
    assert where.route(SimpleNamespace(route="/user/9", route_group="/user/9")).kind == QUICK_ONE
    ran = [run(where, f"/user/{number}", computes=50e-6) for number in range(10, 300)]
    assert set(ran[-100:]) == {"place"}
