"""Outcomes as a table for the terminal, as Markdown, and as JSON that can be read again."""

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

from .model import SUBJECT, Metric, Outcome, Target
from .scenarios import SCENARIOS
from .servers import SERVERS
from .wrk import find_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BEGIN = "<!-- benchmarks:begin -->"
END = "<!-- benchmarks:end -->"
WRK_LIMIT = 0.95

Row = list[str]


def conditions(versions: Mapping[str, str], rounds: int, seconds: int, pinned: bool, complete: bool) -> dict[str, Any]:
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
        "pinned": pinned,
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
    versions = ", ".join(f"{name} {version}" for name, version in under["versions"].items() if name != "nginx-cache")
    wrk = f", wrk {under['wrk']}" if under["wrk"] else ""
    pinned = "server and wrk on cores of their own" if under["pinned"] else "no process bound to a core"
    return (
        f"{under['date']}: {under['cores']} cores of {under['processor']}, {under['system']}, {under['python']}{wrk}, "
        f"{pinned}; {versions}. Rounds: {under['rounds']}, seconds each: {under['seconds']}; the figures are medians, "
        f"and a ratio is tpserver/peer within one round: median (lowest–highest)."
    )


def number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def ratio(ratios: Iterable[float]) -> str:
    """Median, and from where to where."""
    ordered = sorted(ratios)
    if not ordered:
        return "–"
    text = f"{statistics.median(ordered):.2f}"
    return text if len(ordered) == 1 else f"{text} ({ordered[0]:.2f}–{ordered[-1]:.2f})"


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
        row = [SERVERS[name].title]
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
    table = [["figure", "median", "lowest–highest", "target"]]
    for metric in outcome.scenario.metrics:
        values = outcome.values(SUBJECT, metric.name)
        told = [verdict(outcome, target) for target in outcome.scenario.targets if target.metric == metric.name]
        median = number(outcome.median(SUBJECT, metric.name), metric.digits)
        table.append([metric.name, median, _span(values, metric), "; ".join(told)])
    return table


def _span(values: list[float], metric: Metric) -> str:
    if len(values) < 2:
        return ""
    return f"{number(min(values), metric.digits)}–{number(max(values), metric.digits)}"


def remarks(outcome: Outcome) -> list[str]:
    """What a reader of the table must know."""
    told = [f"{SERVERS[name].title} failed." for name in outcome.failures]
    full = [name for name in outcome.servers() if (outcome.median(name, "wrk cores") or 0.0) >= WRK_LIMIT]
    if full:
        told.append(f"wrk was at its own limit against {', '.join(SERVERS[name].title for name in full)}.")
    return told


def text(outcome: Outcome) -> str:
    """For the terminal."""
    scenario = outcome.scenario
    lines = [f"{scenario.name}: {scenario.title}", f"  {scenario.setup}"]
    table = rows(outcome)
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    last = len(widths) - 1
    for row in table:
        cells = [cell.ljust(widths[i]) if i in (0, last) else cell.rjust(widths[i]) for i, cell in enumerate(row)]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join(lines + [f"  {remark}" for remark in remarks(outcome)])


def markdown(outcomes: Iterable[Outcome], under: Mapping[str, Any]) -> str:
    """For the README: conditions, then a table for each scenario."""
    parts = [sentence(under)]
    for outcome in outcomes:
        if not outcome.servers():
            continue
        scenario = outcome.scenario
        heading, *table = rows(outcome)
        last = len(heading) - 1
        rule = ["---" if i in (0, last) else "---:" for i in range(len(heading))]
        lines = ["| " + " | ".join(row) + " |" for row in (heading, rule, *table)]
        small = " ".join([f"{scenario.setup[0].upper()}{scenario.setup[1:]}.", *remarks(outcome)])
        parts += [f"**{scenario.title}** (`{scenario.name}`)", small, "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def update(page: Path, text: str) -> None:
    """Replace what stands between the two marks; ValueError when they are not there."""
    old = page.read_text("utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} lacks {BEGIN} or {END}")
    page.write_text(f"{before}{begin}\n{text}{end}{after}", "utf-8")


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
