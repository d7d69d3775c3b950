"""The commands of README.md are understood."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tpserver.cli import parse

TEXT = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")
COMMANDS = re.findall(r"^(?:\| .* `)?python -m tpserver ([^`\n]*)", TEXT, re.MULTILINE)
SERVED = [command for command in COMMANDS if command.split(" ")[0] not in ("compress", "hash-password", "service")]


def test_there_are_commands() -> None:
    assert len(SERVED) >= 9


@pytest.mark.parametrize("command", SERVED)
def test_a_command_is_understood(command: str) -> None:
    config = parse(shlex.split(command))
    assert config.app or config.root


def test_the_service_of_windows_has_options_that_are_understood() -> None:
    (command,) = (command for command in COMMANDS if command.startswith("service install "))
    _, _, _, *options = shlex.split(command)
    assert parse(options).app == "hello:app"
