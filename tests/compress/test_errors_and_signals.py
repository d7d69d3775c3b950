"""What goes wrong for the command, and what ends it: nothing half is left behind."""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.compress.compressing import GZIP, TEXT, Terminal, coded_files, run
from tests.console import WINDOWS, failing, python
from tpserver.compress import command, files
from tpserver.compress.command import compress
from tpserver.errors import UsageError
from tpserver.files.coders import Coder


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        compress(str(tmp_path / "none"))
    ended = failing("compress", "none", cwd=tmp_path)
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr == "tpserver: error: compress none: there is no such folder\n"


@pytest.mark.parametrize("arguments", [[], ["--jobs", "0", "."], ["--jobs", "x", "."], ["--job", "1", "."], [".", "."]])
def test_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    ended = failing("compress", *arguments, cwd=tmp_path)
    assert (ended.status, ended.stdout) == (2, "")
    assert re.fullmatch(r"tpserver: error: .*\n", ended.stderr)


def test_help(tmp_path: Path) -> None:
    ended = failing("compress", "--help", cwd=tmp_path)
    assert (ended.status, ended.stderr) == (0, "")
    assert "usage: tpserver compress" in ended.stdout
    assert "tpserver compress DIR" in failing("--help", cwd=tmp_path).stdout


def test_the_command_as_a_person_gives_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    ended = failing("compress", ".", "--jobs", "2", cwd=tmp_path)
    assert (ended.status, ended.stderr) == (0, "")
    assert "a.txt.gz: 8.2 KiB -> " in ended.stdout
    assert gzip.decompress((tmp_path / "a.txt.gz").read_bytes()) == TEXT


@pytest.mark.parametrize("screen", [io.StringIO, Terminal])
def test_a_line_for_each_file_that_cannot_be_written_and_the_rest_is(
    tmp_path: Path, only_gzip: None, capsys: pytest.CaptureFixture[str], screen: type[io.StringIO]
) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_bytes(TEXT)
    for name in ("a.txt.gz", "b.txt.gz"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    said = screen()
    assert compress(str(tmp_path), jobs=1, output=said) == 1
    assert ("a.txt.gz: failed\n" in said.getvalue()) is (screen is io.StringIO)
    errors = capsys.readouterr().err.splitlines()
    for error, name in zip(errors, ("a.txt.gz", "b.txt.gz"), strict=True):
        assert error.startswith(f"tpserver: error: cannot write {tmp_path / name}: ")
    assert gzip.decompress((tmp_path / "c.txt.gz").read_bytes()) == TEXT
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("failures", "last"), [(20, "19.txt"), (21, "and 1 more failures"), (50, "and 30 more")])
def test_a_thousand_failures_do_not_fill_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failures: int, last: str
) -> None:
    def coder() -> Coder:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "thorough_coders", lambda: {"gzip": coder})
    for number in range(failures):
        (tmp_path / f"{number:02}.txt").write_bytes(TEXT)
    assert run(tmp_path, jobs=1)[0] == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == min(failures, 21)
    assert all(line.startswith("tpserver: error: ") for line in errors)
    assert last in errors[-1]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_a_folder_that_may_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    tmp_path.chmod(0o500)
    try:
        assert run(tmp_path)[0] == 1
    finally:
        tmp_path.chmod(0o700)
    assert "Permission denied" in capsys.readouterr().err


class Meddling:
    """A coder in whose time something happens."""

    def __init__(self, happens: Any) -> None:
        self._happens = happens

    def compress(self, data: bytes, /) -> bytes:
        self._happens()
        return b"z"

    def flush(self) -> bytes:
        return b""


@pytest.mark.parametrize("what", ["changed", "broken", "full"])
def test_nothing_half_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)

    def happens() -> None:
        if what == "changed":
            path.write_bytes(TEXT + b"!")
        elif what == "broken":
            raise ValueError("the compressor is broken")
        else:
            raise OSError(28, "No space left on device")

    def coder() -> Coder:
        return Meddling(happens)

    monkeypatch.setattr(command, "thorough_coders", lambda: {"gzip": coder})
    assert run(tmp_path)[0] == 1
    expected = {
        "changed": "the file was changed while it was read",
        "broken": "the compressor is broken",
        "full": "No space left",
    }
    assert expected[what] in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_is_told_to_stop_does_so_in_the_middle_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    stop = threading.Event()
    stop.set()
    with pytest.raises(files.Stopped):
        files.write(files.Task(str(path), len(TEXT), "gzip"), GZIP["gzip"], stop)
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_it_says_is_not_read(tmp_path: Path, only_gzip: None) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    (tmp_path / "a.txt").write_bytes(TEXT)
    assert compress(str(tmp_path), output=Closed()) == 0
    assert coded_files(tmp_path) == ["a.txt.gz"]


