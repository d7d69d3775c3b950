"""What is measured, against whom, and what is aimed at."""

from __future__ import annotations

from . import loads, trials
from .bench import FILES, TEXT
from .model import Job, Metric, Scenario, Target
from .wrk import Load

APPLICATION_PEERS = ("waitress", "cheroot", "gunicorn", "granian")
STATIC_PEERS = ("nginx", "nginx-cache")

RATE = Metric("requests/s", compared=True)
P99 = Metric("p99 ms", digits=2)
ERRORS = Metric("errors")

SCENARIOS: dict[str, Scenario] = {}


def _add(scenario: Scenario) -> None:
    SCENARIOS[scenario.name] = scenario


_add(
    Scenario(
        "hello",
        "An application of 13 bytes",
        "64 keep-alive connections, the same request head again and again; 8 threads, granian one, bjoern none",
        Job(app="hello", quick=True),
        loads.throughput(Load()),
        (RATE, P99, ERRORS),
        (*APPLICATION_PEERS, "bjoern"),
        (
            Target("requests/s", 8.0, "waitress"),
            Target("requests/s", 12.0, "gunicorn"),
            Target("requests/s", 0.8, "granian"),
        ),
    )
)
_add(
    Scenario(
        "browser",
        "The same application asked by browsers",
        "64 keep-alive connections, ten fields, path and cookie differ from request to request; threads as above",
        Job(app="hello", quick=True),
        loads.throughput(Load(script="browser")),
        (RATE, P99, ERRORS),
        (*APPLICATION_PEERS, "bjoern"),
        (Target("requests/s", 5.0, "waitress"),),
    )
)
for _file, _size, _unit in (
    ("1k", "1 KiB", RATE),
    ("10k", "10 KiB", RATE),
    ("100k", "100 KiB", RATE),
    ("20m", "20 MiB", Metric("MB/s", compared=True)),
):
    _add(
        Scenario(
            f"static-{_file}",
            f"A file of {_size}",
            "64 keep-alive connections; nginx with one worker and sendfile",
            Job(files=True, ready=("/1k.bin", FILES["1k.bin"])),
            loads.throughput(Load(f"/{_file}.bin")),
            (_unit, P99, ERRORS),
            STATIC_PEERS,
            (Target(_unit.name, 1.0, "nginx"),) if _file == "1k" else (),
        )
    )
