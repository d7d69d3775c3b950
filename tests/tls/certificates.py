"""Certificates for tests, made once in each process, and the contexts of clients that trust them.

Where `cryptography` cannot be loaded (wine), those of tests/tls/stored are used, which trustme has made; they are for
localhost and 127.0.0.1. Tests that need others are skipped.
"""

from __future__ import annotations

import functools
import shutil
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import trustme

USUAL = ("localhost", "127.0.0.1")
STORED = Path(__file__).parent / "stored"


@functools.cache
def can_make() -> bool:
    """Whether certificates can be made."""
    try:
        import trustme  # noqa: F401
    except ImportError:
        return False
    return True


@functools.cache
def authority() -> trustme.CA:
    """Signs all certificates of the tests."""
    if not can_make():
        pytest.skip("cryptography cannot be loaded here")
    import trustme

    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@functools.cache
def issue(*names: str) -> trustme.LeafCert:
    """A certificate for these host names and addresses."""
    ca = authority()
    import trustme

    return ca.issue_cert(*names, key_type=trustme.KeyType.ECDSA)


def server_context() -> ssl.SSLContext:
    """For tests of what is below the options."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if can_make():
        issue(*USUAL).configure_cert(context)
    else:
        context.load_cert_chain(STORED / "server.pem", STORED / "server.key")
    return context


def client_context(version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> ssl.SSLContext:
    """Trusts the certificates of the tests; speaks this version at the most."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if can_make():
        authority().configure_trust(context)
    else:
        context.load_verify_locations(STORED / "ca.pem")
    context.maximum_version = version
    return context


def write(folder: Path, *names: str, stem: str = "server") -> tuple[str, str]:
    """The files of a certificate with its chain and of its key."""
    chain, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    if not names and not can_make():
        shutil.copy(STORED / "server.pem", chain)
        shutil.copy(STORED / "server.key", key)
    else:
        leaf = issue(*(names or USUAL))
        chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
    return str(chain), str(key)


def trust_file(folder: Path) -> str:
    """The certificate of the authority."""
    path = folder / "ca.pem"
    path.write_bytes(authority().cert_pem.bytes() if can_make() else (STORED / "ca.pem").read_bytes())
    return str(path)
