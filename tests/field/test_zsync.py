"""zsync brings an old version of a large file up to date: it asks for many ranges at once."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.field.versions import download, old_and_new
from tests.logged import errors
from tests.running import Start

SIZE = 4_000_000

pytestmark = pytest.mark.field


@pytest.mark.skipif(None in (shutil.which("zsync"), shutil.which("zsyncmake")), reason="zsync is not installed")
def test_zsync_gets_the_spots_that_have_changed_and_no_more(
    start: Start, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    old, new = old_and_new(SIZE)
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    (root / "image.bin").write_bytes(new)
    (home / "old.bin").write_bytes(old)
    running = start(root=str(root))
    url = f"http://127.0.0.1:{running.address[1]}/image.bin"
    subprocess.run(["zsyncmake", "-u", url, "-o", str(root / "image.zsync"), str(root / "image.bin")], check=True)
    done = download(home, "zsync", "-i", "old.bin", "-o", "new.bin", url.replace(".bin", ".zsync"))
    assert done.returncode == 0, done.stderr
    assert (home / "new.bin").read_bytes() == new
    fetched = re.search(rb"fetched ([0-9]+)", done.stdout + done.stderr)
    assert fetched is not None, done.stdout
    assert int(fetched[1]) < SIZE // 2
    assert errors(log) == []
