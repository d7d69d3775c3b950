"""What is learnt of routes is bounded, whatever clients ask for and however many threads learn."""

from __future__ import annotations

import threading

from tpserver.engine.placement import MAX_ROUTES, Placement

from tests.client import PATIENCE


class Asked:
    """As much of a request as `Placement` looks at."""

    def __init__(self, name: str) -> None:
        self.route = self.wide_route = name


def test_routes_are_learnt_by_two_threads_at_once_beyond_the_bound() -> None:
    placement = Placement()
    faults: list[BaseException] = []

    def learn(start: int) -> None:
        try:
            for number in range(start, start + 3 * MAX_ROUTES):
                placement.learn(Asked(f"GET /{number}"), 1.0, 0.0)  # type: ignore[arg-type]
        except BaseException as fault:  # noqa: BLE001 - to be shown by the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=learn, args=(10_000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert faults == []
    assert len(placement.wide) <= MAX_ROUTES
    assert len(placement.narrow) <= MAX_ROUTES


def test_a_long_target_is_not_kept_for_good() -> None:
    placement = Placement()
    placement.learn(Asked("GET /" + "a" * 10_000), 1.0, 0.0)  # type: ignore[arg-type]
    placement.learn_relief(Asked("GET /" + "b" * 10_000 + "/c"))  # type: ignore[arg-type]
    for routes in (placement.wide, placement.narrow, placement.families, placement.depths):
        assert all(len(name) < 600 for name in routes)
