"""How the tests of content codings ask: a folder and its variants alone, in turns and seconds of the test's own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.client import PATIENCE
from tpserver.files.background import BackgroundCoder
from tpserver.files.coders import Coder
from tpserver.files.file import File
from tpserver.files.folder import Folder
from tpserver.files.variants import Variants
from tpserver.http.head import Head
from tpserver.http.section import FieldSection

BROWSER = "gzip, deflate, br, zstd"


class Chooser:
    """Asks for files, each time in a turn of the leader of its own; `next_second` is one of the clock's."""

    def __init__(self, root: Path, coder: BackgroundCoder | None = None, **how: Any) -> None:
        self.folder = Folder(root, **how)
        self.variants = Variants(self.folder, coder)
        self.turn = 0
        self.stamp = b"Date: 0\r\n"

    def next_second(self) -> None:
        self.stamp = b"Date: %d\r\n" % (self.turn + 1)

    def plain(self, path: str) -> File:
        self.turn += 1
        found = self.folder.find(path, self.turn)
        assert isinstance(found, File)
        return found

    def ask(self, path: str, accept_encoding: str | None = BROWSER) -> File:
        fields = {"HTTP_HOST": "h"}
        if accept_encoding is not None:
            fields["HTTP_ACCEPT_ENCODING"] = accept_encoding
        return self.variants.choose(self.plain(path), Head("GET", "/", FieldSection(fields)), self.stamp)

    def coding(self, path: str, accept_encoding: str | None = BROWSER) -> str:
        return self.ask(path, accept_encoding).coding


def write(path: Path, content: bytes, *, like: Path | None = None, older: float = 0) -> Path:
    """A file; with the time of another one, or so many seconds older than that."""
    path.write_bytes(content)
    if like is not None:
        time = like.stat().st_mtime_ns - int(older * 1e9)
        os.utime(path, ns=(time, time))
    return path


class SlowCoder:
    """A coder that waits until it may go on, and tells when it has begun. What it makes is one byte."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.made = 0

    def __call__(self) -> Coder:
        self.made += 1
        return self

    def compress(self, data: bytes, /) -> bytes:
        self.begun.release()
        assert self.go_on.wait(PATIENCE)
        return b""

    def flush(self) -> bytes:
        return b"z"

    def wait(self) -> None:
        """Until the next piece is being compressed."""
        assert self.begun.acquire(timeout=PATIENCE)


def idle(coder: BackgroundCoder) -> None:
    """Waits until there is nothing left to do."""
    while (thread := coder._thread) is not None:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def coders(**by_coding: Callable[[], Coder]) -> BackgroundCoder:
    return BackgroundCoder(by_coding)
