"""What a start says of a Python that may run threads in parallel."""

from __future__ import annotations

from typing import Any

import pytest

from tpserver import Config, greeting
from tpserver.system import processors

FREE = "3.14.0 free-threading build (main) [GCC]"
APP: dict[str, Any] = {"app": "main:app"}


@pytest.mark.parametrize(
    ("version", "lock", "options", "count", "hint", "warning"),
    [
        ("3.13.0 (main)", True, APP, 4, False, False),
        (FREE, False, APP, 4, True, False),
        (FREE, False, APP, 1, False, False),
        (FREE, False, {**APP, "workers": 4}, 4, False, False),
        (FREE, False, {**APP, "reload": True}, 4, False, False),
        (FREE, False, {"root": "html"}, 4, False, False),
        (FREE, True, APP, 4, False, True),
        (FREE, True, {**APP, "workers": 4}, 4, False, True),
    ],
)
def test_it_says_what_processes_are_good_for(
    version: str,
    lock: bool,
    options: dict[str, Any],
    count: int,
    hint: bool,
    warning: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.version", version)
    monkeypatch.setattr("sys._is_gil_enabled", lambda: lock, raising=False)
    monkeypatch.setattr(processors, "processors", lambda: count)
    said = greeting.greeting(Config(**options), None, ["http://127.0.0.1:8888/"], [])
    assert ("--workers auto" in said) == hint
    assert ("turned the interpreter's lock on" in (greeting.lock_warning() or "")) == warning
