"""What a trial of the benchmarks makes of what it has seen. The trials themselves take too long to be run here."""

from __future__ import annotations

import random
import sys
from typing import Any
from xml.etree import ElementTree as ET

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("they read /proc", allow_module_level=True)

from benchmarks.__main__ import PROGRAMS, main
from benchmarks.trials import garbage, slow_http, soak
from benchmarks.trials.flat import Verdict
from benchmarks.trials.garbage import Held

FINE = Verdict(True, 20.0, 20.0)
GROWS = Verdict(False, 20.0, 40.0)
TOLD: dict[str, Any] = {"failed visits": 0, "why": [], "unexpected": {}, "faults": []}


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (Held(9, 7, 100_000_000), ""),
        (Held(9, 7, 104_900_000), ""),
        (Held(8, 6, 90_000_000), ""),
        (Held(10, 7, 100_000_000), "10 threads"),
        (Held(9, 8, 100_000_000), "8 descriptors"),
        (Held(9, 7, 105_100_000), "MiB"),
    ],
)
def test_what_garbage_has_left_behind(after: Held, words: str) -> None:
    found = garbage.faults(Held(9, 7, 100_000_000), after)
    assert words in "; ".join(found)
    assert bool(found) is bool(words)


def test_garbage_is_the_same_for_the_same_seed_and_of_many_kinds() -> None:
    def some(seed: int) -> list[bytes]:
        chance = random.Random(seed)
        return [garbage.spoilt(chance) for _ in range(500)]

    assert some(1) == some(1) != some(2)
    assert len(set(some(1))) > 300


@pytest.mark.parametrize(
    ("verdicts", "told", "words"),
    [
        ({"memory": FINE}, {}, ""),
        ({"memory": FINE, "threads": GROWS}, {}, "threads GROWS: 20 to 40 (+100.0%)"),
        ({"memory": FINE}, {"failed visits": 3, "why": ["status 503"]}, "3 visits failed: status 503"),
        ({"memory": FINE}, {"unexpected": {"quick: TimeoutError": 2}}, "2 times quick: TimeoutError"),
        ({"memory": FINE}, {"faults": ["ERROR tpserver has a fault"]}, "in the log: ERROR tpserver has a fault"),
    ],
)
def test_a_soak_passes_only_where_nothing_is_wrong(
    verdicts: dict[str, Verdict], told: dict[str, Any], words: str
) -> None:
    assert soak.faults(verdicts, TOLD | told) == ([words] if words else [])


def test_a_long_soak_is_thinned_without_losing_a_peak() -> None:
    values = [1.0] * 10_000
    values[7654] = 99.0
    thinned = soak.thinned(values)
    assert len(thinned) <= soak.MOST_POINTS
    assert max(thinned) == 99.0
    assert soak.thinned([1.0, 2.0]) == [1.0, 2.0]


def test_a_soak_is_drawn() -> None:
    samples = soak.Samples()
    for second in range(40):
        samples.times.append(float(second))
        for values in samples.series.values():
            values.append(10.0 + second)
    verdicts = dict.fromkeys(("memory", "descriptors", "threads", "latency"), GROWS)
    drawing = ET.fromstring(soak.picture(samples, verdicts, "title", "small"))
    assert len(drawing.findall("{http://www.w3.org/2000/svg}polyline")) == 5


# As slowhttptest writes it, colours and all; twice, for it counts again every few seconds.
TOLD_BY_PROGRAM = """
\x1b[1;32mslow HTTP test status on \x1b[1;34m5\x1b[1;32mth second:\x1b[0m

initializing:        0
pending:             1
connected:           \x1b[1;32m3999\x1b[0m
error:               0
closed:              0
service available:   \x1b[1;32mYES\x1b[0m
slow HTTP test status on 10th second:
connected:           2000
closed:              2000
service available:   \x1b[1;31mNO\x1b[0m
"""


def test_what_slowhttptest_tells_is_understood() -> None:
    seen = slow_http.seen(TOLD_BY_PROGRAM)
    assert (seen.unavailable, seen.looks) == (1, 2)
    assert seen.last["connected"] == "2000"
    assert slow_http.seen("") == ({}, 0, 0)


@pytest.mark.parametrize(
    ("told", "failed", "passes"),
    [
        (slow_http.Seen({}, 0, 3), 0, True),
        (slow_http.Seen({}, 1, 3), 0, False),
        (slow_http.Seen({}, 0, 3), 1, False),
        (slow_http.Seen({}, 0, 0), 0, False),
    ],
)
def test_the_service_must_be_available_throughout(told: slow_http.Seen, failed: int, passes: bool) -> None:
    visits = soak.Visits(1, failed=failed, _taken=[1.0, 2.0])
    assert (slow_http.judged("slow heads", told, visits) == []) is passes


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_program_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"python -m benchmarks {name}" in capsys.readouterr().out
