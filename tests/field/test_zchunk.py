"""zchunk brings an old version of a file up to date: its downloader asks for up to 256 ranges in one request."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.field.versions import download, old_and_new
from tests.logged import errors
from tests.running import Start

SIZE = 8_000_000

pytestmark = pytest.mark.field


@pytest.mark.skipif(None in (shutil.which("zck"), shutil.which("zckdl")), reason="zchunk is not installed")
def test_zchunk_gets_the_chunks_that_have_changed_and_no_more(
    start: Start, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    old, new = old_and_new(SIZE)
    root, home = tmp_path / "root", tmp_path / "home"
    for folder, content in ((root, new), (home, old)):
        folder.mkdir()
        (folder / "image.bin").write_bytes(content)
        subprocess.run(["zck", "image.bin"], cwd=folder, check=True, capture_output=True)
    (home / "image.bin.zck").rename(home / "old.zck")
    whole = (root / "image.bin.zck").stat().st_size
    running = start(root=str(root))
    done = download(home, "zckdl", "-s", "old.zck", f"http://127.0.0.1:{running.address[1]}/image.bin.zck")
    assert done.returncode == 0, done.stderr
    assert (home / "image.bin.zck").read_bytes() == (root / "image.bin.zck").read_bytes()
    assert running.server.stats()["answers"]["bytes"] < whole // 2
    assert errors(log) == []
