"""What one client address may take of the memory for contents."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tpserver import spool
from tpserver.spool import LARGE, MEMORY, Spool

_COUNT = MEMORY // 2 // LARGE  # contents that fill the share of one address


def contents(space: Spool, address: str, count: int) -> list[Any]:
    made: list[Any] = [space.new_content(LARGE, address) for _ in range(count)]
    for content in made:
        content.write(b"x" * LARGE)
    return made


def test_the_contents_of_one_address_take_half_of_the_memory_and_then_go_to_the_disk() -> None:
    space = Spool()
    many = contents(space, "192.0.2.1", _COUNT + 2)
    assert (space.in_memory, space.taken) == (MEMORY // 2, 2 * LARGE)
    others = contents(space, "192.0.2.2", _COUNT)
    assert (space.in_memory, space.taken) == (MEMORY, 2 * LARGE)
    for content in many + others:
        content.close()
    assert (space.in_memory, space.taken) == (0, 0)
    assert (len(space._taken_by), len(space._in_memory_of)) == (0, 0)


def test_contents_stay_in_the_folder_that_was_found_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "first"))
    (tmp_path / "first").mkdir()
    space = Spool()
    space.prepare()
    (tmp_path / "first").rmdir()  # as a disk that is full: nothing is stored elsewhere
    content: Any = space.new_content(LARGE + 1)
    with pytest.raises(FileNotFoundError):
        content.write(b"x" * (LARGE + 1))
    content.close()


def test_a_module_that_cannot_be_imported_is_an_error_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tempfile", None)  # as where no descriptor is left
    content: Any = Spool().new_content(LARGE + 1)
    with pytest.raises(OSError, match="tempfile cannot be imported"):
        content.write(b"x" * (LARGE + 1))
    content.close()


def test_clients_without_an_address_have_all_of_it() -> None:
    space = Spool(spool.SPOOL + 1)
    one: Any = space.new_content(None)
    one.write(b"x" * (spool.SPOOL + 1))
    assert space.in_memory == 2 * (spool.SPOOL + 1)
    one.close()
    assert space.in_memory == 0
