"""What noise does not move: python -m benchmarks counts [--against DIR] [--case CASE]...

For one request of each case: how many Python functions are called and return in the server's threads (the most common
count of some hundreds of requests), in how many files, how often control goes from one file to another, and how many
instructions the server's process executes (by valgrind's callgrind, which dumps its counts after each lot of requests).
The clients are another process, on loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .client import Client
from .job import BEFORE, SUBJECT
from .process import ServerFailed
from .report import aligned
from .servers import ROOT, checkout
from .wrk import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CASES = {
    "hello": "hello, head seen",
    "new": "hello, head new",
    "file": "file of 1 KiB, head seen",
    "pooled": "hello in the pool, head seen",
}
COLUMNS = ("calls", "returns", "files", "moves", "instructions")
WARM_REQUESTS = 192
PROFILED_REQUESTS = 300
AT_ONCE = 16  # connections that ask at the same time, while instructions are counted
LOTS, LOT_REQUESTS = 20, 64
DUMP, DUMP_BEFORE = "dump", "getpgid"
SAID = "said.txt"
_END_SECONDS = 120.0
_TOTAL = re.compile(r"^totals: ([0-9]+)", re.MULTILINE)
_HEAD = """\
GET {path} HTTP/1.1\r
Host: 127.0.0.1\r
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r
Accept-Language: en-US,en;q=0.9,de;q=0.7\r
Accept-Encoding: gzip, deflate, br, zstd\r
Referer: http://127.0.0.1/articles/\r
Connection: keep-alive\r
Cookie: session={session:032x}; theme=dark; consent=yes\r
Upgrade-Insecure-Requests: 1\r
Sec-Fetch-Mode: navigate\r
\r
"""


def head(case: str, number: int) -> bytes:
    """The head of one request, as a browser sends it; path and cookie differ only where they are to be new."""
    number = number if case == "new" else 0
    path = "/1k.bin" if case == "file" else f"/articles/{10_000 + number}/comments?page={number % 7 + 1}"
    return _HEAD.format(path=path, session=number * 2_654_435_761).encode("ascii")


class CountingServer:
    """A server that counts, and its clients."""

    def __init__(self, case: str, process: subprocess.Popen[str], clients: list[Client]) -> None:
        self._case = case
        self._process = process
        self._clients = clients
        self._asked = 0

    def ask(self) -> None:
        """One request on each connection. The server stands still until several are sent: it meets them in one turn."""
        if len(self._clients) > 1:
            self._process.send_signal(signal.SIGSTOP)
        for client in self._clients:
            client.send_bytes(head(self._case, self._asked))
            self._asked += 1
        self._process.send_signal(signal.SIGCONT)
        for client in self._clients:
            status = client.receive().status
            if status != 200:
                raise ServerFailed(f"answered {status}")

    def called(self) -> dict[str, int]:
        """What was called since it was asked last."""
        stdin, stdout = _pipes(self._process)
        print(file=stdin, flush=True)
        counts: dict[str, int] = json.loads(stdout.readline())
        return counts


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


@contextmanager
def serving(case: str, folder: Path, code: Path, how: str, connections: int) -> Iterator[CountingServer]:
    """The server of that checkout, warm. What it says on stderr goes to the file SAID in the folder."""
    command = [sys.executable, str(Path(__file__).with_name("counted_server.py")), case, str(folder), how]
    if how == "plain":
        dump = f"--callgrind-out-file={folder / DUMP}"
        command = ["valgrind", "--tool=callgrind", dump, f"--dump-before={DUMP_BEFORE}", *command]
    # Hashes decide how often look-ups collide: they are the same each time.
    environment = {**os.environ, "PYTHONPATH": str(code), "PYTHONHASHSEED": "0"}
    with ExitStack() as stack:
        said = stack.enter_context((folder / SAID).open("w"))
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
        )
        stack.enter_context(process)
        stack.callback(process.kill)
        stdin, stdout = _pipes(process)
        port = stdout.readline()
        if not port:
            raise ServerFailed(f"did not start: {(folder / SAID).read_text('utf-8').strip().rpartition(chr(10))[2]}")
        clients = [stack.enter_context(Client(int(port), timeout=_END_SECONDS)) for _ in range(connections)]
        counted = CountingServer(case, process, clients)
        for _ in range(WARM_REQUESTS // connections):
            counted.ask()
        yield counted
        stdin.close()
        process.wait(_END_SECONDS)


def calls(case: str, folder: Path, code: Path) -> dict[str, int]:
    """Of one request that comes alone: the counts that are most common."""
    with serving(case, folder, code, "profile", 1) as counted:
        counted.called()
        seen: Counter[tuple[tuple[str, int], ...]] = Counter()
        for _ in range(PROFILED_REQUESTS):
            counted.ask()
            seen[tuple(counted.called().items())] += 1
    return dict(seen.most_common(1)[0][0])


def instructions(case: str, folder: Path, code: Path) -> int:
    """Of one request, where some come at once: the lowest of some lots, since what else happens only adds to them."""
    for old in folder.glob(f"{DUMP}*"):
        old.unlink()
    with serving(case, folder, code, "plain", AT_ONCE) as counted:
        counted.called()
        for _ in range(LOTS):
            for _ in range(LOT_REQUESTS // AT_ONCE):
                counted.ask()
            counted.called()
    dumps = [(folder / f"{DUMP}.{number}").read_text("utf-8") for number in range(2, LOTS + 2)]
    totals = [int(found[1]) for found in map(_TOTAL.search, dumps) if found]
    if len(totals) != LOTS:
        raise ServerFailed("valgrind told nothing")
    return round(min(totals) / LOT_REQUESTS)


def table(found: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    """Case -> who -> column -> count, as text. A count that could not be made is left out."""
    rows = [["", *COLUMNS]]
    for case, counted in found.items():
        for who, counts in counted.items():
            rows.append(
                [f"{CASES[case]}: {who}", *(f"{counts[name]:,}" if name in counts else "–" for name in COLUMNS)]
            )
    return "\n".join(aligned(rows))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks counts", description=__doc__)
    parser.add_argument("--case", action="append", choices=CASES, help="only this one; repeatable")
    parser.add_argument("--against", type=checkout, metavar="DIR", help="count another checkout, too")
    options = parser.parse_args(arguments)
    count_instructions = find_program("valgrind") is not None
    if not count_instructions:
        print("no instructions are counted: valgrind is not installed", file=sys.stderr)
    places = {SUBJECT: ROOT} | ({BEFORE: options.against} if options.against else {})
    found: dict[str, dict[str, dict[str, int]]] = {}
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        file = folder / "1k.bin"
        file.write_bytes(os.urandom(1024))
        os.utime(file, (0, 0))  # what is known of a file that has just changed is not believed
        for case in options.case or CASES:
            for who, code in places.items():
                counts = calls(case, folder, code)
                if count_instructions:
                    counts["instructions"] = instructions(case, folder, code)
                found.setdefault(case, {})[who] = counts
                print(f"{case}: {who} {counts}", file=sys.stderr, flush=True)
    print(table(found))
    return 0
