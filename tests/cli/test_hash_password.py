"""python -m tpserver hash-password: the line that --auth takes."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.client import ask
from tests.running import Start
from tests.site.test_auth import basic
from tpserver.errors import UsageError
from tpserver.hash_password import write_hash


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_the_line_lets_the_user_in(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, "p\u00e4ss: word\nmore\n".encode())
    assert write_hash("ann") == 0
    line = capsys.readouterr().out
    assert line.startswith("ann:scrypt$16384$8$1$")
    (tmp_path / "users").write_text(line, "utf-8")
    (tmp_path / "a.txt").touch()
    running = start(root=tmp_path, auth=[f"*.txt={tmp_path / 'users'}"])
    assert ask(running, "/a.txt", basic("ann", "p\u00e4ss: word")).status == 200
    assert ask(running, "/a.txt", basic("ann", "pass: word")).status == 401


def test_two_hashes_of_one_password_differ(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        stdin(monkeypatch, b"same\r\n")
        write_hash(None)
    one, other = capsys.readouterr().out.split()
    assert one.startswith("scrypt$")
    assert one != other


def test_at_a_terminal_it_is_asked_for_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["one", "other", "same", "same"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(UsageError, match="differ"):
        write_hash(None)
    assert write_hash(None) == 0
    assert capsys.readouterr().out.startswith("scrypt$")


@pytest.mark.parametrize("data", [b"", b"\n", b"a\0b\n", b"x" * 600])
def test_what_is_no_password_is_refused(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    stdin(monkeypatch, data)
    with pytest.raises(UsageError, match="a password has"):
        write_hash(None)


def test_what_is_no_name_is_refused() -> None:
    with pytest.raises(UsageError, match="name"):
        write_hash("a:b")
