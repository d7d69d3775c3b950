"""What is measured, against whom, and what is aimed at."""

from __future__ import annotations

from . import costs, limits, loads
from .apps.plain import Trap
from .bench import FILES, TEXT
from .job import BARE, BEFORE, Job
from .model import Metric, Scenario, Target
from .wrk import Load

THREADED_PEERS = ("waitress", "cheroot", "gunicorn")
APPLICATION_PEERS = (*THREADED_PEERS, "granian")
STATIC_PEERS = ("nginx", "nginx-cache")

RATE = Metric("requests/s", compared=True)
P99 = Metric("p99 ms", digits=2)
QUICK_P99 = Metric("quick p99 ms", compared=True, digits=2)
ERRORS = Metric("errors")

# What runs at once disturbs two equal servers alike, but for some hundredths.
EQUAL = 0.97

SCENARIOS: dict[str, Scenario] = {}


def _add(scenario: Scenario) -> None:
    SCENARIOS[scenario.name] = scenario


def _at_least(bound: float, *peers: str, metric: str = RATE.name) -> tuple[Target, ...]:
    """A ratio to each of these peers."""
    return tuple(Target(metric, bound, peer) for peer in peers)


_AS_BEFORE = _at_least(EQUAL, BEFORE)
_BEST = _at_least(EQUAL, *THREADED_PEERS)


def _application(
    name: str,
    title: str,
    setup: str,
    app: str,
    load: Load,
    targets: tuple[Target, ...],
    *,
    quick: bool = False,
    peers: tuple[str, ...] = APPLICATION_PEERS,
) -> None:
    """As many requests of one kind as the server answers."""
    job = Job(app=app, quick=quick)
    _add(Scenario(name, title, setup, job, loads.throughput(load), (RATE, P99, ERRORS), peers, targets))


_PLAIN, _BROWSER = Load(), Load(script="browser")

_application(
    "django-page",
    "A Django page with a template",
    "about 0.6 ms of work; 64 keep-alive connections, heads of browsers, path and cookie new each time; 8 threads",
    "apps.django_site:app",
    _BROWSER,
    (*_at_least(1.4, "waitress", "gunicorn"), *_at_least(1.0, "granian")),
)
_application(
    "flask-hello",
    "A Flask page of 13 bytes",
    "64 keep-alive connections, the same request head again and again; 8 threads, granian one",
    "apps.flask_site:app",
    _PLAIN,
    (*_at_least(2.0, "waitress"), *_at_least(1.0, "granian")),
    quick=True,
)
for _ms in ("0.3", "1", "3", "10"):
    _application(
        f"page-{_ms}",
        f"A page of {_ms} ms of work",
        "pure Python, without a framework; 64 keep-alive connections, heads of browsers; 8 threads",
        f"apps.plain:page_{_ms.replace('.', '_')}",
        _BROWSER,
        _BEST,
    )
_application(
    "compute-wait",
    "A page of 1 ms of work that then waits 1 ms",
    "64 keep-alive connections, heads of browsers; 8 threads",
    "apps.plain:compute_wait",
    _BROWSER,
    _BEST + _AS_BEFORE,
)
_add(
    Scenario(
        "trap",
        "A page that loads for 1 s, and stalls once for 300 ms",
        f"{Trap.WORK_MS:g} ms of work; 64 keep-alive connections, 8 threads; all wait while it loads or stalls; "
        "pages in each of the seconds that follow",
        Job(app="apps.plain:trap"),
        loads.trap,
        tuple(
            Metric(f"{ordinal} s after {word}", compared=ordinal == loads.ORDINALS[1])
            for word in ("loading", "stall")
            for ordinal in loads.ORDINALS
        ),
        APPLICATION_PEERS,
        # A Django page of as much work: 0.8 of waitress in the trap, 1.5 out of it (benchmarks/LOG.md).
        tuple(
            target
            for word in ("loading", "stall")
            for target in _at_least(1.2, "waitress", "gunicorn", metric=f"{loads.ORDINALS[1]} s after {word}")
        ),
        run_seconds=loads.TRAP_SECONDS,
    )
)
for _name, _wait, _most, _least in (("sleep-2", 2, 4000, ()), ("sleep", 10, 800, (Target(RATE.name, 780.0),))):
    _application(
        _name,
        f"An application that waits {_wait} ms",
        f"64 keep-alive connections, 8 threads: {_most} requests/s is what arithmetic allows 8 threads",
        f"apps.plain:sleep_{_wait}",
        _PLAIN,
        _least + _AS_BEFORE,
    )
_NO_SLOWER = tuple(Target(QUICK_P99.name, 1.0, peer, least=False) for peer in THREADED_PEERS)
for _name, _title, _setup, _load, _targets in (
    (
        "mixed",
        "One request in 50 waits 50 ms",
        "64 connections, 8 threads; the slow ones have a path; quick p99: a visitor who asks for quick ones only",
        Load(script="mixed"),
        _at_least(1.0, *THREADED_PEERS),
    ),
    (
        "mixed-counter",
        "One request in 50 waits 50 ms, and nothing tells which",
        "as above, but every request has the same path and the application counts",
        Load(),
        _at_least(1.0, *THREADED_PEERS),
    ),
    (
        "mixed-paced",
        "One request in 50 waits 50 ms, and all servers get the same load",
        "as mixed, but the 64 clients pause 32 ms on average, which every server can keep up with",
        Load(script="paced"),
        (),
    ),
):
    _add(
        Scenario(
            _name,
            _title,
            _setup,
            Job(app="apps.plain:mixed"),
            loads.mixed(_load),
            (RATE, QUICK_P99, ERRORS),
            APPLICATION_PEERS,
            (*_targets, *_NO_SLOWER, *_AS_BEFORE),
        )
    )
