"""Series over time as one SVG, written by hand: a panel for each, one below the other, readable by day and by night."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from ..chart import STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, PANEL, TOP, LEFT, RIGHT, GAP = 860, 132, 64, 64, 20, 58

_STYLE = """
  .bad { fill: var(--bad); font-weight: 600; } .name { font-weight: 600; }
  .warm { fill: var(--line); opacity: .55; }
  .drawn { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
  .one { stroke: var(--one); } .two { stroke: var(--two); }
  .two-text { fill: var(--two); } .one-text { fill: var(--one); }
"""


@dataclass(frozen=True)
class Line:
    """Values at the times of the panel; `label` stands beside the panel's name where there are two."""

    values: Sequence[float]
    label: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture: what is shown, in which unit, and what was found."""

    name: str
    unit: str
    lines: Sequence[Line]
    found: str = ""
    fine: bool = True


def nice(most: float) -> float:
    """The end of an axis: the next of 1, 2, 2.5, 5 times a power of ten."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= most * (1 - 1e-9))


def points(times: Sequence[float], values: Sequence[float], end: float, most: float, top: float) -> str:
    """The polyline of one series: x by time up to `end`, y by value from 0 to `most`, below `top`."""
    width = WIDTH - LEFT - RIGHT
    return " ".join(
        f"{LEFT + width * time / end:.1f},{top + PANEL - PANEL * min(value, most) / most:.1f}"
        for time, value in zip(times, values, strict=True)
    )


def draw(title: str, small: str, times: Sequence[float], panels: Sequence[Panel], warm: float = 0.0) -> str:
    """The whole picture. `times` in seconds from 0; what is before `warm` is shaded, for it was not judged."""
    end = max([*times, 1e-9])
    height = TOP + len(panels) * (PANEL + GAP) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" width="{WIDTH}">',
        f"<style>{STYLE}{_STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="26">{escape(title)}</text>',
        f'<text class="soft" x="{LEFT}" y="46">{escape(small)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, times, end, warm, TOP + 24 + number * (PANEL + GAP))
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, times: Sequence[float], end: float, warm: float, top: float) -> list[str]:
    most = nice(max((value for line in panel.lines for value in line.values), default=0.0))
    width, right, bottom = WIDTH - LEFT - RIGHT, WIDTH - RIGHT, top + PANEL
    kind = "soft" if panel.fine else "bad"
    name = f'<tspan class="name">{escape(panel.name)}</tspan> <tspan class="soft">{escape(panel.unit)}</tspan>'
    for line, colour in zip(panel.lines, ("one", "two"), strict=False):
        if line.label:
            name += f' <tspan class="{colour}-text">&#160;— {escape(line.label)}</tspan>'
    parts = [
        f'<text x="{LEFT}" y="{top - 8}">{name}</text>',
        f'<text class="{kind}" x="{right}" y="{top - 8}" text-anchor="end">{escape(panel.found)}</text>',
        f'<rect class="warm" x="{LEFT}" y="{top}" width="{width * min(1.0, warm / end):.1f}" height="{PANEL}"/>',
    ]
    for step in range(5):
        y = bottom - PANEL * step / 4
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if step % 2 == 0:
            value = f"{most * step / 4:g}"
            parts.append(f'<text class="soft" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    for step in range(5):
        anchor = ("start", "middle", "middle", "middle", "end")[step]
        parts.append(
            f'<text class="soft" x="{LEFT + width * step / 4:.1f}" y="{bottom + 17}" text-anchor="{anchor}">'
            f"{_clock(end * step / 4)}</text>"
        )
    for line, colour in zip(panel.lines, ("one", "two"), strict=False):
        parts.append(f'<polyline class="drawn {colour}" points="{points(times, line.values, end, most, top)}"/>')
    return parts


def _clock(seconds: float) -> str:
    """0:00, 12:30, 3:05:00."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
