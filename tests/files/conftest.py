"""Fixtures for the tests of files: a folder with sidecars, and one that is compressed in the background."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.files.choosing import Chooser, write
from tests.files.links import link
from tests.files.sidecars import GZIP, TEXT, ZSTD
from tpserver.files import folder
from tpserver.files.background import BackgroundCoder
from tpserver.files.coders import quick_coders


@pytest.fixture
def coder() -> BackgroundCoder:
    return BackgroundCoder(quick_coders())


@pytest.fixture
def chooser(tmp_path: Path, coder: BackgroundCoder) -> Chooser:
    return Chooser(tmp_path, coder)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a file and three sidecars, which hold something else, to be told apart."""
    plain = write(tmp_path / "app.js", TEXT)
    for extension, content in ((".gz", GZIP), (".br", b"br"), (".zst", ZSTD)):
        write(tmp_path / f"app.js{extension}", content, like=plain)
    return tmp_path


@pytest.fixture(scope="session")
def real_links(tmp_path_factory: pytest.TempPathFactory) -> None:
    """For a test that makes links in a thread of the server, where it cannot be skipped any more."""
    link(tmp_path_factory.mktemp("links") / "link", "target")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has just been written is taken for old: it will not change again without another time."""
    monkeypatch.setattr(folder, "_MTIME_STEP_NS", 0)
