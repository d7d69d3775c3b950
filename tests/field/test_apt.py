"""A flat apt repository, whose addresses begin with `./`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.running import Start

pytestmark = [
    pytest.mark.field,
    pytest.mark.skipif(not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="apt is not installed"),
]

_CONTROL = """\
Package: tpserver-example
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.invalid>
Description: An example
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with one package, its index `Packages`, and `Release`."""
    package, folder = tmp_path / "package", tmp_path / "repository"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(_CONTROL)
    folder.mkdir()
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", package, folder / "x.deb"], check=True, capture_output=True)
    data = (folder / "x.deb").read_bytes()
    index = f"{_CONTROL}Filename: ./x.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n".encode()
    (folder / "Packages").write_bytes(index)
    listed = f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages"
    (folder / "Release").write_text(f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n{listed}\n")
    return folder


def test_apt_updates_from_it_and_downloads_the_package(start: Start, repository: Path, tmp_path: Path) -> None:
    url = start(root=str(repository)).url
    state = tmp_path / "apt"
    for name in ("etc/apt.conf.d", "etc/preferences.d", "state/lists/partial", "cache/archives/partial", "here"):
        (state / name).mkdir(parents=True)
    (state / "status").touch()
    (state / "etc" / "sources.list").write_text(f"deb [trusted=yes] {url}/ ./\n")
    settings = {
        "Dir::Etc": state / "etc",
        "Dir::State": state / "state",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "APT::Sandbox::User": "",
        "Acquire::http::Proxy": "false",
        "Acquire::Check-Date": "false",
        "Acquire::Languages": "none",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]

    def apt(*words: str) -> None:
        done = subprocess.run(
            ["apt-get", *options, *words],
            cwd=state / "here",
            env={**os.environ, "LC_ALL": "C", "APT_CONFIG": os.devnull},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Err:" not in done.stdout

    apt("update")
    apt("download", "tpserver-example")
    (got,) = (state / "here").glob("*.deb")
    assert got.read_bytes() == (repository / "x.deb").read_bytes()
