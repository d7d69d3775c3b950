"""Outcomes as a table for the terminal, as Markdown for README and docs, and as JSON that can be read again."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import chart
from .job import BARE, BEFORE, SUBJECT
from .model import Metric, Outcome, Target
from .scenarios import README_ROWS, SCENARIOS
from .servers import ROOT, TITLES
from .wrk import find_program

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

BEGIN = "<!-- benchmarks:begin -->"
END = "<!-- benchmarks:end -->"
WRK_LIMIT = 0.95
CHART = "speed.svg"
CHART_TITLE = "Requests a second: tpserver/peer"

Row = list[str]


def conditions(versions: Mapping[str, str], rounds: int, seconds: int, steps: int, complete: bool) -> dict[str, Any]:
    """Under which conditions a session measures."""
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "wrk": _wrk_version(),
        "versions": dict(versions),
        "rounds": rounds,
        "seconds": seconds,
        "steps": steps,
        "complete": complete,
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.machine()
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _wrk_version() -> str | None:
    program = find_program("wrk")
    if program is None:
        return None
    told = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=10)
    found = re.search(r"[0-9]+\.[0-9]+\.[0-9]+", told.stdout + told.stderr)
    return found[0] if found else "of unknown version"


def sentence(under: Mapping[str, Any]) -> str:
    """The conditions in words."""
    versions = ", ".join(
        f"{name if name == BEFORE else TITLES[name]} {version}"
        for name, version in under["versions"].items()
        if name != "nginx-cache"
    )
    wrk = f", wrk {under['wrk']}" if under["wrk"] else ""
    return (
        f"{under['date']}: {under['cores']} cores of {under['processor']}, {under['system']}, {under['python']}{wrk}, "
        f"no process bound to a core; {versions}. Rounds: {under['rounds']}, seconds each: {under['seconds']}; "
        "the figures are medians."
    )


def number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def ratio(ratios: Iterable[float]) -> str:
    """Median, and from where to where."""
    ordered = sorted(ratios)
    if not ordered:
        return "–"
    text = times(statistics.median(ordered))
    return text if len(ordered) == 1 else f"{text} ({times(ordered[0])}–{times(ordered[-1])})"


def times(value: float) -> str:
    """A ratio. Where the peer has answered nothing at all there is none."""
    return "∞" if value == float("inf") else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def verdict(outcome: Outcome, target: Target) -> str:
    value = outcome.reached(target)
    if value is None:
        return f"{target}: not measured"
    return f"{target}: {'met' if target.met(value) else 'missed'}"


def rows(outcome: Outcome) -> list[Row]:
    """The table of a scenario, its heading first."""
    return _compared(outcome) if outcome.scenario.peers else _alone(outcome)


def _compared(outcome: Outcome) -> list[Row]:
    scenario = outcome.scenario
    heading = ["server"]
    for metric in scenario.metrics:
        heading += [metric.name, "ratio"] if metric.compared else [metric.name]
    table = [[*heading, "target"]]
    for name in outcome.servers():
        row = [TITLES[name]]
        for metric in scenario.metrics:
            row.append(number(outcome.median(name, metric.name), metric.digits))
            if metric.compared:
                row.append("" if name == SUBJECT else ratio(outcome.ratios(name, metric.name)))
        mine = [target for target in scenario.targets if (target.peer or SUBJECT) == name]
        several = sum(metric.compared for metric in scenario.metrics) > 1
        told = "; ".join(f"{target.metric} " * several + verdict(outcome, target) for target in mine)
        table.append([*row, told])
    return table


def _alone(outcome: Outcome) -> list[Row]:
    before = BEFORE in outcome.servers()
    table = [["figure", "median", "lowest–highest", *[TITLES[BEFORE]] * before, "target"]]
    for metric in outcome.scenario.metrics:
        values = outcome.values(SUBJECT, metric.name)
        told = [
            verdict(outcome, target)
            for target in outcome.scenario.targets
            if target.metric == metric.name and (before or target.peer is None)
        ]
        median, old = (number(outcome.median(who, metric.name), metric.digits) for who in (SUBJECT, BEFORE))
        table.append([metric.name, median, _span(values, metric), *[old] * before, "; ".join(told)])
    return table


def _span(values: list[float], metric: Metric) -> str:
    if len(values) < 2:
        return ""
    return f"{number(min(values), metric.digits)}–{number(max(values), metric.digits)}"


def remarks(outcome: Outcome) -> list[str]:
    """What a reader of the table must know."""
    told = [f"{TITLES[name]} failed." for name in outcome.failures]
    full = [name for name in outcome.servers() if (outcome.median(name, "wrk cores") or 0.0) >= WRK_LIMIT]
    if full:
        told.append(f"wrk was at its own limit against {', '.join(TITLES[name] for name in full)}.")
    return told


def text(outcome: Outcome) -> str:
    """For the terminal."""
    scenario = outcome.scenario
    lines = [f"{scenario.name}: {scenario.title}", f"  {scenario.setup}", *aligned(rows(outcome))]
    return "\n".join(lines + [f"  {remark}" for remark in remarks(outcome)])


def aligned(table: Sequence[Row]) -> list[str]:
    """The lines of a table for the terminal: text in the first and last columns, figures in the others."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    last = len(widths) - 1
    lines = []
    for row in table:
        cells = [cell.ljust(widths[i]) if i in (0, last) else cell.rjust(widths[i]) for i, cell in enumerate(row)]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines


