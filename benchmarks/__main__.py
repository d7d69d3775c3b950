"""The command line: python -m benchmarks [--scenario NAME]... [--peer NAME]...

`python -m benchmarks soak`, `garbage` and `slow-http` are programs of their own, for tpserver alone: see `TRIALS`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import report
from .bench import WARM_SECONDS, Bench
from .model import SUBJECT, Outcome, Scenario, Target
from .process import ServerFailed
from .scenarios import SCENARIOS
from .servers import PEERS, ROOT, SERVERS
from .wrk import find_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

# Word -> module: long trials of tpserver alone, each of which passes or fails.
TRIALS = {"soak": "soak", "garbage": "garbage", "slow-http": "slow_http"}
START_SECONDS = 1.0  # about what a server takes to start and to end


def say(line: str) -> None:
    """Progress; the tables alone go to standard output."""
    print(line, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures tpserver against the peers that are installed, on this machine, one after another.",
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each server has its turn (default: 5)")
    parser.add_argument("--seconds", type=int, default=3, help="how long wrk runs each time (default: 3)")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one; repeatable")
    parser.add_argument("--peer", action="append", choices=PEERS, help="only against this one; repeatable")
    parser.add_argument("--list", action="store_true", help="say what there is, and measure nothing")
    parser.add_argument("--pin", action="store_true", help="wrk on the last core, the server on the others")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every round to this file")
    parser.add_argument("--from", type=Path, metavar="PATH", dest="saved", help="only report what --json wrote")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of plain tables")
    parser.add_argument("--update-readme", action="store_true", help="put the Markdown between the marks in README.md")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    if options.pin and (not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2):
        parser.error("--pin needs Linux and two cores")
    return options


def goal(target: Target) -> str:
    return f"{target.metric} {target}" + (f" to {target.peer}" if target.peer else "")


def show_list() -> None:
    for scenario in SCENARIOS.values():
        print(f"{scenario.name}: {scenario.title}")
        print(f"    {scenario.setup}")
        if scenario.peers:
            print(f"    against {', '.join(scenario.peers)}")
        if scenario.targets:
            print(f"    targets: {'; '.join(goal(target) for target in scenario.targets)}")
    print()
    for name, server in SERVERS.items():
        version = server.version()
        print(f"{name} {version}" if version else f"{name}: not found ({server.advice()})")
    print("wrk" if find_program("wrk") else "wrk: not found (install it from the system's packages)")


def installed(wanted: Sequence[str]) -> dict[str, str]:
    """Server -> version, of those that are there; the others are named."""
    versions: dict[str, str] = {}
    for name in wanted:
        version = SERVERS[name].version()
        if version:
            versions[name] = version
        else:
            say(f"{name} is left out: not found ({SERVERS[name].advice()})")
    return versions


def possible(scenarios: Sequence[Scenario], versions: Sequence[str]) -> list[Scenario]:
    """Those that can be measured here; why the others cannot is said."""
    found = []
    for scenario in scenarios:
        if scenario.needs_wrk and find_program("wrk") is None:
            say(f"{scenario.name} is left out: it needs wrk, which is not installed")
        elif scenario.needs_proc and not Path("/proc/self/stat").exists():
            say(f"{scenario.name} is left out: it needs Linux")
        elif not any(name in versions for name in (SUBJECT, *scenario.peers)):
            say(f"{scenario.name} is left out: there is no server for it")
        else:
            found.append(scenario)
    return found


def measure(bench: Bench, scenario: Scenario, names: Sequence[str], rounds: int, outcome: Outcome) -> None:
    """All rounds. Each begins with another server, so that none always follows the same one; who fails is left out."""
    for turn in range(min(rounds, scenario.most_rounds)):
        figures: dict[str, dict[str, float]] = {}
        outcome.rounds.append(figures)
        start = turn % len(names)
        for name in [*names[start:], *names[:start]]:
            if name in outcome.failures:
                continue
            try:
                figures[name] = scenario.measure(bench, SERVERS[name], scenario.job)
            except (ServerFailed, OSError) as error:
                outcome.failures[name] = str(error)
                say(f"{scenario.name} {turn + 1}: {name} failed: {error}")
            else:
                first = scenario.metrics[0]
                value = report.number(figures[name][first.name], first.digits)
                say(f"{scenario.name} {turn + 1}: {name} {value} {first.name}")


def duration(scenario: Scenario, servers: int, options: argparse.Namespace) -> float:
    """About how many seconds it takes."""
    run = scenario.run_seconds or options.seconds + WARM_SECONDS
    return float(min(options.rounds, scenario.most_rounds) * servers * (run + START_SECONDS))


def session(options: argparse.Namespace) -> tuple[list[Outcome], dict[str, Any]]:
    """Measure what is asked for."""
    versions = installed([SUBJECT, *(options.peer or PEERS)])
    scenarios = possible([SCENARIOS[name] for name in options.scenario or SCENARIOS], list(versions))
    plan = {one.name: [name for name in (SUBJECT, *one.peers) if name in versions] for one in scenarios}
    minutes = sum(duration(one, len(plan[one.name]), options) for one in scenarios) / 60
    say(f"{len(scenarios)} scenarios, about {minutes:.0f} min")
    cores = sorted(os.sched_getaffinity(0)) if options.pin else []
    complete = True
    outcomes = [Outcome(scenario) for scenario in scenarios]
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        program = find_program("wrk")
        bench = Bench(Path(folder), options.seconds, program, cores[:-1] or None, cores[-1:] or None)
        bench.make_files()
        try:
            for outcome in outcomes:
                name = outcome.scenario.name
                measure(bench, outcome.scenario, plan[name], options.rounds, outcome)
        except KeyboardInterrupt:
            say("interrupted: what has been measured so far")
            complete = False
    under = report.conditions(versions, options.rounds, options.seconds, options.pin, complete)
    return [outcome for outcome in outcomes if outcome.servers() or outcome.failures], under


def interrupt(number: int, frame: FrameType | None) -> None:
    """Told to end: end the servers that were started, too."""
    raise KeyboardInterrupt


def trial(name: str, arguments: Sequence[str]) -> int:
    """Exit status: 0 passed, 1 failed."""
    if not Path("/proc/self/stat").exists():
        say(f"{name} needs Linux")
        return 1
    try:
        status: int = importlib.import_module(f".{TRIALS[name]}", __package__).main(list(arguments))
    except (ServerFailed, OSError) as error:
        say(f"{name} FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"{name} was interrupted")
        return 130
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in TRIALS:
        signal.signal(signal.SIGTERM, interrupt)
        return trial(words[0], words[1:])
    options = parse(arguments)
    if options.list:
        show_list()
        return 0
    signal.signal(signal.SIGTERM, interrupt)
    outcomes, under = report.load(options.saved) if options.saved else session(options)
    if options.json:
        report.save(options.json, outcomes, under)
    page = report.markdown(outcomes, under)
    if options.markdown:
        print(page, end="")
    else:
        print("\n\n".join([report.sentence(under), *map(report.text, outcomes)]))
    if not under["complete"]:
        return 130
    if options.update_readme:
        try:
            report.update(ROOT / "README.md", page)
        except (OSError, ValueError) as error:
            say(f"README.md is as it was: {error}")
            return 1
    return 0 if any(outcome.servers() for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
