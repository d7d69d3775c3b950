"""What `python -m benchmarks counts` counts, and that it can."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("resource", reason="the benchmarks need Unix")

from benchmarks import counts
from benchmarks.counted_server import count
from benchmarks.servers import ROOT, checkout

if TYPE_CHECKING:
    from pathlib import Path


def test_calls_returns_files_and_moves_are_those_of_each_thread() -> None:
    leader = [("call", "a.py"), ("call", "b.py"), ("return", "b.py"), ("return", "a.py")]
    pool = [("call", "a.py"), ("return", "a.py")]
    assert count([leader, pool]) == {"calls": 3, "returns": 3, "files": 2, "moves": 2}
    assert count([]) == {"calls": 0, "returns": 0, "files": 0, "moves": 0}


def test_a_head_is_new_only_where_it_is_meant_to_be() -> None:
    assert counts.head("hello", 1) == counts.head("hello", 2)
    assert counts.head("new", 1) != counts.head("new", 2)
    assert counts.head("file", 1).startswith(b"GET /1k.bin HTTP/1.1\r\n")
    assert counts.head("new", 1).count(b"\r\n") == 1 + 10 + 1


@pytest.mark.parametrize("case", counts.CASES)
def test_one_request_of_each_case_is_counted(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "PROFILED_REQUESTS", 20)
    (tmp_path / "1k.bin").write_bytes(bytes(1024))
    counted = counts.calls(case, tmp_path, ROOT)
    assert counted["calls"] > counted["files"] > 5
    assert counted["moves"] > 5


def test_old_and_new_stand_side_by_side() -> None:
    told = counts.table({"hello": {"tpserver": {"calls": 9, "instructions": 12345}, "before": {"calls": 10}}})
    assert [line.split()[3:] for line in told.splitlines()[1:]] == [
        ["tpserver", "9", "–", "–", "–", "12,345"],
        ["before", "10", "–", "–", "–", "–"],
    ]


def test_a_folder_without_tpserver_is_no_checkout(tmp_path: Path) -> None:
    assert checkout(str(ROOT)) == ROOT
    with pytest.raises(argparse.ArgumentTypeError, match="no checkout"):
        checkout(str(tmp_path))
