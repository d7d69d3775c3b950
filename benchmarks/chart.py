"""The chart of README's Speed section: a row for each scenario, a mark for each peer, the ratio on a logarithmic axis.

Written by hand as SVG, readable by day and by night. Peers differ by colour and by shape.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, LEFT, RIGHT = 860, 330, 24
TOP, ROW, BOTTOM = 92, 46, 40
TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

STYLE = """
  svg { background: var(--ground); font: 13px system-ui, sans-serif;
    --ground: #ffffff; --ink: #1c2430; --soft: #5c6773; --line: #e1e5ea; --bad: #b3261e;
    --one: #0b6bcb; --two: #b4540a; --three: #1a7f37; --four: #8250df; --five: #a1285f; --six: #4d5560;
    --seven: #8a6d00; }
  @media (prefers-color-scheme: dark) { svg {
    --ground: #14181d; --ink: #e8ecf1; --soft: #a3adb8; --line: #2c343d; --bad: #ff8a80;
    --one: #6cb6ff; --two: #f0a35e; --three: #56d364; --four: #c297ff; --five: #f778ba; --six: #b6c0cb;
    --seven: #e3c04b; } }
  text { fill: var(--ink); } .soft { fill: var(--soft); } .grid { stroke: var(--line); }
  .title { font-size: 17px; font-weight: 600; }
"""
_STYLE = """
  .even { stroke: var(--soft); stroke-width: 1.5; }
  .one { fill: var(--one); } .two { fill: var(--two); } .three { fill: var(--three); } .four { fill: var(--four); }
  .five { fill: var(--five); } .six { fill: var(--six); } .seven { fill: var(--seven); }
"""
# Around 0 0, about ten across: circle, square, triangle, diamond, plus, cross, bar.
MARKS = {
    "one": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    "two": "M-4.5 -4.5h9v9h-9z",
    "three": "M0 -5.5l5.5 10h-11z",
    "four": "M0 -6.5l6.5 6.5l-6.5 6.5l-6.5 -6.5z",
    "five": "M-2 -6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "six": "M-5.5 -5.5h4l1.5 2.5l1.5 -2.5h4l-3 5.5l3 5.5h-4l-1.5 -2.5l-1.5 2.5h-4l3 -5.5z",
    "seven": "M-2 -6h4v12h-4z",
}

Row = tuple[str, "Mapping[str, float]"]  # a scenario's title, and the ratio to each of its peers


def axis(ratios: Sequence[float]) -> list[float]:
    """The ticks: from the last one below all ratios to the first one above them, and 1 among them."""
    finite = [ratio for ratio in ratios if 0 < ratio < math.inf] or [1.0]
    least, most = min(*finite, 1.0), max(*finite, 1.0)
    first = max((tick for tick in TICKS if tick <= least), default=TICKS[0])
    last = min((tick for tick in TICKS if tick >= most), default=TICKS[-1])
    return [tick for tick in TICKS if first <= tick <= last]


def place(ratio: float, ticks: Sequence[float]) -> float:
    """The x of a ratio. What the axis does not reach is drawn at its end."""
    if len(ticks) < 2:
        return float(LEFT)
    inside = min(max(ratio, ticks[0]), ticks[-1])
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(inside / ticks[0]) / math.log(ticks[-1] / ticks[0])


def draw(title: str, small: str, rows: Sequence[Row], peers: Sequence[str]) -> str:
    """The picture, with a mark for each of at most seven peers."""
    marks = dict(zip(peers, MARKS, strict=False))
    ticks = axis([ratio for _, ratios in rows for ratio in ratios.values()])
    bottom = TOP + ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + BOTTOM}" role="img" width="{WIDTH}">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}{_STYLE}</style>",
        f'<text class="title" x="16" y="26">{escape(title)}</text>',
        f'<text class="soft" x="16" y="46">{escape(small)}</text>',
    ]
    x = 16.0
    for peer, mark in marks.items():
        parts.append(f'<path class="{mark}" transform="translate({x + 6:.1f} 66)" d="{MARKS[mark]}"/>')
        parts.append(f'<text x="{x + 18:.1f}" y="70">{escape(peer)}</text>')
        x += 40 + 7.2 * len(peer)
    for tick in ticks:
        kind = "even" if tick == 1 else "grid"
        at = f"{place(tick, ticks):.1f}"
        parts.append(f'<line class="{kind}" x1="{at}" x2="{at}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text class="soft" x="{at}" y="{bottom + 18}" text-anchor="middle">{tick:g} ×</text>')
    for number, (name, ratios) in enumerate(rows):
        top = TOP + ROW * number
        parts.append(f'<line class="grid" x1="16" x2="{WIDTH - RIGHT}" y1="{top}" y2="{top}"/>')
        parts.append(f'<text x="16" y="{top + ROW / 2 + 5:.1f}">{escape(name)}</text>')
        for lane, (peer, ratio) in enumerate(ratios.items()):
            # One below the other, so that equal ones can be seen.
            y = top + 6 + (ROW - 12) * (lane + 0.5) / len(ratios)
            parts.append(
                f'<path class="{marks[peer]}" transform="translate({place(ratio, ticks):.1f} {y:.1f})" '
                f'd="{MARKS[marks[peer]]}"><title>{escape(f"{name}: {ratio:.2f} × {peer}")}</title></path>'
            )
    return "\n".join([*parts, "</svg>", ""])
