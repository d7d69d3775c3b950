"""What tests of logs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.logs.logged_site import Site
from tests.running import Start


@pytest.fixture
def site(start: Start, tmp_path: Path) -> Site:
    return Site(start, tmp_path)
