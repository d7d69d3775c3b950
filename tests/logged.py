"""What the server complained of."""

from __future__ import annotations

import logging

import pytest


def errors(log: pytest.LogCaptureFixture, logger: str = "") -> list[str]:
    """The errors of this logger and those below it, or of all, a message each."""
    return [
        record.getMessage()
        for record in log.records
        if record.levelno >= logging.ERROR and (not logger or f"{record.name}.".startswith(f"{logger}."))
    ]
