"""Programs that people use with servers of TLS: curl, openssl, and the scanner testssl.sh."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.running import Running, Start
from tests.tls.certificates import authority, trust_file

pytestmark = pytest.mark.field

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(content) + 6))])
    return [b"hello ", content]


def run(*command: str, stdin: bytes = b"", timeout: float = 50) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False)


def url(server: Running) -> str:
    return f"https://localhost:{server.address[1]}/"


@needs_curl
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl(start_tls: Start, tmp_path: Path, version: str) -> None:
    server, trust = start_tls(echo), trust_file(tmp_path)
    (tmp_path / "large").write_bytes(bytes(range(256)) * 10_000)
    common = ("curl", "-sS", "--noproxy", "*", "--cacert", trust, f"--tlsv{version}", "--tls-max", version)
    upload = run(*common, "--data-binary", f"@{tmp_path / 'large'}", url(server))
    assert (upload.returncode, upload.stderr) == (0, b"")
    assert upload.stdout == b"hello " + bytes(range(256)) * 10_000
    several = run(*common, "-w", "%{num_connects} ", url(server), url(server), url(server))
    assert several.stdout == b"hello 1 hello 0 hello 0 "


@needs_curl
def test_curl_follows_the_redirect(start_tls: Start, tmp_path: Path) -> None:
    server = start_tls(echo, redirect_http=0)
    port = server.server.others[-1].getsockname()[1]
    command = ("curl", "-sSL", "--noproxy", "*", "--cacert", trust_file(tmp_path), "-d", "content")
    followed = run(*command, f"http://localhost:{port}/x")
    assert followed.stdout == b"hello content"  # with its method and content: 308


@needs_curl
def test_curl_with_a_certificate_of_its_own(start_tls: Start, tmp_path: Path) -> None:
    trust = trust_file(tmp_path)
    server = start_tls(echo, tls_client_ca=trust)
    mine = tmp_path / "mine.pem"
    authority().issue_cert("me.example").private_key_and_cert_chain_pem.write_to_path(str(mine))
    command = ("curl", "-sS", "--noproxy", "*", "--cacert", trust)
    assert run(*command, "--cert", str(mine), url(server)).stdout == b"hello "
    refused = run(*command, url(server))
    assert refused.returncode != 0
    assert refused.stdout == b""


@needs_openssl
def test_openssl_ends_in_an_orderly_way(start_tls: Start, tmp_path: Path) -> None:
    server = start_tls(echo)
    command = ("openssl", "s_client", "-connect", f"localhost:{server.address[1]}", "-CAfile", trust_file(tmp_path))
    data = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    ended = run(*command, "-ign_eof", "-verify_return_error", stdin=data)
    assert ended.returncode == 0
    assert b"hello " in ended.stdout
    assert b"Verify return code: 0 (ok)" in ended.stdout
    assert b"closed\n" in ended.stdout
    assert b"unexpected eof" not in ended.stderr


@needs_openssl
def test_openssl_is_refused_a_renegotiation(start_tls: Start, tmp_path: Path) -> None:
    server = start_tls(echo)
    command = ("openssl", "s_client", "-connect", f"localhost:{server.address[1]}", "-tls1_2")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(b"R\n")
        client.stdin.flush()
        assert b"no renegotiation" in client.stdout.read()  # which ends the program


@needs_openssl
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_openssl_resumes_sessions(start_tls: Start, tmp_path: Path, version: str) -> None:
    server, session = start_tls(echo), str(tmp_path / "session")
    option = {"1.2": "-tls1_2", "1.3": "-tls1_3"}[version]
    command = ("openssl", "s_client", "-connect", f"localhost:{server.address[1]}", option, "-ign_eof")
    data = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert b"New, TLSv" in run(*command, "-sess_out", session, stdin=data).stdout
    assert b"Reused, TLSv" in run(*command, "-sess_in", session, stdin=data).stdout


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(shutil.which("testssl") is None, reason="testssl.sh is not installed")
@pytest.mark.skipif(sys.platform == "win32", reason="testssl.sh is for Unix")
def test_testssl_finds_nothing_above_low(start_tls: Start, tmp_path: Path) -> None:
    """Of what the server decides; not of the certificate and its authority, nor of what an application answers."""
    server, result = start_tls(echo), tmp_path / "result.json"
    scanned = run(
        *("testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none"),
        *("--add-ca", trust_file(tmp_path), "--jsonfile", str(result)),
        *("--protocols", "--std", "--fs", "--server-preference", "--vulnerable", url(server)),
        timeout=390,
    )
    assert result.exists(), scanned.stdout
    # "engine_problem" is about the openssl that the scanner runs, which may lack GOST.
    findings = [one for one in json.loads(result.read_text()) if one["id"] != "engine_problem"]
    found = {one["id"]: one["severity"] for one in findings}
    assert found["TLS1_2"] == found["TLS1_3"] == "OK"
    assert [one for one in findings if one["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL")] == []