_add(
    Scenario(
        "compute",
        "Quick requests beside computing ones",
        "two connections ask for 300 ms of pure Python all the time, 64 ask for 13 bytes; 8 threads",
        Job(app="apps.plain:compute"),
        loads.beside(Load(), Load("/compute", connections=2), "computed/s"),
        (RATE, P99, Metric("computed/s", digits=1), ERRORS),
        APPLICATION_PEERS,
        (*_at_least(10.0, "waitress"), *_at_least(1.5, "granian"), *_AS_BEFORE),
    )
)
_add(
    Scenario(
        "flask",
        "A Flask application with an instant page, and one that waits 2 s",
        "64 keep-alive connections ask for each of the two; 8 threads",
        Job(app="apps.flask_site:app"),
        loads.beside(Load(), Load("/slow"), "slow/s"),
        (RATE, P99, Metric("slow/s", digits=1), ERRORS),
        APPLICATION_PEERS,
        (Target("p99 ms", 25.0, least=False), *_AS_BEFORE),
    )
)
_application(
    "hello",
    "An application of 13 bytes",
    "64 keep-alive connections, the same request head again and again; 8 threads, granian one, bjoern none",
    "apps.plain:hello",
    _PLAIN,
    (*_at_least(8.0, "waitress"), *_at_least(12.0, "gunicorn"), *_at_least(0.8, "granian")),
    quick=True,
    peers=(*APPLICATION_PEERS, "bjoern", BARE),
)
_application(
    "browser",
    "The same application asked by browsers",
    "64 keep-alive connections, ten fields, path and cookie differ from request to request; threads as above",
    "apps.plain:hello",
    _BROWSER,
    (*_at_least(6.0, "waitress"), *_at_least(0.8, "granian"), *_at_least(0.75, BARE)),
    quick=True,
    peers=(*APPLICATION_PEERS, "bjoern", BARE),
)
for _name, _title, _setup, _load, _targets in (
    (
        "post-1k",
        "A form of 1 KiB is posted",
        "64 keep-alive connections; the application reads all of it and answers its length; granian one thread",
        Load("/upload/1024", script="post"),
        (*_at_least(8.0, "waitress"), *_at_least(0.7, "granian")),
    ),
    (
        "post-1m",
        "A file of 1 MiB is posted",
        "the same with 16 connections",
        Load("/upload/1048576", script="post", connections=16),
        (*_at_least(4.0, "waitress"), *_at_least(1.5, "gunicorn"), *_at_least(0.6, "granian")),
    ),
    (
        "response-64k",
        "A response of 64 KiB",
        "64 keep-alive connections; the application returns one piece and its length; granian one thread",
        Load("/64k"),
        (*_at_least(4.0, "waitress"), *_at_least(0.8, "granian")),
    ),
    (
        "generator",
        "A response of 1000 pieces of 1 KiB",
        "64 keep-alive connections; an iterable without a Content-Length; granian one thread",
        Load("/pieces"),
        (*_at_least(2.0, "waitress"), *_at_least(1.1, "gunicorn")),
    ),
    (
        "close",
        "A connection for each request",
        "64 clients that send Connection: close; 13 bytes; granian one thread",
        Load(script="close"),
        (*_at_least(3.5, "waitress"), *_at_least(0.8, "granian")),
    ),
):
    _application(_name, _title, _setup, "apps.plain:contents", _load, _targets, quick=True)
_FILES = Job(files=True, ready=("/1k.bin", FILES["1k.bin"]))
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
            _FILES,
            loads.throughput(Load(f"/{_file}.bin")),
            (_unit, P99, ERRORS),
            STATIC_PEERS,
            _at_least(1.0, "nginx") if _file == "1k" else (),
        )
    )
for _file, _size, _targets in (
    ("1k", "1 KiB", (*_at_least(1.1, "nginx"), *_at_least(0.8, "nginx-cache"))),
    ("10k", "10 KiB", (*_at_least(1.0, "nginx"), *_at_least(0.7, "nginx-cache"))),
):
    _add(
        Scenario(
            f"static-{_file}-browser",
            f"A file of {_size} asked for by browsers",
            "64 keep-alive connections, ten fields, query and cookie new each time; nginx as above",
            _FILES,
            loads.throughput(Load(f"/{_file}.bin", script="browser")),
            (RATE, P99, ERRORS),
            STATIC_PEERS,
            _targets,
        )
    )
_add(
    Scenario(
        "static-gzip",
        "A text of 50 KiB for clients that take gzip",
        "64 keep-alive connections; nginx compresses each answer, at its default level 1; tpserver each file once",
        _FILES,
        loads.throughput(Load(f"/{TEXT}", script="gzip")),
        (RATE, Metric("KiB per answer", digits=1), P99, ERRORS),
        STATIC_PEERS,
        _at_least(3.0, "nginx"),
    )
)
for _scenario in costs.COSTS:
    _add(_scenario)
_add(
    Scenario(
        "overload",
        "Four times as many clients as the server has places",
        "256 connections ask for a page that waits 10 ms; 8 threads, a queue of 56; who is refused asks again at once",
        Job(app="apps.plain:sleep_10", options=("--queue", "56")),
        loads.throughput(Load(connections=256)),
        (RATE, Metric("refused/s"), P99),
        targets=_AS_BEFORE,
    )
)
for _scenario in limits.ALONE:
    _add(_scenario)

# The rows of README's table and of its chart: real work first.
README_ROWS = (
    "django-page",
    "flask-hello",
    "compute-wait",
    "mixed",
    "compute",
    "browser",
    "post-1m",
    "response-64k",
    "close",
    "static-1k-browser",
)
