"""What a start warns of, in words that say what to type."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.console import tpserver
from tests.failures.limited import posix


def stderr(site: Path, *arguments: str, env: object = (), command: tuple[str, ...] = ()) -> str:
    """What a server says on stderr from start to end."""
    with tpserver(*arguments, cwd=site, env=env, command=command) as console:
        assert console.port
        ended = console.stop()
    assert ended.status == 0
    return str(ended.stderr)


def test_a_start_on_this_machine_alone_warns_of_nothing(site: Path) -> None:
    assert stderr(site) == ""
    assert stderr(site, "hello:app", "--host", "localhost") == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_public_address_says_what_is_exposed_once(host: str, site: Path) -> None:
    try:
        text = stderr(site, "hello:app", ".", "--host", host, "--listing")
    except AssertionError:
        if host == "::":
            pytest.skip("there is no IPv6 here")
        raise
    (line,) = text.splitlines()
    shown = "[::]" if host == "::" else host
    assert f"WARNING everyone who can reach {shown}:" in line
    assert f"can use {site} and hello:app, with listings of folders; it is not encrypted" in line
    assert "--host 127.0.0.1 keeps it to this machine" in line


def test_the_advice_for_a_public_address_can_be_typed(site: Path) -> None:
    assert "--bind 127.0.0.1 keeps it to this machine" in stderr(site, "--bind", "0.0.0.0")


@posix
def test_a_small_limit_of_open_files_is_named_with_what_to_type(site: Path) -> None:
    text = stderr(site, command=("sh", "-c", 'ulimit -n 256 && exec "$@"', "sh"))
    (line,) = text.splitlines()
    assert "WARNING --max-connections reduced from 10000 to 192: ulimit -n is 256. Type ulimit -n 10064" in line


@posix
def test_a_limit_that_suffices_is_not_named(site: Path) -> None:
    assert "ulimit" not in stderr(
        site, "--max-connections", "100", command=("sh", "-c", 'ulimit -n 256 && exec "$@"', "sh")
    )


@posix
def test_a_temporary_folder_that_cannot_be_written_is_named(site: Path) -> None:
    text = stderr(site, "hello:app", env={"TMPDIR": str(site / "none")})
    (line,) = text.splitlines()
    assert f"WARNING the temporary folder {site / 'none'} cannot be written" in line
    assert "are stored in /" in line


def test_files_alone_need_no_temporary_folder(site: Path) -> None:
    assert stderr(site, env={"TMPDIR": str(site / "none")}) == ""


@pytest.mark.skipif(sys.platform == "win32" or not os.path.isdir("/tmp"), reason="needs /tmp")
def test_without_any_temporary_folder_the_status_is_named(site: Path) -> None:
    # `tempfile` finds none: as where all disks are read-only.
    (site / "full.py").write_text(
        "import tempfile\n"
        "def none():\n    raise FileNotFoundError(2, 'No usable temporary directory found')\n"
        "tempfile.gettempdir = none\nfrom hello import app\n",
        "utf-8",
    )
    (line,) = stderr(site, "full:app", env={"TMPDIR": str(site / "none")}).splitlines()
    assert "WARNING no temporary folder can be written: contents of requests above 4 MiB get 503. Set TMPDIR" in line
