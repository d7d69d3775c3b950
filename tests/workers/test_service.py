"""What the parent of several processes tells systemd."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.client import PATIENCE
from tests.console import HELLO, tpserver

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(socket, "AF_UNIX"), reason="systemd is for Linux"
)


def test_the_parent_speaks_for_all_processes(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(HELLO, "utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service:
        service.settimeout(PATIENCE)
        service.bind(str(tmp_path / "notify"))
        told: list[str] = []

        def until(what: str) -> None:
            while what not in told:
                told.extend(service.recv(4096).decode().split("\n"))

        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with tpserver("hello:app", "--workers", "2", "--access-log", "none", cwd=tmp_path, env=env) as console:
            until("READY=1")
            assert console.get("/a") == "hello /a"
            until("WATCHDOG=1")
            console.send(signal.SIGHUP)
            until("RELOADING=1")
            told.clear()
            until("READY=1")
            console.send(signal.SIGTERM)
            until("STOPPING=1")
            ended = console.end()
            assert ended.status == 0
            assert [line.split(" INFO ")[1] for line in ended.stderr.splitlines()] == [
                "replacing 2 workers",
                "2 workers replaced",
            ]
