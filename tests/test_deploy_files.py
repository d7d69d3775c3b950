"""The files of deploy/ are what their programs take, and their command lines are those of this version."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tpserver.cli import parse
from tpserver.config import Config

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"


def config(arguments: list[str]) -> Config:
    return Config(**vars(parse(arguments)))


def documents() -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / "tpserver.yaml").read_text("utf-8")))


def test_the_command_of_kubernetes_serves_at_its_port_and_ends_in_its_time() -> None:
    deployment, service = documents()
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["python", "-m", "tpserver"]
    options = config(container["args"])
    port = container["ports"][0]["containerPort"]
    assert (options.host, options.port, service["spec"]["ports"][0]["targetPort"]) == ("0.0.0.0", port, port)
    probes = [container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert {(probe.get("httpGet") or probe["tcpSocket"])["port"] for probe in probes} == {port}
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > pause + options.drain_timeout + 10  # what is stuck is killed then
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels


def test_the_container_starts_the_server_as_process_1() -> None:
    text = (DEPLOY / "container" / "Containerfile").read_text("utf-8")
    (command,) = re.findall(r"^CMD (.*)", text, re.MULTILINE)  # a list: no shell is before it
    assert json.loads(command)[:3] == ["python", "-m", "tpserver"]
    assert config(json.loads(command)[3:]).workers == 0


def test_the_service_is_started_with_options_that_there_are() -> None:
    text = (DEPLOY / "systemd" / "tpserver.service").read_text("utf-8")
    (command,) = re.findall(r"^ExecStart=\S+ -m tpserver (.*)", text, re.MULTILINE)
    options = config(command.split())
    assert options.workers == 2
    assert options.hang_timeout == 60  # WatchdogSec= is for all processes together


@pytest.mark.field
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd is not for this system")
def test_the_real_systemd_takes_the_units(tmp_path: Path) -> None:
    for name in ("tpserver.service", "tpserver.socket"):
        text = (DEPLOY / "systemd" / name).read_text("utf-8").replace("/opt/app/venv/bin/python", sys.executable)
        (tmp_path / name).write_text(text.replace("/opt/app", str(tmp_path)), "utf-8")
    units = [str(tmp_path / name) for name in ("tpserver.service", "tpserver.socket")]
    command = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert [line for line in (done.stdout + done.stderr).splitlines() if "tpserver." in line] == []
    assert done.returncode == 0
