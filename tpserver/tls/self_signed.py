"""A certificate that this machine signs for itself, for development: `--tls self-signed`. Needs `cryptography`."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import ipaddress
import os
import socket
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from tpserver.errors import StartError
from tpserver.system.network import reachable_at

_DAYS: Final = 397  # browsers take none that is valid for longer
_RENEWED_AFTER: Final = 300 * 24 * 3600  # seconds


def self_signed_file() -> str:
    """The path of a file with a certificate for the names and addresses of this machine, and its key.

    It is kept for the user, so that a browser which was told to trust it need not be told again. Raises `StartError`.
    """
    names = _names()
    name = f"self-signed-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:16]}.pem"
    path = _folder() / name
    with contextlib.suppress(OSError):
        if path.stat().st_mtime > time.time() - _RENEWED_AFTER:
            return str(path)
    pem = _new_certificate(names)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _write(path, pem)
    except OSError:  # no home, for example
        return _write(Path(tempfile.mkdtemp(prefix="tpserver-")) / name, pem)


def _write(path: Path, pem: bytes) -> str:
    """In one go, for another process may do the same; only for this user to read."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with open(handle, "wb") as file:
        file.write(pem)
    os.replace(temporary, path)
    return str(path)


def _folder() -> Path:
    """The folder for what programs keep for the user."""
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or tempfile.gettempdir()) / "tpserver"
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "tpserver"


def _names() -> list[str]:
    found = ["localhost", "127.0.0.1", "::1", socket.gethostname(), *reachable_at("::")]
    return [one for one in dict.fromkeys(found) if one and one.isascii()]


def _new_certificate(names: Sequence[str]) -> bytes:
    """Certificate and key in PEM. Raises `StartError`."""
    try:
        x509 = import_module("cryptography.x509")
        hashes = import_module("cryptography.hazmat.primitives.hashes")
        serialization = import_module("cryptography.hazmat.primitives.serialization")
        ec = import_module("cryptography.hazmat.primitives.asymmetric.ec")
    except ImportError:
        raise StartError(
            '--tls self-signed needs the package cryptography: python -m pip install "tpserver[tls]",'
            " or give a certificate by --tls-cert and --tls-key"
        ) from None
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tpserver, self-signed")])
    alternatives = [x509.IPAddress(address) for address in map(_address, names) if address is not None]
    alternatives += [x509.DNSName(name) for name in names if _address(name) is None]
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # clocks differ
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return bytes(certificate.public_bytes(pem) + private)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
