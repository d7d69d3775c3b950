"""Certificates of a server: files -> the contexts of new connections; again when the files have changed."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import ssl
from collections.abc import Sequence
from typing import Final

from tpserver.errors import UsageError
from tpserver.logs.log import Log
from tpserver.system.clock import clock
from tpserver.tls.names import host_names, validity
from tpserver.transport.server_name import Contexts

# Of TLS 1.2, as Mozilla's intermediate configuration 5.8 has them; those of TLS 1.3 are all fit.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_BEGIN_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"

_log = Log("tpserver")

# Of each file: modification time, size, inode; None where it cannot be read.
State = list[tuple[int, int, int] | None]


class Certificates:
    """Those of one server. Not for two threads at once."""

    def __init__(
        self, pairs: Sequence[tuple[str, str]], password_file: str | None = None, client_ca: str | None = None
    ) -> None:
        """`pairs` of files: a certificate with its chain, and its key. The first is for clients that name no host.

        With `client_ca`, a file of certificates, clients must have one that is signed by one of these.
        """
        self._pairs = pairs
        self._password_file = password_file
        self._client_ca = client_ca
        files = [*(file for pair in pairs for file in pair), password_file, client_ca]
        self._files = [file for file in dict.fromkeys(files) if file is not None]
        self._loaded: State = []
        self._last_seen: State = []

    def load(self) -> Contexts:
        """Contexts of the files as they are. Raises `UsageError`."""
        self._loaded = self._last_seen = self._state()
        contexts = [self._context(certificate, key) for certificate, key in self._pairs]
        for certificate, _ in self._pairs:
            _warn_of_time(certificate)
        by_name: dict[str, ssl.SSLContext] = {}
        if len(contexts) > 1:
            for context, (certificate, _) in zip(contexts, self._pairs, strict=True):
                for name in _names(certificate):
                    by_name.setdefault(name, context)
        return Contexts(contexts[0], by_name)

    def have_changed(self) -> bool:
        """Whether files are other ones than those loaded, and have been for two looks: who writes them is done."""
        state = self._state()
        is_settled, self._last_seen = state == self._last_seen, state
        return is_settled and state != self._loaded

    def _state(self) -> State:
        return [_state(file) for file in self._files]

    def _context(self, certificate: str, key: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # without SSLv3, TLS 1.0 and 1.1 where nothing else is said
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.set_alpn_protocols(["http/1.1"])
        self._load_pair(context, certificate, key)
        if self._client_ca is not None:
            _read("--tls-client-ca", self._client_ca)
            try:
                context.load_verify_locations(self._client_ca)
            except (ssl.SSLError, ValueError) as error:
                raise UsageError(f"--tls-client-ca {self._client_ca}: no certificates in PEM form") from error
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an authority in the file need not be a root
        return context

    def _load_pair(self, context: ssl.SSLContext, certificate: str, key: str) -> None:
        if _BEGIN_CERTIFICATE not in _read("--tls-cert", certificate):
            raise UsageError(f"--tls-cert {certificate}: no certificate in PEM form")
        if " PRIVATE KEY-----" not in _read("--tls-key", key):
            hint = "; give its file by --tls-key" if key == certificate else ""
            raise UsageError(f"--tls-key {key}: no private key in PEM form{hint}")
        password = None
        if self._password_file is not None:
            text = _read("--tls-password-file", self._password_file).rstrip("\r\n")
            password = text.encode("utf-8", "surrogateescape")

        def ask() -> bytes:
            """OpenSSL would ask at the terminal."""
            if password is None:
                raise UsageError(f"--tls-key {key}: the key is encrypted: give its password by --tls-password-file")
            asked.append(True)
            return password

        asked: list[bool] = []
        try:
            context.load_cert_chain(certificate, key, ask)
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None)
            if reason == "KEY_VALUES_MISMATCH":
                raise UsageError(f"--tls-key {key}: not the key of {certificate}") from error
            if asked:
                raise UsageError(f"--tls-password-file {self._password_file}: not the password of {key}") from error
            what = "--tls-cert", certificate
            if _can_be_read(certificate):
                what = "--tls-key", key
            raise UsageError(f"{' '.join(what)}: it is damaged, or not usable: {reason or error}") from error


def _can_be_read(certificate: str) -> bool:
    """Whether what is wrong is not in the certificates of this file."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificate)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _names(certificate: str) -> list[str]:
    """The host names of the first certificate of a file. Raises `UsageError`."""
    try:
        return host_names(_first(certificate))
    except ValueError as error:
        raise UsageError(f"--tls-cert {certificate}: {error}") from error


def _warn_of_time(certificate: str) -> None:
    """Clients refuse what has expired, and do not tell the server."""
    with contextlib.suppress(ValueError):
        begin, end = validity(_first(certificate))
        now = dt.datetime.fromtimestamp(clock.time(), dt.timezone.utc)
        if now > end:
            _log.warning("--tls-cert %s: the certificate has expired: %s", certificate, end)
        elif now < begin:
            _log.warning("--tls-cert %s: the certificate is not valid before %s", certificate, begin)


def _first(certificate: str) -> bytes:
    """The first certificate of a file, in DER. Raises `UsageError`, and ValueError."""
    text = _read("--tls-cert", certificate)
    end = "-----END CERTIFICATE-----"
    pem = _BEGIN_CERTIFICATE + text.partition(_BEGIN_CERTIFICATE)[2].partition(end)[0] + end
    return ssl.PEM_cert_to_DER_cert(pem)


def _read(option: str, path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise UsageError(f"{option} {path}: {getattr(error, 'strerror', None) or error}") from error


def _state(file: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
