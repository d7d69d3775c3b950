"""What a session of the benchmarks makes of its figures: tables, README, docs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("resource", reason="the benchmarks need Unix")

from benchmarks import report
from benchmarks.job import BEFORE, SUBJECT
from benchmarks.model import Outcome
from benchmarks.scenarios import README_ROWS, SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

UNDER: dict[str, Any] = {
    "date": "2026-01-02",
    "processor": "a processor",
    "cores": 2,
    "system": "Linux 6.1",
    "python": "CPython 3.11.7",
    "wrk": "4.1.0",
    "versions": {SUBJECT: "1", "waitress": "3", "nginx": "1.22", "nginx-cache": "1.22"},
    "rounds": 1,
    "seconds": 1,
    "steps": 2000,
    "complete": True,
}
MARKED = f"above\n{report.BEGIN}\nold\n{report.END}\nbelow\n"


def measured(name: str, **rates: float) -> Outcome:
    """One round, in which each server had so much of what comes first in the scenario."""
    scenario = SCENARIOS[name]
    return Outcome(scenario, [{who: {scenario.metrics[0].name: rate} for who, rate in rates.items()}])


def all_of_readme() -> list[Outcome]:
    rates = {SUBJECT: 1200.0, BEFORE: 1000.0}
    return [
        measured(
            name, **rates, **({"nginx": 600.0} if name.startswith("static") else {"waitress": 100.0, "granian": 0})
        )
        for name in README_ROWS
    ]


def test_readme_has_one_table_of_ten_rows() -> None:
    text = report.summary(all_of_readme(), UNDER)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "| scenario | requests/s | waitress | granian | nginx |"
    assert len(lines) == 2 + 10
    assert lines[2] == "| A Django page with a template (`django-page`) | 1,200 | 12 | ∞ |  |"
    assert lines[-1] == "| A file of 1 KiB asked for by browsers (`static-1k-browser`) | 1,200 |  |  | 2.00 |"
    assert "![Requests a second: tpserver/peer](docs/speed.svg)" in text


def test_readme_docs_and_chart_are_written_together(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    readme, page = tmp_path / "README.md", tmp_path / "docs" / "benchmarks.md"
    readme.write_text(MARKED, "utf-8")
    page.write_text(MARKED, "utf-8")
    report.publish(all_of_readme(), UNDER, tmp_path)
    for path, words in ((readme, "| scenario | requests/s |"), (page, "### `django-page`: A Django page")):
        text = path.read_text("utf-8")
        assert text.startswith(f"above\n{report.BEGIN}\n")
        assert text.endswith(f"{report.END}\nbelow\n")
        assert words in text
        assert "old" not in text
    assert "A Django page with a template: 12.00 × waitress" in (tmp_path / "docs" / "speed.svg").read_text("utf-8")


@pytest.mark.parametrize("lacking", ["a scenario", "the marks of docs"])
def test_all_three_stay_as_they_were_where_one_cannot_be_written(lacking: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(MARKED, "utf-8")
    (tmp_path / "docs" / "benchmarks.md").write_text("no marks" if lacking == "the marks of docs" else MARKED, "utf-8")
    outcomes = all_of_readme()[1:] if lacking == "a scenario" else all_of_readme()
    with pytest.raises(ValueError, match="django-page" if lacking == "a scenario" else "lacks"):
        report.publish(outcomes, UNDER, tmp_path)
    assert (tmp_path / "README.md").read_text("utf-8") == MARKED
    assert not (tmp_path / "docs" / "speed.svg").exists()


def test_another_checkout_is_compared_in_every_scenario() -> None:
    compared = report.rows(measured("mixed", **{SUBJECT: 120.0, BEFORE: 100.0}))
    assert compared[2][:3] == ["tpserver before", "100", "1.20"]
    assert "ratio ≥ 0.97: met" in compared[2][-1]
    alone = report.rows(measured("overload", **{SUBJECT: 90.0, BEFORE: 100.0}))
    assert alone[0] == ["figure", "median", "lowest–highest", "tpserver before", "target"]
    assert alone[1] == ["requests/s", "90", "", "100", "ratio ≥ 0.97: missed"]


def test_without_another_checkout_nothing_is_said_of_it() -> None:
    told = report.text(measured("overload", **{SUBJECT: 90.0}))
    assert "before" not in told
    assert "0.97" not in told


def test_what_was_saved_is_reported_again(tmp_path: Path) -> None:
    report.save(tmp_path / "saved.json", all_of_readme(), UNDER)
    outcomes, under = report.load(tmp_path / "saved.json")
    assert report.summary(outcomes, under) == report.summary(all_of_readme(), UNDER)


def test_a_target_names_a_peer_and_a_figure_of_its_scenario() -> None:
    for scenario in SCENARIOS.values():
        for target in scenario.targets:
            assert target.peer in (None, BEFORE, *scenario.peers)
            assert target.metric in {metric.name for metric in scenario.metrics}
