"""Random bytes and random resets on a live server: it answers all the while, and holds on to nothing."""

from __future__ import annotations

import pytest

from tests import inside
from tests.client import Client
from tests.fuzz.__main__ import no_more
from tests.fuzz.crowd import Crowd, Held, app
from tests.rounds import rounds
from tests.running import Start

WARM = 200
CONNECTIONS = rounds(1000)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the applications', which raise and forget
def test_garbage_and_resets_leave_nothing_behind(start: Start) -> None:
    running = start(app, root="html", max_body=100_000)
    crowd = Crowd(running, 1)
    crowd.run(WARM)
    with Client(running) as bystander:
        assert bystander.ask("*", method="OPTIONS").status == 204
        crowd.run(40)
        assert bystander.ask("*", method="OPTIONS").status == 204
    before = crowd.held_when_all_have_gone()
    crowd.run(CONNECTIONS)
    after = crowd.held_when_all_have_gone()
    assert no_more(before, after, inside.threads(running.server)), (before, after)


@pytest.mark.parametrize(
    ("after", "fine"),
    [
        (Held(0, 30, 12), True),
        (Held(0, 29, 9), True),
        (Held(0, 31, 12), False),
        (Held(1, 30, 12), False),
        (Held(0, 30, 13), False),
    ],
)
def test_what_is_left_over_is_seen(after: Held, fine: bool) -> None:
    assert no_more(Held(0, 30, 9), after, threads=8) is fine
