"""The server's clocks go on when a test library stops those of the application."""

from __future__ import annotations

import sys
import time

import pytest

from tpserver.system.clock import Clock, clock


@pytest.mark.parametrize("name", Clock.__slots__)
def test_each_is_the_function_of_the_system(name):
    assert getattr(clock, name) is getattr(time, name)


def test_a_library_that_replaces_the_functions_in_all_modules_does_not_find_them(monkeypatch):
    """As freezegun does: wherever a module has the real function by any name."""
    real = time.monotonic
    for module in [module for name, module in sys.modules.items() if name.startswith("tpserver.system")]:
        for name, value in vars(module).copy().items():
            if value is real:
                monkeypatch.setattr(module, name, lambda: 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    before = real()
    assert clock.monotonic() >= before
