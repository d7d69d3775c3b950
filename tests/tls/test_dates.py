"""What certificates say of themselves besides host names: their dates, their subject, and who may have signed them."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.running import Start
from tests.tls.certificates import authority, client_context, issue, write
from tests.tls.client import TLSClient
from tests.tls.test_requests import variables
from tests.waiting import eventually
from tpserver.engine import watcher
from tpserver.errors import UsageError
from tpserver.tls import server as tls_server
from tpserver.tls.certificates import Certificates
from tpserver.tls.names import host_names, validity


def der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())


def write_dated(folder: Path, begin: dt.datetime, end: dt.datetime) -> tuple[str, str]:
    """A certificate for localhost that is valid in this time only."""
    trust = authority()
    import trustme

    leaf = trust.issue_cert("localhost", key_type=trustme.KeyType.ECDSA, not_before=begin, not_after=end)
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(leaf.cert_chain_pems[0].bytes())
    key.write_bytes(leaf.private_key_pem.bytes())
    return str(certificate), str(key)


def utc(*numbers: int) -> dt.datetime:
    return dt.datetime(*numbers, tzinfo=dt.timezone.utc)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("begin", "end"),
    [(utc(2001, 2, 3, 4, 5, 6), utc(2049, 12, 31, 23, 59, 59)), (utc(2050, 1, 1), utc(2150, 6, 7, 8, 9, 10))],
)
def test_the_dates_of_a_certificate(tmp_path: Path, begin: dt.datetime, end: dt.datetime) -> None:
    certificate, _ = write_dated(tmp_path, begin, end)
    assert validity(der(Path(certificate).read_bytes())) == (begin, end)


def test_the_dates_of_a_certificate_that_is_cut_off() -> None:
    whole = der(issue("a.example").cert_chain_pems[0].bytes())
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="cut off"):
            validity(whole[:length])


def test_a_certificate_that_has_expired_is_told_with_its_date(
    start: Start, tmp_path: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start, and when it is replaced."""
    monkeypatch.setattr(tls_server, "LOOK", 0.0)
    certificate, key = write_dated(tmp_path, utc(2001, 1, 1), utc(2002, 3, 4, 5, 6, 7))
    server = start(variables, tls_cert=[certificate], tls_key=[key])
    assert f"--tls-cert {certificate}: the certificate has expired: 2002-03-04 05:06:07+00:00" in log.text
    write_dated(tmp_path, utc(2100, 1, 1), utc(2101, 1, 1))
    server.server.reload_certificates()
    told = f"--tls-cert {certificate}: the certificate is not valid before 2100-01-01 00:00:00+00:00"
    eventually(lambda: told in log.text, "it is not told")


def test_a_certificate_that_is_valid_is_not_told_of(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    Certificates([write(tmp_path)]).load()
    assert log.text == ""


def test_without_other_names_the_common_name_counts() -> None:
    x509 = pytest.importorskip("cryptography.x509", exc_type=ImportError)
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    def named(common: str, *alternatives: Any) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.example")])
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(1).not_valid_before(utc(2020, 1, 1)).not_valid_after(utc(2040, 1, 1))
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(key, hashes.SHA256()).public_bytes(der_form)

    der_form = pytest.importorskip("cryptography.hazmat.primitives.serialization").Encoding.DER
    assert host_names(named("Old.Example")) == ["old.example"]
    assert host_names(named("b\xfccher.example")) == []
    assert host_names(named("old.example", x509.DNSName("new.example"))) == ["new.example"]


def test_an_authority_for_clients_need_not_be_a_root(start_tls: Start, tmp_path: Path) -> None:
    signing = authority().create_child_ca()
    path = tmp_path / "signing.pem"
    path.write_bytes(signing.cert_pem.bytes())
    context = client_context()
    signing.issue_cert("me.example").configure_cert(context)
    with TLSClient(start_tls(variables, tls_client_ca=str(path)), context) as client:
        assert client.ask("/").status == 200


@pytest.mark.parametrize("damaged", ["cert", "key"])
def test_a_damaged_file_is_named(tmp_path: Path, damaged: str) -> None:
    certificate, key = write(tmp_path)
    path = Path(certificate if damaged == "cert" else key)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "AAAA" + lines[1][4:], *lines[2:]]))
    with pytest.raises(UsageError, match=rf"^--tls-{damaged} \S*: it is damaged, or not usable: [^-]*$") as raised:
        Certificates([(certificate, key)]).load()
    assert str(path) in str(raised.value)


def test_new_certificates_are_used_within_the_time_that_the_option_says() -> None:
    """Two looks, and the rest of the watcher before each."""
    assert 2 * (tls_server.LOOK + watcher._REST) < 10


def test_a_free_port_that_redirects_is_told(start_tls: Start, log: pytest.LogCaptureFixture) -> None:
    server = start_tls(variables, redirect_http=0).server
    assert f"--redirect-http 0: port {server.others[-1].getsockname()[1]} redirects" in log.text
