"""What the scheduler does under load, in a model: one stable state, whatever stalls, and the cheaper place for each."""

from __future__ import annotations

import pytest

from tests.engine.scheduler_model import ModelServer, OldAdmission

PAGE = 0.6e-3


def page_with_slow_imports(seconds: float):
    """The first requests take as long as the imports do; then a page computes for 0.6 ms."""

    def work(begun: float):
        if begun < seconds:
            yield "compute", 0.01  # some of it
            yield "wait", seconds - begun
        yield "compute", PAGE

    return work


def page_with_stalls(*stalls: tuple[float, float]):
    """A page that computes for 0.6 ms, and waits for a lock while one of the stalls (from, to) lasts."""

    def work(begun: float):
        for start, end in stalls:
            if start <= begun < end:
                yield "wait", end - begun
        yield "compute", PAGE

    return work


def computes(seconds: float):
    return lambda begun: [("compute", seconds)]


def waits(seconds: float, computing: float = 50e-6):
    return lambda begun: [("compute", computing), ("wait", seconds)]


def share_in_place(second) -> float:
    return second.places["in place"] / max(sum(second.places.values()), 1)


def test_the_old_rules_stay_in_the_pool_for_as_long_as_the_load_lasts():
    server = ModelServer(OldAdmission)
    server.ask(64, "/page", page_with_slow_imports(1.0))
    last = server.run(5)[-1]
    assert share_in_place(last) < 0.1


def test_a_page_is_in_place_a_second_after_its_slow_imports():
    server = ModelServer()
    server.ask(64, "/page", page_with_slow_imports(1.0))
    for second in server.run(5)[2:]:
        assert share_in_place(second) > 0.99
        assert second.answered["/page"] > 0.95 / (PAGE + 30e-6)


@pytest.mark.parametrize("length", [0.05, 0.3, 1.0])
def test_a_page_is_in_place_a_second_after_each_stall(length):
    server = ModelServer()
    server.ask(64, "/page", page_with_stalls((1.5, 1.5 + length), (4.5, 4.5 + length)))
    seconds = server.run(8)
    settled = [0, 3, 7] if length == 1.0 else [0, 3, 6, 7]
    for number in settled:
        assert share_in_place(seconds[number]) > 0.99, number


@pytest.mark.parametrize("threads", [8, 64])
def test_pages_of_which_each_is_asked_for_once_are_where_they_were_before_a_stall(threads):
    places = []
    for stalls in ([], [(1.5, 4.0)]):
        server = ModelServer(threads=threads)
        server.ask(64, "/page", page_with_stalls(*stalls), once=True)
        server.ask(4, "/report", computes(50e-3))
        last = server.run(7)[-1]
        places.append(last.places["in place"] / last.answered["/page"])
    calm, after_stall = places
    assert calm > 0.4  # beside a report leaders are often relieved of a page: see benchmarks/LOG.md
    assert after_stall > 0.9 * calm


def test_a_stall_before_much_is_known_is_forgotten_too():
    server = ModelServer()
    server.ask(64, "/page", page_with_stalls((0.002, 0.4)))
    assert share_in_place(server.run(3)[-1]) > 0.99


@pytest.mark.parametrize("seconds", [0.3e-3, 1e-3, 3e-3])
def test_what_computes_for_less_than_a_bound_stays_in_place_beside_others(seconds):
    server = ModelServer()
    server.ask(32, "/page", computes(seconds))
    server.ask(8, "/query", waits(10e-3))
    last = server.run(4)[-1]
    assert last.places["in place"] > 0.95 * last.answered["/page"]
    assert last.answered["/page"] + last.answered["/query"] > 0.8 / (seconds + 30e-6) * 0.9


def test_what_waits_leaves_and_uses_every_thread():
    server = ModelServer()
    server.ask(64, "/query", waits(10e-3))
    last = server.run(3)[-1]
    assert last.answered["/query"] > 0.95 * 8 / 10.1e-3
    assert share_in_place(last) < 0.02


