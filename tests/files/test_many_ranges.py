"""Programs that bring an old version of a file up to date, such as zsync and zchunk, ask for many ranges at once."""

from __future__ import annotations

import email
from pathlib import Path

import pytest

from tests.client import ask
from tests.running import Start


@pytest.mark.parametrize("number", [17, 20, 256])
def test_programs_that_patch_files_ask_for_many_ranges(start: Start, tmp_path: Path, number: int) -> None:
    running = start(root=str(tmp_path))
    for size in (100_000, 400_000):  # in memory, and not
        content = (bytes(range(251)) * (size // 251 + 1))[:size]
        (tmp_path / f"{size}.bin").write_bytes(content)
        ranges = [(size // number * at, size // number * at + 9) for at in range(number)]
        answer = ask(running, f"/{size}.bin", "Range: bytes=" + ",".join(f"{first}-{last}" for first, last in ranges))
        assert answer.status == 206
        message = email.message_from_bytes(f"Content-Type: {answer['Content-Type']}\r\n\r\n".encode() + answer.content)
        assert not message.defects
        spans = [part["Content-Range"] for part in message.walk() if not part.is_multipart()]
        assert spans == [f"bytes {first}-{last}/{size}" for first, last in ranges]
        assert all(content[first : last + 1] in answer.content for first, last in ranges)
