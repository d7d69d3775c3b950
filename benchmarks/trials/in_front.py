"""nginx and HAProxy with the files of deploy/, in front of instances of tpserver on this machine.

Only ports and paths are replaced: a file that a proxy refuses, or that says something else, shows here.
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ..process import ServerFailed, ServerProcess, free_port
from ..servers import ROOT
from ..wrk import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DEPLOY: Final = ROOT / "deploy"
# The files that stand in front of several instances.
SEVERAL: Final = {"nginx": DEPLOY / "nginx" / "several.conf", "haproxy": DEPLOY / "haproxy" / "several.cfg"}

# What a package of nginx has around the files of conf.d. It runs as who has started it, below one folder.
_NGINX: Final = """\
daemon off;
{user}worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {site};
}}
"""


def find_proxy(name: str) -> str | None:
    """The path of the program nginx or haproxy; None: it is not installed."""
    return find_program(name)


def _with_ports(text: str, port: int, instances: Sequence[int]) -> str:
    """A shipped file that listens on `port` of this machine, for instances at these ports."""
    numbers = iter(instances)
    text = re.sub(r"127\.0\.0\.1:800\d\b", lambda _: f"127.0.0.1:{next(numbers)}", text)
    text = re.sub(r"listen 80;\n\s+listen \[::\]:80;", f"listen 127.0.0.1:{port};", text)
    return text.replace("bind :80\n", f"bind 127.0.0.1:{port}\n")


def behind_another(text: str) -> str:
    """tpserver-proxy.conf with the lines for nginx behind another proxy, as its comment says."""
    text = re.sub(r"(?m)^proxy_set_header X-Forwarded-(For|Proto) .*\n", "", text)
    return re.sub(r"(?m)^#(proxy_set_header X-Forwarded-)", r"\1", text)


@contextmanager
def proxy(site: Path, folder: Path, instances: Sequence[int], *, inner: bool = False) -> Iterator[ServerProcess]:
    """The proxy that the shipped file `site` is for, running; its files are below `folder`.

    `inner`: nginx is behind another proxy.
    """
    port = free_port()
    folder.mkdir()
    text = _with_ports(site.read_text("utf-8"), port, instances)
    if site.suffix == ".conf":
        passed = (DEPLOY / "nginx" / "tpserver-proxy.conf").read_text("utf-8")
        (folder / "tpserver-proxy.conf").write_text(behind_another(passed) if inner else passed, "utf-8")
        (folder / "site.conf").write_text(text, "utf-8")
        (folder / "nginx.conf").write_text(
            _NGINX.format(folder=folder, site=folder / "site.conf", user=_user_line()), "utf-8"
        )
        command = [find_proxy("nginx") or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    else:
        (folder / "haproxy.cfg").write_text(text, "utf-8")
        command = [find_proxy("haproxy") or "haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
    told = subprocess.run(
        [*command, "-t" if site.suffix == ".conf" else "-c"], capture_output=True, text=True, check=False
    )
    if told.returncode or "[WARNING]" in told.stderr or "[warn]" in told.stderr:
        raise ServerFailed(f"{site.name}: {told.stdout}{told.stderr}")
    with ServerProcess(command, port=port, folder=folder, environment={}, log=folder / "output.txt") as process:
        process.wait_listening()
        yield process


def _user_line() -> str:
    """Started by root, nginx would answer as another user, which may not see the folder."""
    return "user root;\n" if os.geteuid() == 0 else ""
