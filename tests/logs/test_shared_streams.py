"""Lines of several processes in one stream."""

from __future__ import annotations

import io

import pytest

from tpserver.logs.streams import LogStream, pieces


class Writes(io.StringIO):
    """Remembers what was written between two flushes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def flush(self) -> None:
        self.writes.append(self.getvalue())
        self.seek(0)
        self.truncate()


def test_pieces_are_whole_lines_of_a_size_that_a_pipe_takes_at_once() -> None:
    lines = [f"{number} {'é' * 20}\n" for number in range(10)]
    found = list(pieces("".join(lines), 100))
    assert "".join(found) == "".join(lines)
    assert all(piece.endswith("\n") and len(piece.encode()) <= 100 for piece in found)
    assert len(found) == 5


def test_a_line_that_is_longer_comes_alone() -> None:
    assert list(pieces("a\n" + "b" * 200 + "\nc\n", 100)) == ["a\n", "b" * 200 + "\n", "c\n"]


@pytest.mark.parametrize(("shared", "writes"), [(False, 1), (True, 3)])
def test_a_stream_is_written_in_pieces_where_others_write_too(
    shared: bool, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LogStream, "shared", shared)
    stream = Writes()
    LogStream(stream).write(("x" * 99 + "\n") * 100)
    assert len(stream.writes) == writes
