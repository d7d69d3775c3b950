"""Applications that close the streams which the server says things on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.failures.limited import exchange, get, limited

CLOSING = """
import sys

def app(environ, start_response):
    if environ["PATH_INFO"] == "/close":
        sys.stdout.close()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""


@pytest.mark.parametrize("log", ["-", "none"])
def test_a_stdout_that_the_application_has_closed_ends_nothing(tmp_path: Path, log: str) -> None:
    with limited("", CLOSING, tmp_path, "--access-log", log) as console:
        assert console.port
        assert exchange(console, get("/close")).endswith(b"hello")
        assert exchange(console, get("/")).endswith(b"hello")
        ended = console.stop()
    assert ended.status == 0
    assert "Traceback" not in ended.stderr
