"""What clients and applications send again and again: checked once, then remembered."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

# How many keys that have come once are known at a time.
_ONCE: Final = 1024


class Repeated(dict[Key, Value]):
    """A bounded dictionary that takes a value from the second time on that its key comes; cleared when it is full.

    What comes once only, such as a line with a random number in it, costs no place, and clears nothing. Threads may
    share it without a lock: each write is one operation, and what two write is equal.
    """

    __slots__ = ("_most", "_once")

    def __init__(self, most: int) -> None:
        self._most = most
        self._once = [0] * _ONCE  # the hashes of keys that have come once; a later one takes the place of an earlier

    def add(self, key: Key, value: Value) -> None:
        """`key` has come. Any thread."""
        seen = hash(key)
        if self._once[seen % _ONCE] != seen:
            self._once[seen % _ONCE] = seen
            return
        if len(self) >= self._most and key not in self:
            self.clear()
        self[key] = value
