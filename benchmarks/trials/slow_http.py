"""slowhttptest in its four modes with 4 000 connections: python -m benchmarks slow-http [--mode MODE]... [--seconds N]

The program is Debian's package `slowhttptest`. Its own visitor tells whether the service was available; a visitor of
ours asks for a page all the while. Both must be answered throughout.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import threading
from typing import NamedTuple

from ..bench import Bench
from ..client import HOST
from ..job import SUBJECT, Job
from ..probe import percentile
from ..process import ServerFailed, need_files
from ..servers import SERVERS
from ..wrk import find_program
from .soak import Visits

PROGRAM = "slowhttptest"
CONNECTIONS = 4000
RATE = 1000  # new connections per second
FEW = 200  # descriptors beside the connections
_MARGIN = 60.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STATUS = re.compile(r"^(initializing|pending|connected|error|closed|service available):\s+(\S+)", re.MULTILINE)

# Mode -> what it does, and the program's options for it.
MODES = {
    "headers": ("slow heads (slowloris)", ("-H", "-i", "5", "-x", "24")),
    "body": ("slow bodies (R-U-Dead-Yet)", ("-B", "-i", "5", "-s", "8192", "-x", "10")),
    "range": ("many ranges (Apache killer)", ("-R", "-a", "10", "-b", "3000", "-t", "HEAD")),
    "read": ("slow readers", ("-X", "-k", "3", "-w", "512", "-y", "1024", "-n", "5", "-z", "32")),
}
PATHS = {"headers": "/quick", "body": "/content", "range": "/100k.bin", "read": "/big"}


class Seen(NamedTuple):
    """What the program said last, and how often it said that the service was not available."""

    last: dict[str, str]
    unavailable: int
    looks: int


def seen(output: str) -> Seen:
    """The program's output -> what it has seen. It writes its counts again every few seconds."""
    told = _STATUS.findall(_COLOUR.sub("", output))
    available = [value for name, value in told if name == "service available"]
    return Seen(dict(told), sum(value != "YES" for value in available), len(available))


def attack(bench: Bench, mode: str, connections: int, seconds: int) -> list[str]:
    """One mode; why it has failed, or nothing."""
    title, options = MODES[mode]
    program = find_program(PROGRAM)
    assert program is not None
    job = Job(app="trials.app:everything", files=True, ready=("/quick", 13))
    with bench.serve(SERVERS[SUBJECT], job) as process:
        visits = Visits(process.port)
        visitor = threading.Thread(target=visits.run)
        visitor.start()
        count = ("-c", str(connections), "-r", str(RATE), "-l", str(seconds), "-p", "3")
        url = f"http://{HOST}:{process.port}{PATHS[mode]}"
        try:
            ended = subprocess.run(
                [program, *options, *count, "-u", url],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds + _MARGIN,
                cwd=bench.folder,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"{PROGRAM} did not end within {seconds + _MARGIN:.0f} s") from None
        finally:
            visits.over.set()
            visitor.join()
        process.rest(0.01)
    return judged(title, seen(ended.stdout + ended.stderr), visits)


def judged(title: str, told: Seen, visits: Visits) -> list[str]:
    """Says how it went; returns why it has failed."""
    taken = visits.take()
    print(f"{title}: {told.last.get('connected', '?')} connected and {told.last.get('closed', '?')} closed at the end")
    if taken:
        p50, p99 = percentile(taken, 0.5), percentile(taken, 0.99)
        print(f"    {len(taken)} visits, {visits.failed} failed")
        print(f"    p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {taken[-1]:.0f} ms")
    found = []
    if not told.looks:
        found.append(f"{title}: {PROGRAM} has told nothing")
    if told.unavailable:
        found.append(f"{title}: not available in {told.unavailable} of {told.looks} looks")
    if visits.failed or not taken:
        found.append(f"{title}: {visits.failed} of {len(taken)} visits failed")
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks slow-http", description=__doc__)
    parser.add_argument("--mode", action="append", choices=MODES, help="only this one; repeatable")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--seconds", type=int, default=40, help="for each mode (default: 40)")
    options = parser.parse_args(arguments)
    if find_program(PROGRAM) is None:
        print(f"{PROGRAM} is not installed (Debian has it as a package)")
        return 1
    need_files(options.connections + FEW)
    found = []
    with Bench.open() as bench:
        for mode in options.mode or MODES:
            found += attack(bench, mode, options.connections, options.seconds)
    print(f"FAILED: {'; '.join(found)}" if found else "passed: the service was available throughout")
    return 1 if found else 0