def test_what_computes_and_waits_leaves():
    server = ModelServer()
    server.ask(64, "/both", waits(1e-3, computing=1e-3))
    seconds = server.run(6)
    assert sum(second.answered["/both"] for second in seconds[2:]) / 4 > 800  # 500 in place


# All clients ask at once for a page that is new. Threads slow each other from its first run on.


@pytest.mark.parametrize("seconds", [1e-3, 3e-3, 4e-3])
def test_a_page_that_is_new_to_all_is_in_place(seconds):
    server = ModelServer()
    server.ask(64, "/page", computes(seconds))
    assert share_in_place(server.run(3)[-1]) == 1


@pytest.mark.parametrize("seconds", [6e-3, 10e-3, 20e-3])
def test_what_computes_for_long_and_is_new_to_all_runs_one_at_a_time(seconds):
    server = ModelServer()
    server.ask(64, "/report", computes(seconds))
    for second in server.run(6)[2:]:
        assert second.places["relieved"] <= 2
        assert second.answered["/report"] > 0.95 / seconds


@pytest.mark.parametrize(("computing", "waiting"), [(1e-3, 10e-3), (4e-3, 4e-3), (10e-3, 10e-3), (10e-3, 40e-3)])
def test_what_computes_and_waits_and_is_new_to_all_leaves(computing, waiting):
    server = ModelServer()
    server.ask(64, "/both", waits(waiting, computing))
    seconds = server.run(10)[5:]
    assert sum(second.places["relieved"] for second in seconds) <= 10
    most = min(8 / (computing + waiting), 1 / computing)
    assert sum(second.answered["/both"] for second in seconds) / 5 > 0.85 * most


def test_a_page_that_has_become_slow_leaves():
    server = ModelServer()
    server.ask(64, "/page", lambda begun: [("compute", PAGE if begun < 2 else 10e-3)])
    last = server.run(4)[-1]
    assert last.places["pool"] > 95


def test_a_report_does_not_hold_up_pages():
    server = ModelServer()
    server.ask(2, "/report", computes(0.3))
    server.ask(64, "/page", computes(20e-6))
    last = server.run(5)[-1]
    assert last.answered["/page"] > 5000
    server.waited["/page"].sort()
    assert server.waited["/page"][int(0.99 * len(server.waited["/page"]))] < 0.03


def test_quick_requests_do_not_wait_for_slow_ones_that_everybody_asks_for():
    server = ModelServer()
    server.ask(64, "/slow", waits(2.0))
    server.ask(16, "/quick", computes(20e-6))
    seconds = server.run(6)
    assert min(second.answered["/quick"] for second in seconds[1:]) > 10_000
    assert sum(second.answered["/slow"] for second in seconds[2:]) >= 4 * 0.9 * 8 / 2


def test_a_brief_query_finds_a_thread_though_everybody_asks_for_slow_reports():
    server = ModelServer()
    server.ask(4, "/query", waits(5e-3))
    server.run(1)
    server.ask(64, "/slow", waits(2.0))
    seconds = server.run(5)
    assert min(second.answered["/query"] for second in seconds[1:]) > 150


def test_one_in_fifty_that_waits_does_not_send_its_route_to_the_pool():
    turns = iter(range(10**9))
    server = ModelServer()
    server.ask(64, "/mixed", lambda begun: waits(50e-3)(begun) if next(turns) % 50 == 0 else [("compute", 10e-6)])
    last = server.run(4)[-1]
    assert last.answered["/mixed"] > 0.8 * 50 * 8 / 50e-3
    assert last.places["pool"] < 0.3 * last.answered["/mixed"]


def test_a_route_that_has_become_quick_comes_back():
    server = ModelServer()
    server.ask(64, "/page", lambda begun: [("wait", 20e-3)] if begun < 3 else [("compute", PAGE)])
    server.run(3)
    assert share_in_place(server.run(6)[-1]) > 0.99
