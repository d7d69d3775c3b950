"""Certificates: which one a client gets, what is wrong with them, and new ones while the server runs."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client import PATIENCE
from tests.running import Start
from tests.tls.certificates import authority, client_context, issue, trust_file, write
from tests.tls.client import Peer, TLSClient
from tests.tls.test_requests import variables
from tests.waiting import eventually
from tpserver import make_server
from tpserver.errors import UsageError
from tpserver.tls import server as tls_server
from tpserver.tls.names import host_names


def der(*names: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(issue(*names).cert_chain_pems[0].bytes().decode())


def names_seen(server, name: str) -> set[str]:
    """The names in the certificate that a client gets who asks for this one."""
    context = client_context()
    context.check_hostname = False
    with TLSClient(server, context, name=name) as client:
        return {value for kind, value in client.tls.getpeercert()["subjectAltName"]}


# -- names


@pytest.mark.parametrize(
    "names", [("a.example",), ("A.example", "*.b.example", "127.0.0.1", "::1"), ("x" * 60 + ".y",) * 5]
)
def test_the_names_of_a_certificate(names: tuple[str, ...]) -> None:
    assert host_names(der(*names)) == [name.lower() for name in names if ":" not in name and name != "127.0.0.1"]


def test_a_certificate_without_names_has_none() -> None:
    assert host_names(ssl.PEM_cert_to_DER_cert(authority().cert_pem.bytes().decode())) == []


def test_names_of_a_certificate_that_is_cut_off() -> None:
    whole = der("a.example")
    for length in range(len(whole)):
        try:
            assert host_names(whole[:length]) in ([], ["a.example"])
        except ValueError:
            pass


def test_a_client_gets_the_certificate_for_the_host_that_it_names(start: Start, tmp_path: Path) -> None:
    pairs = [
        write(tmp_path, "localhost", stem="first"),
        write(tmp_path, "a.example", "*.b.example", stem="second"),
        write(tmp_path, "c.b.example", stem="third"),
    ]
    server = start(variables, tls_cert=[pair[0] for pair in pairs], tls_key=[pair[1] for pair in pairs])
    assert names_seen(server, "localhost") == {"localhost"}
    assert names_seen(server, "unknown.example") == {"localhost"}
    assert names_seen(server, "a.example") == {"a.example", "*.b.example"}
    assert names_seen(server, "A.EXAMPLE") == {"a.example", "*.b.example"}
    assert names_seen(server, "x.b.example") == {"a.example", "*.b.example"}
    assert names_seen(server, "y.x.b.example") == {"localhost"}
    assert names_seen(server, "c.b.example") == {"c.b.example"}


def test_the_key_may_stand_in_the_file_of_the_certificate(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "both.pem"
    issue("localhost").private_key_and_cert_chain_pem.write_to_path(str(path))
    with TLSClient(start(variables, tls_cert=[str(path)])) as client:
        assert client.ask("/").status == 200


# -- certificates of clients


def test_a_client_must_have_a_certificate_where_that_is_asked_for(start_tls: Start, tmp_path: Path) -> None:
    server = start_tls(variables, tls_client_ca=trust_file(tmp_path))
    with (
        pytest.raises((ssl.SSLError, ConnectionResetError)),
        TLSClient(server) as client,
    ):  # in TLS 1.3 the server says so after the handshake
        client.ask("/")
    other = client_context()
    pytest.importorskip("trustme", exc_type=ImportError).CA().issue_cert("stranger").configure_cert(other)
    with pytest.raises((ssl.SSLError, ConnectionResetError)), TLSClient(server, other) as client:
        client.ask("/")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_application_learns_who_the_client_is(start_tls: Start, tmp_path: Path, version: ssl.TLSVersion) -> None:
    leaf = authority().issue_cert("client.example", "me@client.example", common_name="Jörg, Müller")
    context = client_context(version)
    leaf.configure_cert(context)
    with TLSClient(start_tls(variables, tls_client_ca=trust_file(tmp_path)), context) as client:
        client.ask("/")
        content = client.ask("/").content.decode()
    seen = dict(line.split("=", 1) for line in content.splitlines() if "=" in line)
    assert seen["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert seen["SSL_CLIENT_S_DN_CN"] == "Jörg, Müller"
    assert seen["SSL_CLIENT_S_DN"].startswith("CN=Jörg\\, Müller,OU=")
    assert seen["SSL_CLIENT_S_DN"].endswith(",O=" + seen["SSL_CLIENT_S_DN_O"])
    assert seen["SSL_CLIENT_I_DN_O"].startswith("trustme")
    assert seen["SSL_CLIENT_SAN_DNS_0"] == "client.example"
    assert seen["SSL_CLIENT_SAN_Email_0"] == "me@client.example"
    assert seen["SSL_CLIENT_M_VERSION"] == "3"
    assert int(seen["SSL_CLIENT_M_SERIAL"], 16) > 0
    assert seen["SSL_CLIENT_V_END"].endswith("GMT")
    assert leaf.cert_chain_pems[0].bytes().decode() in content


def test_a_name_that_is_not_ascii_gets_the_first_certificate(start: Start, tmp_path: Path) -> None:
    """And no traceback on stderr, which CPython would write."""
    pairs = [write(tmp_path), write(tmp_path, "other.example", stem="other")]
    server = start(variables, tls_cert=[pair[0] for pair in pairs], tls_key=[pair[1] for pair in pairs])
    with Peer(server) as peer:
        with pytest.raises(ssl.SSLWantReadError):
            peer.tls.do_handshake()
        peer.sock.sendall(peer.outgoing.read().replace(b"localhost", b"l\xf6calhost"))
        assert peer.sock.recv(1) == b"\x16"  # a handshake, and no alert


def test_a_client_certificate_that_is_refused_is_logged(
    start_tls: Start, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    server = start_tls(variables, tls_client_ca=trust_file(tmp_path))
    for _ in range(2):
        with pytest.raises((ssl.SSLError, ConnectionResetError)), TLSClient(server) as client:
            client.ask("/")
    warning = "the certificate of the client at 127.0.0.1 is refused: PEER_DID_NOT_RETURN_A_CERTIFICATE"
    told = [one.message for one in log.records if one.levelname == "WARNING" and "the client at" in one.message]
    assert told == [warning]  # at most once a minute
    reason = "TLS with 127.0.0.1 fails: PEER_DID_NOT_RETURN_A_CERTIFICATE"
    eventually(lambda: reason in log.text, "the second one leaves no trace")


# -- mistakes


def encrypted_key(folder: Path, password: bytes) -> str:
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization", exc_type=ImportError)
    key = serialization.load_pem_private_key(issue("localhost", "127.0.0.1").private_key_pem.bytes(), None)
    path = folder / "encrypted.key"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password),
        )
    )
    return str(path)


def test_a_key_with_a_password(start: Start, tmp_path: Path) -> None:
    certificate, _ = write(tmp_path)
    (tmp_path / "password").write_text("secret word\n")
    key = encrypted_key(tmp_path, b"secret word")
    server = start(variables, tls_cert=[certificate], tls_key=[key], tls_password_file=str(tmp_path / "password"))
    with TLSClient(server) as client:
        assert client.ask("/").status == 200


MISTAKES = {
    "--tls-cert {missing}": "--tls-cert {missing}: No such file or directory",
    "--tls-cert {cert} --tls-key {missing}": "--tls-key {missing}: No such file or directory",
    "--tls-cert {cert}": "--tls-key {cert}: no private key in PEM form; give its file by --tls-key",
    "--tls-cert {cert} --tls-key {cert}": "--tls-key {cert}: no private key in PEM form; give its file by --tls-key",
    "--tls-cert {key} --tls-key {key}": "--tls-cert {key}: no certificate in PEM form",
    "--tls-cert {cert} --tls-key {other}": "--tls-key {other}: not the key of {cert}",
    "--tls-cert {cert} --tls-key {encrypted}": "--tls-key {encrypted}: the key is encrypted: give its password by"
    " --tls-password-file",
    "--tls-cert {cert} --tls-key {encrypted} --tls-password-file {ca}": "--tls-password-file {ca}: not the password of"
    " {encrypted}",
    "--tls-cert {cert} --tls-key {key} --tls-key {key}": "1 --tls-cert and 2 --tls-key: give each certificate its key",
    "--tls-cert {cert} --tls-key {key} --tls-client-ca {key}": "--tls-client-ca {key}: no certificates in PEM form",
    "--tls-cert {cert} --tls-key {key} --tls-client-ca {missing}": "--tls-client-ca {missing}: No such file or"
    " directory",
    "--tls-key {key}": "--tls-key is for TLS: give a certificate by --tls-cert as well",
    "--redirect-http 80": "--redirect-http is for TLS: give a certificate by --tls-cert as well",
    "--hsts 300": "--hsts is for TLS: give a certificate by --tls-cert as well",
    "--tls self-signed --tls-cert {cert}": "--tls self-signed and --tls-cert: give one of them",
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    certificate, key = write(tmp_path)
    _, other = write(tmp_path, "other.example", stem="other")
    return {
        "cert": certificate,
        "key": key,
        "other": other,
        "ca": trust_file(tmp_path),
        "missing": str(tmp_path / "missing.pem"),
        "encrypted": encrypted_key(tmp_path, b"secret"),
    }


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_one_line_at_the_start(
    arguments: str, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    from tpserver.cli import _main

    given = [one.format(**files) for one in arguments.split(" ")]
    assert _main(["--root", ".", "--port", "0", *given]) == 2
    assert capsys.readouterr().err == f"tpserver: error: {MISTAKES[arguments].format(**files)}\n"


def test_a_port_for_redirects_that_is_in_use(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    from tpserver.cli import _main

    with make_server("127.0.0.1", 0, variables) as other:
        given = ["--tls-cert", files["cert"], "--tls-key", files["key"], "--redirect-http", str(other.server_port)]
        assert _main(["--root", ".", "--port", "0", *given]) == 1
    told = capsys.readouterr().err
    assert f"cannot listen on --redirect-http {other.server_port}: " in told
    assert told.endswith("; take another --redirect-http\n")


# -- new ones


def test_new_certificates_are_used_and_connections_keep_theirs(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls_server, "LOOK", 0.0)
    certificate, key = write(tmp_path)
    server = start(variables, tls_cert=[certificate], tls_key=[key])
    with TLSClient(server) as old:
        assert old.ask("/").status == 200
        write(tmp_path, "new.example")
        eventually(lambda: names_seen(server, "new.example") == {"new.example"}, "the old one is used")
        assert old.ask("/").status == 200
    assert "new connections use the certificates as they are now" in log.text


def test_a_bad_pair_is_logged_once_and_the_old_one_stays(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls_server, "LOOK", 0.0)
    certificate, key = write(tmp_path)
    server = start(variables, tls_cert=[certificate], tls_key=[key])
    _, other = write(tmp_path, "other.example", stem="other")
    shutil.copy(other, key)
    complaint = f"the certificates have changed and cannot be used, the old ones stay: --tls-key {key}: not the key of"
    eventually(lambda: complaint in log.text, "nothing is logged")
    for _ in range(5):
        with TLSClient(server) as client:
            assert client.ask("/").status == 200
    assert log.text.count(complaint) == 1
    write(tmp_path, "new.example")
    eventually(lambda: names_seen(server, "new.example") == {"new.example"}, "the old one is used")


def test_files_that_are_being_written_are_not_read(tmp_path: Path) -> None:
    from tpserver.tls.certificates import Certificates

    certificate, key = write(tmp_path)
    loaded = Certificates([(certificate, key)])
    loaded.load()
    assert not loaded.have_changed()
    Path(certificate).write_text("half of it")
    assert not loaded.have_changed()  # perhaps more follows
    write(tmp_path, "new.example")
    os.utime(certificate, ns=(1, 1))
    assert not loaded.have_changed()
    assert loaded.have_changed()
    loaded.load()
    assert not loaded.have_changed()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_sighup_reads_them_again(tmp_path: Path) -> None:
    """At once, and not when it is time to look."""
    certificate, key = write(tmp_path)
    command = [sys.executable, "-m", "tpserver", "--root", str(tmp_path), "--port", "0"]
    command += ["--tls-cert", certificate, "--tls-key", key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            greeting = process.stdout.readline()
            assert " at https://127.0.0.1:" in greeting
            write(tmp_path, "new.example")
            process.send_signal(signal.SIGHUP)
            lines = iter(process.stderr.readline, "")
            assert any("new connections use the certificates as they are now" in line for line in lines)
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_the_api_refuses_them_as_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        make_server("127.0.0.1", 0, variables, tls_cert=[str(tmp_path / "missing.pem")])
