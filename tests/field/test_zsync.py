"""zsync brings an old version of a large file up to date: it asks for many ranges at once."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.logged import errors
from tests.running import Start

SIZE = 4_000_000
CHANGES = 60

pytestmark = pytest.mark.field


@pytest.mark.skipif(None in (shutil.which("zsync"), shutil.which("zsyncmake")), reason="zsync is not installed")
def test_zsync_gets_the_spots_that_have_changed_and_no_more(
    start: Start, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    old = random.Random(1).randbytes(SIZE)
    new = bytearray(old)
    for number in range(CHANGES):
        at = number * (SIZE // CHANGES) + 1000
        new[at : at + 100] = random.Random(number).randbytes(100)
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    (root / "image.bin").write_bytes(new)
    (home / "old.bin").write_bytes(old)
    running = start(root=str(root))
    url = f"http://127.0.0.1:{running.address[1]}/image.bin"
    subprocess.run(["zsyncmake", "-u", url, "-o", str(root / "image.zsync"), str(root / "image.bin")], check=True)
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        ["zsync", "-i", "old.bin", "-o", "new.bin", url.replace(".bin", ".zsync")],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (home / "new.bin").read_bytes() == new
    fetched = re.search(rb"fetched ([0-9]+)", done.stdout + done.stderr)
    assert fetched is not None, done.stdout
    assert int(fetched[1]) < SIZE // 2
    assert errors(log) == []
