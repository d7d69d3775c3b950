"""The command line: python -m benchmarks [--scenario NAME]... [--peer NAME]... [--against DIR]

`python -m benchmarks counts`, `soak`, `garbage`, `slow-http` and `rolling` are programs of their own: see `PROGRAMS`.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import report
from .apps import work
from .bench import WARM_SECONDS, Bench
from .job import BEFORE, SUBJECT
from .model import Outcome, Scenario, Target
from .process import ServerFailed
from .scenarios import SCENARIOS
from .servers import PEERS, SERVERS, Server, TPServer, checkout
from .wrk import find_program

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from types import FrameType

# Word -> module, with a `main` of its own.
PROGRAMS = {
    "counts": "counts",
    "soak": "trials.soak",
    "garbage": "trials.garbage",
    "slow-http": "trials.slow_http",
    "rolling": "trials.rolling",
}
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
    parser.add_argument("--list", action="store_true", help="list scenarios and servers; measure nothing")
    parser.add_argument(
        "--against", type=checkout, metavar="DIR", help="another checkout of tpserver takes part, as the peer 'before'"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every round to this file")
    parser.add_argument("--from", type=Path, metavar="PATH", dest="saved", help="only report what --json wrote")
    parser.add_argument(
        "--update-readme", action="store_true", help="write README's Speed section, its chart, and docs/benchmarks.md"
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
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


def installed(wanted: Iterable[Server]) -> dict[str, str]:
    """Server -> version, of those that are installed; the others are named."""
    versions: dict[str, str] = {}
    for server in wanted:
        version = server.version()
        if version:
            versions[server.name] = version
        else:
            say(f"{server.name} is left out: not found ({server.advice()})")
    return versions


def possible(scenarios: Sequence[Scenario], versions: Collection[str]) -> list[Scenario]:
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


def measure(bench: Bench, outcome: Outcome, servers: Sequence[Server], rounds: int) -> None:
    """All rounds. Each begins with another server, so that none always follows the same one; who fails is left out."""
    scenario = outcome.scenario
    for turn in range(min(rounds, scenario.most_rounds)):
        figures: dict[str, dict[str, float]] = {}
        outcome.rounds.append(figures)
        start = turn % len(servers)
        for server in [*servers[start:], *servers[:start]]:
            name = server.name
            if name in outcome.failures:
                continue
            try:
                figures[name] = scenario.measure(bench, server, scenario.job)
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
    taking_part: dict[str, Server] = {SUBJECT: SERVERS[SUBJECT]}
    if options.against:
        taking_part[BEFORE] = TPServer(BEFORE, options.against)
    taking_part |= {name: SERVERS[name] for name in options.peer or PEERS}
    versions = installed(taking_part.values())
    outcomes = [Outcome(one) for one in possible([SCENARIOS[name] for name in options.scenario or SCENARIOS], versions)]
    plan = [
        [server for name, server in taking_part.items() if name in versions and outcome.takes(name)]
        for outcome in outcomes
    ]
    minutes = (
        sum(duration(one.scenario, len(servers), options) for one, servers in zip(outcomes, plan, strict=True)) / 60
    )
    say(f"{len(outcomes)} scenarios, about {minutes:.0f} min")
    complete = True
    steps = work.calibrate()
    with Bench.open(options.seconds, steps) as bench:
        try:
            for outcome, servers in zip(outcomes, plan, strict=True):
                measure(bench, outcome, servers, options.rounds)
        except KeyboardInterrupt:
            say("interrupted: what has been measured so far")
            complete = False
    under = report.conditions(versions, options.rounds, options.seconds, steps, complete)
    return [outcome for outcome in outcomes if outcome.servers() or outcome.failures], under


def interrupt(number: int, frame: FrameType | None) -> None:
    """Told to end: end the servers that were started, too."""
    raise KeyboardInterrupt


def run_program(name: str, arguments: Sequence[str]) -> int:
    """Exit status: 0 passed, 1 failed."""
    if not Path("/proc/self/stat").exists():
        say(f"{name} needs Linux")
        return 1
    try:
        status: int = importlib.import_module(f".{PROGRAMS[name]}", __package__).main(list(arguments))
    except (ServerFailed, OSError) as error:
        say(f"{name} FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"{name} was interrupted")
        return 130
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in PROGRAMS:
        signal.signal(signal.SIGTERM, interrupt)
        return run_program(words[0], words[1:])
    options = parse(arguments)
    if options.list:
        show_list()
        return 0
    signal.signal(signal.SIGTERM, interrupt)
    outcomes, under = report.load(options.saved) if options.saved else session(options)
    if options.json:
        report.save(options.json, outcomes, under)
    print("\n\n".join([report.sentence(under), *map(report.text, outcomes)]))
    if not under["complete"]:
        return 130
    if options.update_readme:
        try:
            report.publish(outcomes, under)
        except (OSError, ValueError) as error:
            say(f"README.md is as it was: {error}")
            return 1
    return 0 if any(outcome.servers() for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
