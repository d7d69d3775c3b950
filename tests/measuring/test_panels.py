"""The picture of a soak: well-formed, complete, true to scale."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from benchmarks.trials.panels import LEFT, PANEL, RIGHT, WIDTH, Line, Panel, draw, nice, points

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("most", "end"),
    [(0, 1), (1, 1), (1.2, 2), (2, 2), (2.3, 2.5), (3, 5), (7, 10), (11, 20), (230, 250), (0.03, 0.05), (9999, 10000)],
)
def test_an_axis_ends_at_a_round_number(most: float, end: float) -> None:
    assert nice(most) == pytest.approx(end)


def test_a_line_goes_from_corner_to_corner() -> None:
    assert points([0, 5, 10], [0, 50, 100], end=10, most=100, top=20) == (
        f"{LEFT:.1f},{20 + PANEL:.1f} {(LEFT + WIDTH - RIGHT) / 2:.1f},{20 + PANEL / 2:.1f} {WIDTH - RIGHT:.1f},20.0"
    )


def test_every_series_is_drawn_and_named() -> None:
    times = [float(number) for number in range(50)]
    panels = [
        Panel("Memory", "MiB", [Line([20.0] * 50)], "flat: 20 to 20"),
        Panel("Latency", "ms", [Line(times, "p99"), Line([1.0] * 50, "p50")], "GROWS: 1 to 50", fine=False),
    ]
    drawing = ET.fromstring(draw("A <title> & more", "small print", times, panels, warm=12.5))
    assert drawing.tag == SVG + "svg"
    lines = drawing.findall(SVG + "polyline")
    assert [len(line.get("points", "").split()) for line in lines] == [50, 50, 50]
    text = "\n".join("".join(one.itertext()) for one in drawing.iter(SVG + "text"))
    for words in ("A <title> & more", "small print", "Memory", "MiB", "p99", "p50", "flat: 20 to 20", "0:49"):
        assert words in text
    bad = [one.text for one in drawing.iter(SVG + "text") if one.get("class") == "bad"]
    assert bad == ["GROWS: 1 to 50"]
    assert "prefers-color-scheme: dark" in "".join(drawing.itertext())


def test_nothing_noted_is_drawn_as_nothing() -> None:
    ET.fromstring(draw("Empty", "", [], [Panel("Memory", "", [Line([])])]))
