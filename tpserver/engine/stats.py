"""The statistics of a server: counts and times of one moment."""

from __future__ import annotations

from collections import Counter
from typing import TypedDict

from tpserver.engine.admission import Admission
from tpserver.engine.costs import Costs, Kind
from tpserver.engine.leadership import Leadership
from tpserver.engine.task import Tasks
from tpserver.system.clock import clock


class ThreadStats(TypedDict):
    """Threads of the application: how many there may be, how many are busy, whether one more runs in place."""

    limit: int
    busy: int
    in_place: int


class QueueStats(TypedDict):
    """Requests that wait, by kind. `mean_seconds`: how long a request occupies a thread."""

    limit: int
    waiting: int
    quick: int
    slow: int
    computing: int
    mean_seconds: float


class RequestStats(TypedDict):
    """Requests since the start: all, those that the pool has run, changes of leader, and those logged as slow."""

    handled: int
    in_pool: int
    promotions: int
    slow: int


class RouteStats(TypedDict):
    """What is known of one route, or group of routes; times in seconds, means."""

    route: str
    place: str
    wait: float
    computing: float
    elapsed: float
    runs: int


class Stats(TypedDict):
    """Counts since the start unless they are of the moment; times in seconds.

    Nothing stops while they are read, so two of them may be of two moments. By cause:

    - `refused` has what was answered with a refusal, of the server's and not of the application's. 503:
      "connection limit", "connection limit of one address" (both before anything was read), "queue full",
      "queue timeout" and "stopping" (while it waited). 408: "head timeout" and "slow body". And what the protocol
      cannot or will not read or serve, in its words; for HTTP those of the status: "bad request" (400), "content too
      large" (413), "uri too long" (414), "request header fields too large" (431) and so on. 503 is "no room for
      content" (`--max-spool`), "disk full", "disk hangs" (a disk that does not answer), "no descriptors", "too many
      listings", "too many archives", or "service unavailable" for other reasons. Each is logged at the level debug,
      with the request.
    - `ended` has what ended with nothing said: "idle timeout" (between two requests), "no request" (nothing came on
      a new connection), "slow reader" (of what was left to send when its request had run), "client gone" (while that
      was in a queue), "disk hangs" (while a file was sent).
    """

    threads: ThreadStats
    queue: QueueStats
    connections: dict[str, int]
    requests: RequestStats
    refused: dict[str, int]
    ended: dict[str, int]
    routes: list[RouteStats]


def collect(
    tasks: Tasks,
    admission: Admission,
    costs: Costs,
    leadership: Leadership,
    *,
    connections: dict[str, int],
    requests: RequestStats,
    refused: dict[str, int],
    ended: dict[str, int],
) -> Stats:
    """The statistics of this moment. Any thread, whether the server runs or not."""
    kinds = Counter(task.kind for task in tasks.queued())
    leading = leadership.request
    return Stats(
        threads=ThreadStats(
            limit=admission.threads,
            busy=len(tasks.running),
            in_place=int(leading is not None and not leading.runs_inline),
        ),
        queue=QueueStats(
            limit=admission.queue,
            waiting=sum(kinds.values()),
            quick=kinds[Kind.QUICK] + kinds[Kind.BRIEF] + kinds[Kind.TRIAL],
            slow=kinds[Kind.LONG] + kinds[Kind.LONG_TRIAL],
            computing=kinds[Kind.COMPUTING],
            mean_seconds=admission.mean,
        ),
        connections=connections,
        requests=requests,
        refused=refused,
        ended=ended,
        routes=[
            RouteStats(
                route=name,
                place="in place" if cost.quick else "computing" if kind is Kind.COMPUTING else "pool",
                wait=cost.waiting,
                computing=cost.computing,
                elapsed=cost.elapsed,
                runs=cost.seen,
            )
            for name, cost, kind in costs.records(clock.perf_counter())
        ],
    )
