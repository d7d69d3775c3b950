"""The commands and files of docs/deployment.md work as they are written there."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tpserver.cli import parse
from tpserver.transport.endpoint import parse_endpoint

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "deployment.md").read_text("utf-8")
COMMANDS = re.findall(r"python -m tpserver (.*)", TEXT.replace("\\\n", ""))
ADDRESSES = [
    address
    for row in re.findall(r"^\| (`.*?) \| .*$", TEXT.partition("| `--bind`")[2].partition("\n\n")[0], re.MULTILINE)
    for address in re.findall(r"`(.*?)`", row)
]


def unit(name: str) -> str:
    """A file of systemd."""
    found = re.search(rf"```ini\n(# /etc/systemd/system/{name}\n.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command: str) -> None:
    config = parse(shlex.split(command))
    assert config.app in ("hello:app", "app:app", None)
    assert config.app or config.root or config.encrypted


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_understood(address: str) -> None:
    assert parse_endpoint(address).port in (8000, 0, None)


def test_there_are_commands_and_addresses() -> None:
    assert len(COMMANDS) >= 3
    assert len(ADDRESSES) >= 9


@pytest.mark.field
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd is not for this system")
def test_the_real_systemd_takes_the_units(tmp_path: Path) -> None:
    (tmp_path / "app.socket").write_text(unit("app.socket"), "utf-8")
    text = unit("app.service").replace("/opt/app/bin/python", "/bin/sh").replace("/opt/app", "/")
    (tmp_path / "app.service").write_text(text, "utf-8")
    units = [str(tmp_path / name) for name in ("app.service", "app.socket")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=50, check=False
    )
    assert [line for line in (done.stdout + done.stderr).splitlines() if "app." in line] == []
    assert done.returncode == 0
