"""What one client address may take of the memory for contents."""

from __future__ import annotations

from typing import Any

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


def test_clients_without_an_address_have_all_of_it() -> None:
    space = Spool(spool.SPOOL + 1)
    one: Any = space.new_content(None)
    one.write(b"x" * (spool.SPOOL + 1))
    assert space.in_memory == 2 * (spool.SPOOL + 1)
    one.close()
    assert space.in_memory == 0
