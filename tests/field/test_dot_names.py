"""Stores and repositories with names that begin with a dot: served with --dot-files, and never by default."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import Start

pytestmark = pytest.mark.field

# Reads one value of a store, in a process of its own: its libraries leave threads behind.
READ = """
import sys
import zarr
group = zarr.open_group(sys.argv[1], mode="r")
print(group["temperature"][2, 3], group["temperature"].attrs["unit"])
"""
# A store in the format of version 2, as zarr writes it: an array of one chunk, not compressed.
STORE = {
    ".zgroup": b'{"zarr_format": 2}',
    "temperature/.zarray": b'{"chunks": [4, 5], "compressor": null, "dtype": "|u1", "fill_value": 0, "filters": null,'
    b' "order": "C", "shape": [4, 5], "zarr_format": 2}',
    "temperature/.zattrs": b'{"unit": "C"}',
    "temperature/0.0": bytes(range(20)),
}


def without_proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("dot_files", [True, False])
def test_git_clones_a_repository_by_its_dot_git(start: Start, tmp_path: Path, dot_files: bool) -> None:
    root, copy = tmp_path / "root", tmp_path / "copy"
    repository = root / "repo"
    repository.mkdir(parents=True)
    environment = {**without_proxies(), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*arguments: str, folder: Path = repository) -> int:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        command = ["git", *who, *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False).returncode

    assert git("init", "--quiet") == 0
    for number in range(3):
        (repository / "file.txt").write_text(f"version {number}\n", "utf-8")
        assert git("add", "file.txt") == 0
        assert git("commit", "--quiet", "-m", f"change {number}") == 0
    assert git("gc", "--quiet") == 0  # packs, as of a repository that has been in use
    (repository / "file.txt").write_text("last\n", "utf-8")
    assert git("commit", "--quiet", "-am", "last") == 0
    assert git("update-server-info") == 0
    running = start(root=root, dot_files=dot_files)
    url = f"http://127.0.0.1:{running.address[1]}/repo/.git"
    assert (git("clone", "--quiet", url, str(copy), folder=tmp_path) == 0) is dot_files
    if dot_files:
        assert (copy / "file.txt").read_text("utf-8") == "last\n"
        assert git("fsck", folder=copy) == 0


@pytest.mark.skipif(
    None in map(importlib.util.find_spec, ("zarr", "fsspec", "aiohttp")),
    reason="zarr, fsspec or aiohttp is not installed",
)
@pytest.mark.parametrize("dot_files", [True, False])
def test_zarr_reads_a_store_of_version_2(start: Start, tmp_path: Path, dot_files: bool) -> None:
    for name, content in STORE.items():
        path = tmp_path / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    running = start(root=tmp_path, dot_files=dot_files)
    url = f"http://127.0.0.1:{running.address[1]}/store"
    done = subprocess.run(
        [sys.executable, "-c", READ, url], env=without_proxies(), capture_output=True, text=True, check=False
    )
    if dot_files:
        assert done.stdout == "13 C\n", done.stderr
    else:
        assert done.returncode != 0
