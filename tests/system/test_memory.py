"""The memory of this process, for `--max-rss`."""

from __future__ import annotations

from tpserver.system.memory import resident_memory


def test_it_is_that_of_a_python_and_grows() -> None:
    before = resident_memory()
    assert 4 * 1024**2 < before < 64 * 1024**3
    kept = bytearray(64 * 1024**2)
    kept[::1024] = b"x" * len(kept[::1024])
    assert resident_memory() >= before + 32 * 1024**2
