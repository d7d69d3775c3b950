"""The long run: python -m tests.fuzz [--minutes N] [--connections N] [--seed N]

First the live server, with garbage and resets on so many connections; then, for the rest of the time, the rules of
HTTP: requests of the corpus are changed, and those that reach new lines are changed further. What is found is printed,
and kept in tests/fuzz/found for good: the next run begins with it, and so do the tests.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import random
import sys
import threading
import traceback
from time import monotonic

from tests import inside
from tests.fuzz.crowd import Crowd, Held, app
from tests.fuzz.guide import reached
from tests.fuzz.mutation import FOUND, mutate, seeds
from tests.fuzz.readings import check, read
from tests.running import Running
from tpserver import make_server
from tpserver.http.message import Memory

WARM_CONNECTIONS = 2000
_SAY_SECONDS = 10.0


def say(line: str) -> None:
    print(line, flush=True)


def fuzz_server(connections: int, seed: int) -> bool:
    """Whether the server holds no more after so many connections than it did before."""
    logging.getLogger("tpserver").addHandler(logging.NullHandler())
    logging.getLogger("tpserver").propagate = False  # it complains of each fault of the application's, rightly
    server = make_server("127.0.0.1", 0, app, root="html", max_body=100_000)
    watcher = threading.Thread(target=server.serve_forever)
    watcher.start()
    try:
        crowd = Crowd(Running(server, watcher), seed)
        crowd.run(min(connections, WARM_CONNECTIONS))
        before = crowd.held_when_all_have_gone()
        begun = said = monotonic()
        while crowd.sent < connections:
            crowd.run(min(1000, connections - crowd.sent))
            if monotonic() - said > _SAY_SECONDS:
                said = monotonic()
                say(f"server: {crowd.sent} connections, {crowd.sent / (said - begun):.0f}/s")
        after = crowd.held_when_all_have_gone()
    except AssertionError:
        say(f"server: FAILED with seed {seed}")
        traceback.print_exc()
        return False
    finally:
        server.shutdown()
        watcher.join()
        server.server_close()
    say(f"server: {crowd.sent} connections with seed {seed}; before {before}, after {after}")
    return no_more(before, after, inside.threads(server))


def no_more(before: Held, after: Held, threads: int) -> bool:
    """Whether nothing is left over. The pool grows when it has to, up to its bound and not beyond."""
    return (
        after.connections == before.connections == 0
        and after.descriptors <= before.descriptors
        and after.threads <= max(before.threads, threads + 4)
    )


def fuzz_rules(seconds: float, seed: int) -> bool:
    """Whether no request was found, in so many seconds, that the rules of HTTP read in two ways, or fail at."""
    chance = random.Random(seed)
    known = list(seeds())
    steps: set[tuple[str, int, int]] = set()
    for data in known:
        steps |= reached(lambda data=data: read([data]))  # type: ignore[misc]
    memory = Memory()
    begun = said = monotonic()
    tried = faults = 0
    while monotonic() < begun + seconds and faults < 20:
        # One half of the time what was found last, for there is more to be found near it.
        data = chance.choice(known[-100:] if chance.randrange(2) else known)
        data = mutate(chance, data, seeds())
        tried += 1
        try:
            check(data, tried, memory)
            # Tracing is slow: one in four is looked at.
            new = reached(lambda data=data: read([data])) - steps if tried % 4 == 0 else ()  # type: ignore[misc]
        except Exception:  # noqa: BLE001 - that is what is looked for
            faults += 1
            keep(data)
            continue
        if new:
            steps |= new
            known.append(data)
        if monotonic() - said > _SAY_SECONDS:
            said = monotonic()
            say(f"rules: {tried} requests, {tried / (said - begun):.0f}/s; {len(known)} kept, {len(steps)} steps")
    say(f"rules: {tried} requests with seed {seed}, {faults} faults")
    return not faults


def keep(data: bytes) -> None:
    """Writes down what was found, with its traceback."""
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
    path.write_bytes(data)
    say(f"FOUND {path}: {data!r}")
    traceback.print_exc()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzzes tpserver, on this machine only.")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long, in all (default: 5)")
    parser.add_argument(
        "--connections", type=int, default=100_000, help="to the live server; 0: none (default: 100000)"
    )
    parser.add_argument("--seed", type=int, help="the same seed sends the same bytes (default: another one each time)")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    end = monotonic() + options.minutes * 60
    fine = fuzz_server(options.connections, seed) if options.connections else True
    fine = fuzz_rules(max(1.0, end - monotonic()), seed) and fine
    say("nothing was found" if fine else "FAILED")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
