"""Applications that set up logging for themselves when they are imported: the server is heard all the same."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import salvage
from tests.failures.limited import get, limited
from tpserver import make_server

FAILING = """
import logging.config

logging.config.dictConfig({!r})

def app(environ, start_response):
    raise ValueError("for the log")
"""


def said(folder: Path, configuration: dict[str, Any]) -> str:
    """What stands on stderr after a request that has failed."""
    with limited("", FAILING.format(configuration), folder, "--access-log", "none") as console:
        assert salvage(console, get("/fail")).startswith(b"HTTP/1.1 500 ")
        return console.stop().stderr


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"root": {"level": "INFO", "handlers": []}},
        {"loggers": {"tpserver": {"level": "INFO"}}},
        {"loggers": {"tpserver.application": {"level": "INFO"}}},
    ],
    ids=["nothing", "root", "server", "application"],
)
def test_a_configuration_that_disables_all_loggers_leaves_the_servers(tmp_path: Path, more: dict[str, Any]) -> None:
    text = said(tmp_path, {"version": 1, **more})
    assert text.count("GET /fail: the application raised an exception") == 1
    assert text.count("\nValueError: for the log") == 1


def test_a_configuration_with_a_place_for_the_servers_log_is_followed(tmp_path: Path) -> None:
    place = {"class": "logging.FileHandler", "filename": str(tmp_path / "log.txt")}
    loggers = {"tpserver": {"handlers": ["place"]}}
    text = said(tmp_path, {"version": 1, "handlers": {"place": place}, "loggers": loggers})
    assert text == ""
    assert "ValueError: for the log" in (tmp_path / "log.txt").read_text("utf-8")


def test_handlers_of_the_root_logger_get_what_the_server_says(tmp_path: Path) -> None:
    place = {"class": "logging.FileHandler", "filename": str(tmp_path / "log.txt")}
    text = said(tmp_path, {"version": 1, "handlers": {"place": place}, "root": {"handlers": ["place"]}})
    assert text.count("ValueError: for the log") == 1
    assert (tmp_path / "log.txt").read_text("utf-8").count("ValueError: for the log") == 1


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("tpserver.application")
    yield logger
    logger.disabled = False


def test_a_logger_that_the_program_has_disabled_remains_so(tmp_path: Path, logger: logging.Logger) -> None:
    (tmp_path / "plain_one.py").write_text("def app(environ, start_response): ...", encoding="utf-8")
    logger.disabled = True
    with make_server("127.0.0.1", 0, "plain_one:app", app_dir=str(tmp_path)):
        assert logger.disabled
