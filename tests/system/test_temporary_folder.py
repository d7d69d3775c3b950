"""The folder for temporary files: that of the environment where it can be written."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from tpserver.system.temporary_folder import temporary_folder


@pytest.fixture(autouse=True)
def _look_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)  # else it knows already


@pytest.mark.parametrize("name", ["TMPDIR", "TEMP", "TMP"])
def test_the_environment_names_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path))
    assert temporary_folder() == str(tmp_path)
    assert list(tmp_path.iterdir()) == []  # what was tried is gone


@pytest.mark.parametrize("what", ["none", "a file"])
def test_where_that_is_no_folder_it_is_another(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_bytes(b"")
    monkeypatch.setenv("TMPDIR", str(tmp_path / what))
    found = temporary_folder()
    assert found == tempfile.gettempdir()
    assert os.path.isdir(found)


def test_a_disk_that_is_full_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "elsewhere")
    assert temporary_folder() == "elsewhere"
    assert list(tmp_path.iterdir()) == []


def test_without_any_folder_it_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(FileNotFoundError):
        temporary_folder()