_add(
    Scenario(
        "static-gzip",
        "A text of 50 KiB for clients that take gzip",
        "64 keep-alive connections; nginx compresses each answer, at its default level 1; tpserver each file once",
        Job(files=True, ready=("/1k.bin", FILES["1k.bin"])),
        loads.throughput(Load(f"/{TEXT}", script="gzip")),
        (RATE, Metric("KiB per answer", digits=1), P99, ERRORS),
        STATIC_PEERS,
        (Target("requests/s", 3.0, "nginx"),),
    )
)
_add(
    Scenario(
        "sleep",
        "An application that waits 10 ms",
        "64 keep-alive connections, 8 threads: 800 requests/s is what arithmetic allows 8 threads",
        Job(app="sleep"),
        loads.throughput(Load()),
        (RATE, P99, ERRORS),
        APPLICATION_PEERS,
        (Target("requests/s", 780.0),),
    )
)
_QUICK = Metric("quick p99 ms", compared=True, digits=2)
_AHEAD = tuple(
    target
    for peer in ("waitress", "cheroot", "gunicorn")
    for target in (Target("requests/s", 1.0, peer), Target("quick p99 ms", 1.0, peer, least=False))
)
_add(
    Scenario(
        "mixed",
        "One request in 50 waits 50 ms",
        "64 keep-alive connections, 8 threads; the slow ones have a path of their own; "
        "quick p99: one more visitor, who asks for quick ones only",
        Job(app="mixed"),
        loads.mixed(Load(script="mixed")),
        (RATE, _QUICK, ERRORS),
        APPLICATION_PEERS,
        _AHEAD,
    )
)
_add(
    Scenario(
        "mixed-counter",
        "One request in 50 waits 50 ms, and nothing tells which",
        "as above, but every request has the same path and the application counts",
        Job(app="mixed"),
        loads.mixed(Load()),
        (RATE, _QUICK, ERRORS),
        APPLICATION_PEERS,
        _AHEAD,
    )
)
_add(
    Scenario(
        "mixed-paced",
        "One request in 50 waits 50 ms, and all servers get the same load",
        "as mixed, but the 64 clients pause 32 ms on average, which every server can keep up with",
        Job(app="mixed"),
        loads.mixed(Load(script="paced")),
        (RATE, _QUICK, ERRORS),
        APPLICATION_PEERS,
        tuple(target for target in _AHEAD if target.metric == _QUICK.name),
    )
)
_add(
    Scenario(
        "compute",
        "Quick requests beside computing ones",
        "two connections ask for 300 ms of pure Python all the time, 64 ask for 13 bytes; 8 threads",
        Job(app="compute"),
        loads.beside(Load(), Load("/compute", connections=2), "computed/s"),
        (RATE, P99, Metric("computed/s", digits=1), ERRORS),
        APPLICATION_PEERS,
        (Target("requests/s", 10.0, "waitress"), Target("requests/s", 1.5, "granian")),
    )
)
_add(
    Scenario(
        "flask",
        "A Flask application with an instant page, and one that waits 2 s",
        "64 keep-alive connections ask for each of the two; 8 threads",
        Job(app="flask", ready=("/instant", 7)),
        loads.beside(Load("/instant"), Load("/slow"), "slow/s"),
        (RATE, P99, Metric("slow/s", digits=1), ERRORS),
        APPLICATION_PEERS,
        (Target("p99 ms", 25.0, least=False),),
    )
)
_add(
    Scenario(
        "hung",
        "Every thread of the application hangs",
        f"{trials.THREADS} threads, a queue of {trials.QUEUE}, as many requests that do not end, "
        f"then {trials.OVERFLOW} more of them and {trials.FILE_REQUESTS} for a file",
        Job(
            app="hung",
            threads=trials.THREADS,
            files=True,
            options=("--queue", str(trials.QUEUE)),
            ready=("/1k.bin", FILES["1k.bin"]),
        ),
        trials.hung,
        (
            Metric("refused at once"),
            Metric("slowest refusal ms", digits=1),
            Metric("file p50 ms", digits=1),
            Metric("slowest file ms", digits=1),
        ),
        targets=(
            Target("refused at once", trials.OVERFLOW),
            Target("slowest refusal ms", 50.0, least=False),
            Target("slowest file ms", 50.0, least=False),
        ),
        needs_wrk=False,
        most_rounds=3,
        run_seconds=5.0,
    )
)
_add(
    Scenario(
        "slow-clients",
        "Eleven thousand bad clients at once",
        "2000 drip a head and 2000 a body at a byte a second, 2000 do not read a large response, 5000 idle; "
        f"a visitor asks every {trials.VISIT_EVERY * 1000:.0f} ms all along; watched for {trials.CROWD_SECONDS:.0f} s",
        Job(app="big", options=trials.CONNECTIONS_OPTION),
        trials.slow_clients,
        (
            Metric("visits"),
            Metric("visits failed"),
            Metric("visit p99 ms", digits=1),
            Metric("slowest visit ms", digits=1),
            Metric("connected within s", digits=1),
            Metric("head: ended"),
            Metric("head: median s", digits=1),
            Metric("head: last s", digits=1),
            Metric("head: told 408"),
            Metric("body: ended"),
            Metric("body: median s", digits=1),
            Metric("body: last s", digits=1),
            Metric("body: told 408"),
            Metric("idle: ended"),
            Metric("all but idle gone s", digits=1),
            Metric("most sockets"),
            Metric("sockets left"),
            Metric("most memory MiB", digits=1),
        ),
        targets=(
            Target("visits failed", 0, least=False),
            Target("slowest visit ms", 100.0, least=False),
            Target("head: ended", trials.CROWD["head"]),
            Target("body: ended", trials.CROWD["body"]),
            Target("idle: ended", 0, least=False),
            Target("sockets left", trials.CROWD["idle"] + trials.FEW, least=False),
        ),
        needs_wrk=False,
        needs_proc=True,
        most_rounds=1,
        run_seconds=trials.CROWD_SECONDS + 10,
    )
)
_add(
    Scenario(
        "idle-memory",
        "The memory of an idle connection",
        f"{trials.IDLE_CONNECTIONS} connections that have made one request each; resident size of the process",
        Job(app="hello", options=trials.CONNECTIONS_OPTION),
        trials.idle_memory,
        (Metric("KiB per connection", digits=2), Metric("connections kept"), Metric("resident MiB", digits=1)),
        targets=(
            Target("KiB per connection", 8.0, least=False),
            Target("connections kept", trials.IDLE_CONNECTIONS),
        ),
        needs_wrk=False,
        needs_proc=True,
        most_rounds=1,
        run_seconds=5.0,
    )
)
_add(
    Scenario(
        "idle",
        "An idle server",
        f"processor time over {trials.IDLE_SECONDS:.0f} s without a request",
        Job(app="hello"),
        trials.idle,
        (Metric("% of a core", digits=2),),
        targets=(Target("% of a core", 0.2, least=False),),
        needs_wrk=False,
        needs_proc=True,
        most_rounds=1,
        run_seconds=trials.IDLE_SECONDS + 2,
    )
)