def _markdown(heading: Row, table: Sequence[Row], texts: Container[int]) -> str:
    """`texts` are the columns without figures."""
    rule = ["---" if i in texts else "---:" for i in range(len(heading))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heading, rule, *table))


def details(outcomes: Iterable[Outcome], under: Mapping[str, Any]) -> str:
    """For docs/benchmarks.md: conditions, then a table for each scenario."""
    parts = [f"{sentence(under)} A ratio is tpserver/peer within one round: median (lowest–highest)."]
    for outcome in outcomes:
        if not outcome.servers():
            continue
        scenario = outcome.scenario
        heading, *table = rows(outcome)
        small = " ".join([f"{scenario.setup[0].upper()}{scenario.setup[1:]}.", *remarks(outcome)])
        parts += [f"### `{scenario.name}`: {scenario.title}", small, _markdown(heading, table, (0, len(heading) - 1))]
    return "\n\n".join(parts) + "\n"


def _shown(outcomes: Iterable[Outcome]) -> tuple[list[Outcome], list[str]]:
    """What README shows: its rows, as far as they were measured, and the peers that take part in any of them."""
    named = {outcome.scenario.name: outcome for outcome in outcomes}
    chosen = [named[name] for name in README_ROWS if name in named and SUBJECT in named[name].servers()]
    taking_part = {name for outcome in chosen for name in outcome.servers()}
    return chosen, [name for name in TITLES if name in taking_part and name not in (SUBJECT, BEFORE, BARE)]


def _ratio(outcome: Outcome, peer: str) -> float | None:
    """The median ratio of what comes first in a scenario."""
    ratios = outcome.ratios(peer, outcome.scenario.metrics[0].name)
    return statistics.median(ratios) if ratios else None


def summary(outcomes: Iterable[Outcome], under: Mapping[str, Any]) -> str:
    """For README.md: one table, and the chart."""
    chosen, peers = _shown(outcomes)
    table = []
    for outcome in chosen:
        ratios = [_ratio(outcome, peer) for peer in peers]
        rate = number(outcome.median(SUBJECT, outcome.scenario.metrics[0].name))
        title = f"{outcome.scenario.title} (`{outcome.scenario.name}`)"
        table.append([title, rate, *("" if value is None else times(value) for value in ratios)])
    heading = ["scenario", "requests/s", *(TITLES[peer] for peer in peers)]
    parts = [
        "Requests/s of tpserver, and how many times as many as each peer: above 1, tpserver answers more.",
        _markdown(heading, table, (0,)),
        f"![{CHART_TITLE}](docs/{CHART})",
        f"{sentence(under)} All scenarios, and how to repeat them: [docs/benchmarks.md](docs/benchmarks.md).",
    ]
    return "\n\n".join(parts) + "\n"


def picture(outcomes: Iterable[Outcome], under: Mapping[str, Any]) -> str:
    """The chart of what `summary` tells, as SVG."""
    chosen, peers = _shown(outcomes)
    rows: list[chart.Row] = []
    for outcome in chosen:
        ratios = {TITLES[peer]: _ratio(outcome, peer) for peer in peers}
        rows.append((outcome.scenario.title, {peer: value for peer, value in ratios.items() if value is not None}))
    small = f"{under['date']}, {under['python']}, {under['cores']} cores; right of 1 × tpserver answers more"
    return chart.draw(CHART_TITLE, small, rows, [TITLES[peer] for peer in peers])


def publish(outcomes: Sequence[Outcome], under: Mapping[str, Any], root: Path = ROOT) -> None:
    """Writes README's Speed section, its chart, and the tables of docs/benchmarks.md: all three, or ValueError."""
    missing = set(README_ROWS) - {outcome.scenario.name for outcome in _shown(outcomes)[0]}
    if missing:
        raise ValueError(f"README shows what was not measured: {', '.join(sorted(missing))}")
    readme, page = root / "README.md", root / "docs" / "benchmarks.md"
    texts = {
        readme: replaced(readme, summary(outcomes, under)),
        page: replaced(page, details(outcomes, under)),
        root / "docs" / CHART: picture(outcomes, under),
    }
    for path, text in texts.items():
        path.write_text(text, "utf-8")


def replaced(page: Path, text: str) -> str:
    """The page with `text` between its two marks; ValueError when they are not there."""
    old = page.read_text("utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} lacks {BEGIN} or {END}")
    return f"{before}{begin}\n{text}{end}{after}"


def save(page: Path, outcomes: Iterable[Outcome], under: Mapping[str, Any]) -> None:
    """All rounds as JSON."""
    found = [
        {"name": outcome.scenario.name, "rounds": outcome.rounds, "failed": sorted(outcome.failures)}
        for outcome in outcomes
    ]
    page.write_text(json.dumps({"conditions": under, "scenarios": found}, indent=1) + "\n", "utf-8")


def load(page: Path) -> tuple[list[Outcome], dict[str, Any]]:
    """What `save` wrote."""
    saved = json.loads(page.read_text("utf-8"))
    outcomes = [
        Outcome(SCENARIOS[one["name"]], one["rounds"], dict.fromkeys(one["failed"], "")) for one in saved["scenarios"]
    ]
    return outcomes, saved["conditions"]
