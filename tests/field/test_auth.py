"""--auth with the clients that people have: each gets a protected file with the right password, and none without it."""

from __future__ import annotations

import shutil
import sys
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.field.versions import download
from tests.running import Running, Start
from tpserver.http.basic_auth import hash_password

pytestmark = pytest.mark.field

USER, PASSWORD = "zo\u00eb", "p\u00e4ss: w@rd/1"
CONTENT = b"secret" * 50_000

# Asks with the user's name and password, and writes what it gets.
REQUESTS = """
import sys, requests
url, user, password, path = sys.argv[1:]
with requests.Session() as session:
    session.trust_env = False
    answer = session.get(url + "/admin/a.bin", auth=(user.encode(), password.encode()), timeout=50)
answer.raise_for_status()
open(path, "wb").write(answer.content)
"""


def in_url(url: str, password: str) -> str:
    return url.replace("http://", f"http://{quote(USER)}:{quote(password, safe='')}@")


def command(client: str, url: str, password: str) -> list[str]:
    """What fetches the protected file a.bin to the current folder."""
    file = url + "/admin/a.bin"
    value = b64encode(f"{USER}:{password}".encode()).decode()
    wget = ["wget", "-q", f"--user={USER}", f"--password={password}"]
    aria2c = ["aria2c", "--no-conf", "--quiet", "--split=4", "--min-split-size=1M", "--max-tries=1"]
    aria2c += [f"--http-user={USER}", f"--http-passwd={password}"]
    rclone = ["rclone", "copy", ":http:", ".", "--config", "none.conf", "--retries", "1", "--low-level-retries", "1"]
    return {
        "curl": ["curl", "-qfsSO", "-u", f"{USER}:{password}", file],
        "curl, --anyauth": ["curl", "-qfsSO", "--anyauth", "-u", f"{USER}:{password}", file],
        "curl, in the address": ["curl", "-qfsSO", in_url(file, password)],
        "wget": [*wget, file],
        "wget, unasked": [*wget, "--auth-no-challenge", file],
        "wget, mirror": [*wget, "-r", "-nH", "--cut-dirs=1", url + "/admin/"],
        "aria2c": [*aria2c, file],
        "aria2c, when asked": [*aria2c, "--http-auth-challenge=true", file],
        "rclone": [*rclone, "--http-url", url + "/admin/", "--http-headers", f"Authorization,Basic {value}"],
        "rclone, in the address": [*rclone, "--http-url", in_url(url, password) + "/admin/"],
        "requests": [sys.executable, "-c", REQUESTS, url, USER, password, "a.bin"],
    }[client]


CLIENTS = [
    "curl", "curl, --anyauth", "curl, in the address", "wget", "wget, unasked", "wget, mirror", "aria2c",
    "aria2c, when asked", "rclone", "rclone, in the address", "requests",
]  # fmt: skip


@pytest.fixture
def running(start: Start, tmp_path: Path) -> Running:
    """A server with a listing of /admin/ for one user."""
    (tmp_path / "root" / "admin").mkdir(parents=True)
    (tmp_path / "root" / "admin" / "a.bin").write_bytes(CONTENT)
    users = tmp_path / "users"
    users.write_text(f"{USER}:{hash_password(PASSWORD.encode(), b's' * 16)}\n", "utf-8")
    return start(root=tmp_path / "root", listing=True, auth=[f"admin={users}"])


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_gets_a_protected_file_with_the_right_password_alone(
    client: str, running: Running, tmp_path: Path
) -> None:
    program = client.partition(",")[0]
    if program == "requests":
        pytest.importorskip("requests")
    elif shutil.which(program) is None:
        pytest.skip(f"no {program} is installed")
    for password in ("wrong", PASSWORD):
        home = tmp_path / password[:2]
        home.mkdir()
        done = download(home, *command(client, running.url, password))
        assert (done.returncode == 0) is (password == PASSWORD), done.stderr
        got = [path.read_bytes() for path in home.glob("a.bin")]
        assert got == ([CONTENT] if password == PASSWORD else []), done.stderr
