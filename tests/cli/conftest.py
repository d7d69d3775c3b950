"""Fixtures for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console import HANGING, HELLO, WAITING


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A current folder with a page and an application."""
    (tmp_path / "index.html").write_text("home", "utf-8")
    (tmp_path / "hello.py").write_text(HELLO, "utf-8")
    (tmp_path / "hanging.py").write_text(HANGING, "utf-8")
    (tmp_path / "waiting.py").write_text(WAITING, "utf-8")
    return tmp_path
