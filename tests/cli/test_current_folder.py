"""An application that changes the current folder when it is imported does not change what the options name."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.test_log_rotation import wait_for_text
from tests.console import HELLO, tpserver
from tpserver.config import Config

# What Flask and others do with their own folder.
MOVING = "import os\nos.chdir({folder!r})\n" + HELLO


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "a.txt").write_text("file", "utf-8")
    (tmp_path / "moving.py").write_text(MOVING.format(folder=str(tmp_path / "elsewhere")), "utf-8")
    (tmp_path / "other.py").write_text(HELLO, "utf-8")
    return tmp_path


@pytest.mark.parametrize("workers", ["1", "2"])
def test_folders_and_applications_are_those_of_the_start(site: Path, workers: str) -> None:
    mounts = ("--mount", "/static=public", "--mount", "/other=other.py")
    with tpserver("moving:app", "--root", "public", *mounts, "--workers", workers, cwd=site) as console:
        assert str(site / "public") in console.url + console.greeting
        assert console.get("/a.txt") == console.get("/static/a.txt") == "file"
        assert console.get("/other/x") == "hello /x"
        assert console.stop().status == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_access_log_is_where_it_was_named_and_so_is_a_new_one(site: Path, workers: str) -> None:
    (site / "log").mkdir()
    log = site / "log" / "access.log"
    with tpserver("moving:app", "--access-log", "log/access.log", "--workers", workers, cwd=site) as console:
        console.get("/before")
        wait_for_text(log, "/before")
        if hasattr(signal, "SIGUSR1"):
            log.rename(site / "log" / "access.log.1")
            console.process.send_signal(signal.SIGUSR1)
            wait_for_text(log, "")
            console.get("/after")
            wait_for_text(log, "/after")
        assert console.stop().status == 0


def test_what_does_not_exist_is_told_as_it_is_written() -> None:
    config = Config(root="nowhere", app_dir="nowhere", mount=["/a=nowhere", "/b=module:app"], auth=["**=nowhere"])
    assert config.resolved() == config


def test_paths_of_what_exists_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("users", "pem", "key", "password", "ca"):
        (tmp_path / name).touch()
    config = Config(
        vhost=["a.example=."],
        auth=["**=users"],
        tls_cert=["pem"],
        tls_key=["key"],
        tls_password_file="password",
        tls_client_ca="ca",
        access_log="-",
    ).resolved()
    assert config == config.resolved()
    found = (config.app_dir, config.vhost[0].target, config.auth[0].file, *config.tls_cert, *config.tls_key)
    at = str(tmp_path)
    assert found == (at, at, *(os.path.join(at, name) for name in ("users", "pem", "key")))
    assert (config.tls_password_file, config.tls_client_ca) == (str(tmp_path / "password"), str(tmp_path / "ca"))
    assert config.access_log == "-"
