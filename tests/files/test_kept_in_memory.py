"""A file that has not changed is opened once, however often it is asked for; on Windows, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.client import Client
from tests.files.opens import before_opening
from tests.running import Start
from tpserver.files.file import File, signature
from tpserver.files.folder import Folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, site: Path) -> list[str]:
    """The names of the files that are opened from now on."""
    names: list[str] = []

    def note(path: str) -> None:
        if (name := os.path.basename(path)) in ("small.txt", "large.bin"):
            names.append(name)

    before_opening(monkeypatch, note)
    return names


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Files that were written long ago."""
    for name, size in (("small.txt", 100), ("large.bin", 200_000)):
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (1e9, 1e9))
    return tmp_path


def test_a_small_file_is_opened_for_the_first_of_many_requests(start: Start, site: Path, opened: list[str]) -> None:
    with Client(start(root=site)) as client:
        answers = [client.ask("/small.txt") for _ in range(5)]
    assert {(answer.status, answer.content) for answer in answers} == {(200, b"x" * 100)}
    assert opened == ["small.txt"]


def test_a_large_file_is_read_for_its_kind_once_and_opened_to_be_sent(
    start: Start, site: Path, opened: list[str]
) -> None:
    with Client(start(root=site)) as client:
        tags = {client.ask("/large.bin")["ETag"] for _ in range(3)}
    assert len(tags) == 1
    assert opened == ["large.bin"] * 4


def test_the_two_calls_that_look_at_a_file_agree_on_its_signature(site: Path) -> None:
    path = site / "small.txt"
    os.chmod(path, 0o444)  # another time of change than that of creation
    os.chmod(path, 0o644)
    with path.open("rb") as stream:
        assert signature(os.fstat(stream.fileno())) == signature(os.stat(path))


def test_a_file_that_is_opened_unchanged_is_the_one_that_was_found(site: Path) -> None:
    folder = Folder(site)
    found = folder.find("/large.bin", 1)
    assert isinstance(found, File)
    descriptor, now = folder.open(found)
    os.close(descriptor)
    assert now is found
