"""The chart of README's Speed section: well-formed, complete, true to scale."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from benchmarks.chart import LEFT, MARKS, RIGHT, WIDTH, axis, draw, place

SVG = "{http://www.w3.org/2000/svg}"
PEERS = ["waitress", "granian"]
ROWS = [("A <page> & more", {"waitress": 12.0, "granian": 0.8}), ("A file", {})]


@pytest.mark.parametrize(
    ("ratios", "ticks"),
    [
        ([12.0, 0.8], [0.5, 1, 2, 5, 10, 20]),
        ([3.0], [1, 2, 5]),
        ([0.3, 0.4], [0.2, 0.5, 1]),
        ([2.0, float("inf")], [1, 2]),
        ([], [1]),
    ],
)
def test_the_axis_holds_all_ratios_and_1(ratios: list[float], ticks: list[float]) -> None:
    assert axis(ratios) == ticks


def test_equal_factors_are_equal_distances() -> None:
    ticks = [0.5, 1, 2]
    assert [place(ratio, ticks) for ratio in ticks] == pytest.approx([LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT])


def test_what_the_axis_does_not_reach_is_drawn_at_its_end() -> None:
    assert place(float("inf"), [1, 2]) == WIDTH - RIGHT
    assert place(0.0, [1, 2]) == LEFT


def test_every_ratio_is_drawn_and_named() -> None:
    drawing = ET.fromstring(draw("Speed", "small print", ROWS, PEERS))
    told = [one.text for one in drawing.findall(f"{SVG}path/{SVG}title")]
    assert told == ["A <page> & more: 12.00 × waitress", "A <page> & more: 0.80 × granian"]
    text = "\n".join("".join(one.itertext()) for one in drawing.iter(SVG + "text"))
    for words in ("Speed", "small print", "A <page> & more", "A file", *PEERS, "1 ×", "20 ×"):
        assert words in text


def test_it_is_readable_by_night() -> None:
    assert "prefers-color-scheme: dark" in draw("", "", ROWS, PEERS)


def test_every_peer_that_readme_shows_has_a_mark() -> None:
    pytest.importorskip("resource", reason="the benchmarks need Unix")
    from benchmarks.job import BARE
    from benchmarks.scenarios import README_ROWS, SCENARIOS

    shown = {peer for name in README_ROWS for peer in SCENARIOS[name].peers} - {BARE}
    assert len(MARKS) >= len(shown)
