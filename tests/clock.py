"""A clock that stands still until a test moves it."""

from __future__ import annotations

from time import monotonic

import pytest

from tests import inside
from tests.running import Running
from tests.waiting import until_settled


class Clock:
    """The clock that the server's deadlines are measured by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = float(int(monotonic()))  # whole seconds, so that sums of them are exact
        inside.replace_clock(monkeypatch, lambda: self.now)

    def advance(self, running: Running, seconds: float) -> None:
        """Lets the server see what was sent before, moves on by a second or more, and lets it find out."""
        assert seconds >= inside.DEADLINE_INTERVAL, "the server may not look as often"
        until_settled(running)
        self.now += seconds
        inside.check_deadlines_soon(running.server)
        until_settled(running)