# None where the system has none.
SIGHUP: Any = getattr(signal, "SIGHUP", None)
SIGNALS = [signal.SIGINT] if WINDOWS else [signal.SIGINT, signal.SIGTERM, *([SIGHUP] if SIGHUP else [])]
# Where these tests run under nohup, so does what they start.
HUNG_UP = SIGHUP is not None and signal.getsignal(SIGHUP) is not signal.SIG_IGN


@pytest.mark.parametrize("ending", SIGNALS, ids=lambda ending: signal.Signals(ending).name)
def test_what_ends_a_run_leaves_no_half_files(tmp_path: Path, ending: int) -> None:
    if ending not in (signal.SIGINT, signal.SIGTERM) and not HUNG_UP:
        pytest.skip("SIGHUP is ignored here")
    content = os.urandom(150_000).hex().encode()
    for number in range(60):
        (tmp_path / f"{number:02}.txt").write_bytes(content)
    with python("-m", "tpserver", "compress", "--jobs", "2", ".", cwd=tmp_path) as console:
        console.read_line()
        ended = console.stop(ending)
    assert (ended.status, ended.stderr) == (130, "")
    assert ended.stdout.endswith("stopped; every file written so far is complete\n")
    names = coded_files(tmp_path)
    assert 0 < len(names) < 60
    for name in names:
        if name.endswith(".gz"):
            assert gzip.decompress((tmp_path / name).read_bytes()) == content
    assert not list(tmp_path.glob(".*"))


@pytest.mark.skipif(SIGHUP is None or shutil.which("nohup") is None, reason="there is no nohup")
def test_a_run_under_nohup_goes_on_when_its_terminal_is_closed(tmp_path: Path) -> None:
    content = os.urandom(150_000).hex().encode()
    for number in range(6):
        (tmp_path / f"{number:02}.txt").write_bytes(content)
    arguments = ("-m", "tpserver", "compress", "--jobs", "2", ".")
    with python(*arguments, cwd=tmp_path, command=("nohup",)) as console:
        console.read_line()
        ended = console.stop(SIGHUP)
    assert (ended.status, len(list(tmp_path.glob("*.gz")))) == (0, 6)


@pytest.mark.skipif(not HUNG_UP, reason="there is no SIGHUP, or it is ignored")
def test_the_second_sighup_of_a_closed_terminal_does_not_stop_the_tidying_up() -> None:
    before = signal.getsignal(SIGHUP)
    tidied = []

    def close_the_terminal() -> None:
        with command._signals_interrupt():
            try:
                signal.raise_signal(SIGHUP)
            finally:
                signal.raise_signal(SIGHUP)
                tidied.append(True)

    with pytest.raises(KeyboardInterrupt):
        close_the_terminal()
    assert tidied
    assert signal.getsignal(SIGHUP) == before


@pytest.mark.parametrize(
    ("name", "seconds", "removed"),
    [
        (".tpserver-ab_01xyz.tmp", -60.0, True),
        (".tpserver-ab_01xyz.tmp", 60.0, False),
        (".tpserver-ab_01xyz", -60.0, False),
        (".tpserver-mine.tmp", -60.0, False),
        ("tpserver-ab_01xyz.tmp", -60.0, False),
    ],
)
def test_what_a_killed_run_left_is_removed_an_hour_later(
    tmp_path: Path, only_gzip: None, monkeypatch: pytest.MonkeyPatch, name: str, seconds: float, removed: bool
) -> None:
    left = tmp_path / "folder" / name
    left.parent.mkdir()
    left.write_bytes(b"half")
    assert "temporary" not in run(tmp_path)[1]
    assert left.exists()
    # So much younger than what is left behind, or older.
    monkeypatch.setattr(files, "LEFT_BEHIND", seconds)
    status, said = run(tmp_path)
    assert (status, left.exists()) == (0, not removed)
    assert ("1 temporary files of a killed run removed" in said) is removed


@pytest.mark.skipif(WINDOWS or shutil.which("sh") is None, reason="terminals of another kind")
def test_it_ends_well_when_its_reader_goes(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.txt").write_bytes(TEXT)
    script = f"{sys.executable} -m tpserver compress . | head -c 0; true"
    with python(command=("sh", "-c", script), cwd=tmp_path) as console:
        ended = console.end()
    assert (ended.status, ended.stderr) == (0, "")
