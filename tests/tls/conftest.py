"""Servers with TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.running import Running, Start
from tests.tls.certificates import write


@pytest.fixture
def start_tls(start: Start, tmp_path: Path) -> Start:
    """As `start`, with a certificate for localhost."""

    def start_one(app: Any = None, **options: Any) -> Running:
        folder = tmp_path / "certificates"
        folder.mkdir(exist_ok=True)
        certificate, key = write(folder)
        return start(app, **{"tls_cert": [certificate], "tls_key": [key], **options})

    return start_one
