"""Two versions of a large file, for clients that download what has changed, and no more."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

CHANGES = 60  # spots


def old_and_new(size: int) -> tuple[bytes, bytes]:
    """Two versions of `size` bytes, which differ in 60 spots of 100 bytes."""
    old = random.Random(1).randbytes(size)
    new = bytearray(old)
    for number in range(CHANGES):
        at = number * (size // CHANGES) + 1000
        new[at : at + 100] = random.Random(number).randbytes(100)
    return old, bytes(new)


def download(folder: Path, *command: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a client in `folder`, without the proxies of this machine."""
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=50,
        check=False,
    )
