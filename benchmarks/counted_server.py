"""A server whose calls are counted: python counted_server.py CASE FOLDER profile|plain

Run as a file, so that PYTHONPATH alone decides whose tpserver it is. It prints its port, and then, for each line on its
standard input, what its threads have called since the line before, as a line of JSON. It ends with its input.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SLOWER = 10_000

Event = tuple[str, str]  # "call" or "return", and the file of the function

_events: dict[int, list[Event]] = {}  # by thread


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, world!"]


def options(case: str, folder: str) -> dict[str, Any]:
    """A case -> the arguments of make_server."""
    if case == "file":
        return {"root": folder}
    return {"app": hello, "in_place": "never"} if case == "pooled" else {"app": hello}


def note(frame: FrameType, event: str, argument: object) -> None:
    """The profile hook of every thread of the server. What built-in functions call is not seen."""
    if event in ("call", "return"):
        _events.setdefault(threading.get_ident(), []).append((event, frame.f_code.co_filename))


def count(threads: Iterable[list[Event]]) -> dict[str, int]:
    """The events of some threads -> calls, returns, files, and how often a thread went from one file to another."""
    threads = [[event for event in events if event[1] != __file__] for events in threads]
    return {
        "calls": sum(event == "call" for events in threads for event, _ in events),
        "returns": sum(event == "return" for events in threads for event, _ in events),
        "files": len({file for events in threads for _, file in events}),
        "moves": sum(one[1] != other[1] for events in threads for one, other in itertools.pairwise(events)),
    }


def slow_clocks() -> None:
    """Clocks nearly stand still: else a quick request is taken for a slow one, since valgrind and hooks make it one."""
    for name in ("monotonic", "perf_counter", "thread_time", "process_time"):
        setattr(time, name, _slowed(getattr(time, name)))


def _slowed(clock: Callable[[], float]) -> Callable[[], float]:
    return lambda: clock() / SLOWER


def main() -> None:
    _, case, folder, how = sys.argv
    if how == "profile":
        threading.setprofile(note)
    slow_clocks()
    from tpserver import make_server  # not before the clocks go as they should

    with make_server("127.0.0.1", 0, **options(case, folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        for _ in sys.stdin:
            os.getpgid(0)  # valgrind dumps its counts before it
            seen = [_events[thread] for thread in list(_events)]
            lengths = [len(events) for events in seen]
            print(json.dumps(count(events[:end] for events, end in zip(seen, lengths, strict=True))), flush=True)
            for events, end in zip(seen, lengths, strict=True):
                del events[:end]
        # What has been counted is counted; how it would end is not the question.
        os._exit(0)


if __name__ == "__main__":
    main()
