"""How many processes `--workers auto` makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tpserver.system.processors import processors


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("50000 100000", 1),
        ("150000 100000", 2),
        ("1600000 100000", 8),
        ("?", 8),
    ],
)
def test_a_quota_of_the_container_is_a_limit(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text(quota + "\n", "ascii")
    assert processors(tmp_path / "cpu.max") == expected
    assert processors(tmp_path / "none") == 8


def test_where_the_system_does_not_say_which_it_says_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for count, expected in ((4, 4), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert processors(tmp_path / "none") == expected
