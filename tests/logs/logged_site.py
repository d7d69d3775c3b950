"""A server whose access log is read, and what it says of refused requests."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.running import Running, Start

AGENT = "User-Agent: probe/1.0"
POST = "POST /up HTTP/1.1"


def reasons(log: pytest.LogCaptureFixture) -> list[str]:
    """The lines about refused requests, which are no more than debug."""
    found = [record for record in log.records if '" refused with ' in record.getMessage()]
    assert {record.levelno for record in found} <= {logging.DEBUG}
    return [record.getMessage() for record in found]


class Site:
    """A server whose access log is read when it has stopped."""

    def __init__(self, start: Start, folder: Path) -> None:
        self._start = start
        self.path = folder / "access.log"

    def start(self, app: Any = None, **options: Any) -> Running:
        self.running = self._start(app, access_log=str(self.path), **options)
        return self.running

    def lines(self) -> list[str]:
        self.running.stop()
        return self.path.read_text("ascii").splitlines()
