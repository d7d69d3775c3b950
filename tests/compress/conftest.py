"""Fixtures for the tests of the command that compresses."""

from __future__ import annotations

import pytest

from tests.compress.compressing import GZIP
from tpserver.compress import command


@pytest.fixture
def only_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "thorough_coders", lambda: GZIP)
