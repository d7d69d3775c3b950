"""Ranges of a large file that Flask answers: from where they begin, not from the beginning of the file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from tests.client import ask
from tests.running import Start
from tpserver.wsgi.file_wrapper import FileWrapper

SIZE = 1_500_000_000


class _Counting(io.FileIO):
    """A file that counts what is read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:  # type: ignore[override]
        data = super().read(-1 if size is None else size) or b""
        _Counting.count += len(data)
        return data


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("bytes=-10", b"\0" * 7 + b"end"), ("bytes=1400000000-1400000002", b"\0" * 3), ("bytes=0-1", b"be")],
)
def test_a_few_bytes_of_a_large_file_cost_a_few_reads(
    tmp_path: Path, start: Start, asked: str, expected: bytes
) -> None:
    flask = pytest.importorskip("flask")
    place = tmp_path / "big.bin"
    with place.open("wb") as file:
        file.write(b"begin")
        file.seek(SIZE - 3)
        file.write(b"end")
    app = flask.Flask("big")

    @app.get("/")
    def big() -> Any:
        response = flask.send_file(_Counting(place), "application/octet-stream", conditional=True)
        response.content_length = os.path.getsize(place)
        return response.make_conditional(flask.request, accept_ranges=True, complete_length=SIZE)

    _Counting.count = 0
    answer = ask(start(app), "/", f"Range: {asked}")
    assert (answer.status, answer.content) == (206, expected)
    assert _Counting.count < 1_000_000


def test_a_wrapper_has_what_its_file_has() -> None:
    class OnlyRead:
        def read(self, size: int) -> bytes:
            return b""

    whole, bare = FileWrapper(io.BytesIO(b"content")), FileWrapper(OnlyRead())  # type: ignore[arg-type]
    assert whole.seekable()
    assert (whole.seek(3), whole.tell(), b"".join(whole)) == (3, 3, b"tent")
    assert not any(hasattr(bare, name) for name in ("seek", "tell", "seekable"))
