"""Processes under a parent: they begin together, are replaced when they die, and end with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from tests.console import ROOT, python
from tests.waiting import eventually
from tests.workers.targets import obedient
from tpserver.errors import StartError
from tpserver.workers.parent import Parent
from tpserver.workers.supervisor import Supervisor

posix = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")


def notes(folder: Path, number: int) -> list[str]:
    """What a process has noted, but for its pid."""
    return (folder / f"notes-{number}").read_text("utf-8").splitlines()[1:]


def run(folder: Path, supervisor: Supervisor, *steps: int | str, **what: str) -> None:
    """Runs it: asks for each step when so many processes, in all, have begun to serve."""
    for name, text in what.items():
        (folder / name.replace("_", "-")).write_text(text, "utf-8")
    served: list[int] = []
    waiting = list(steps)

    def hear(number: int, message: tuple[object, ...]) -> None:
        served.append(number)
        while waiting and waiting[0] in (len(served), "now"):
            waiting.pop(0)
            parent.ask(str(waiting.pop(0)))

    parent = Parent(supervisor, obedient, (folder,), hear)
    parent.run()
    assert not waiting


def test_all_begin_together_and_end_when_they_are_told(tmp_path: Path) -> None:
    run(tmp_path, Supervisor(2), 2, "stop")
    assert [notes(tmp_path, number) for number in (0, 1)] == [["accepts", "ends [True]"]] * 2


def test_one_that_cannot_start_ends_all_with_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="it cannot") as raised:
        run(tmp_path, Supervisor(2), do_1="fail")
    assert (raised.value.exit_status, raised.value.cause_text) == (2, "because\n")
    assert (tmp_path / "notes-0").exists() is False or "accepts" not in notes(tmp_path, 0)


def test_one_that_crashes_at_the_start_ends_all(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="exit status 3") as raised:
        run(tmp_path, Supervisor(2), do_0="crash")
    assert raised.value.exit_status == 1


def test_where_no_process_can_be_started_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(process: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(SpawnProcess, "start", fail)
    with pytest.raises(StartError, match="cannot start a process: Cannot allocate memory"):
        run(tmp_path, Supervisor(2))


def test_one_that_is_killed_is_replaced(tmp_path: Path) -> None:
    run(tmp_path, Supervisor(2, most_pause=0.01), 3, "stop", do_1="die")
    assert notes(tmp_path, 2) == ["accepts", "ends [True]"]


def test_all_are_replaced_and_the_old_ones_drain(tmp_path: Path) -> None:
    run(tmp_path, Supervisor(2), 2, "replace", 4, "stop")
    assert [notes(tmp_path, number) for number in (0, 1)] == [["accepts", "reopens", "ends [False]"]] * 2
    assert [notes(tmp_path, number)[0] for number in (2, 3)] == ["accepts", "accepts"]


def test_one_that_asks_for_it_is_replaced(tmp_path: Path) -> None:
    run(tmp_path, Supervisor(1), 2, "stop", do_0="retire")
    assert notes(tmp_path, 0) == ["accepts", "ends [False]"]


def test_one_that_hangs_is_killed_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tpserver.workers.supervisor._LEAST_HANG", 0.5)
    run(tmp_path, Supervisor(1, hang_timeout=0.5, most_pause=0.01), 2, "stop", do_0="hang")
    assert notes(tmp_path, 0) == ["accepts"]
    assert re.search(r"worker 0 \(process \d+\) has given no sign of life for 0\.5 s .*; it is killed", caplog.text)


def test_logs_are_reopened_by_all(tmp_path: Path) -> None:
    run(tmp_path, Supervisor(2), 2, "reopen", "now", "stop")
    assert [notes(tmp_path, number) for number in (0, 1)] == [["accepts", "reopens", "ends [True]"]] * 2


SCRIPT = """
import sys, pathlib
from tests.workers.targets import obedient
from tpserver.workers.parent import Parent
from tpserver.workers.supervisor import Supervisor

if __name__ == "__main__":
    def hear(number, message):
        print("serves", number, flush=True)
    Parent(Supervisor(2), obedient, (pathlib.Path("."),), hear).run()
"""


def test_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT), "utf-8")
    with python("script.py", cwd=tmp_path, stderr=subprocess.DEVNULL) as console:
        assert sorted(console.read_line() for _ in range(2)) == ["serves 0\n", "serves 1\n"]
        console.process.kill()
        for number in (0, 1):
            eventually(lambda number=number: "ends [True]" in notes(tmp_path, number), "it goes on")


@posix
def test_a_process_that_gets_sigterm_is_replaced_and_drains(tmp_path: Path) -> None:
    supervisor = Supervisor(1)
    served: list[int] = []

    def hear(number: int, message: tuple[object, ...]) -> None:
        served.append(number)
        if number == 0:
            os.kill(int((tmp_path / "notes-0").read_text("utf-8").split()[0]), signal.SIGTERM)
        else:
            parent.ask("stop")

    parent = Parent(supervisor, obedient, (tmp_path,), hear)
    parent.run()
    assert notes(tmp_path, 0) == ["accepts", "ends [False]"]


STRANGER = """
import ctypes, os, subprocess, sys
from tpserver.workers.parent import reap_strangers

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
own = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
# Its child outlives it, and becomes this process's.
print(subprocess.check_output(["sh", "-c", "sleep 0 > /dev/null & echo $!"], text=True), flush=True, end="")
stranger = int(sys.stdin.readline())
while os.path.exists(f"/proc/{stranger}"):
    reap_strangers([own.pid])
own.communicate(b"\\n")
assert own.returncode == 0
own = subprocess.Popen([sys.executable, "-c", ""])
os.waitid(os.P_PID, own.pid, os.WEXITED | os.WNOWAIT)
reap_strangers([own.pid])
assert own.wait() == 0  # its status is there for who asks
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_CHILD_SUBREAPER to stand for process 1")
def test_strangers_are_reaped_and_the_own_ones_left_alone(tmp_path: Path) -> None:
    with python("-c", STRANGER, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}) as console:
        assert console.process.stdin is not None
        console.process.stdin.write(console.read_line())
        console.process.stdin.flush()
        assert console.end().status == 0
