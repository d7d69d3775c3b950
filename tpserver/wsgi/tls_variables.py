"""What an application learns of TLS: the variables of Apache's mod_ssl, with the values that it gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from tpserver.reply import Encryption

# The parts of a distinguished name (RFC 4514 section 3), as OpenSSL's long names and as mod_ssl has them.
_PARTS: Final = {
    "commonName": "CN",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "title": "T",
    "initials": "I",
    "givenName": "G",
    "surname": "S",
    "description": "D",
    "userId": "UID",
    "emailAddress": "Email",
}
_SPECIAL: Final = str.maketrans({one: f"\\{one}" for one in '",+;<>\\'})

# A sequence of sets of (type, value).
Name = Iterable[Iterable[tuple[str, str]]]


def tls_variables(encryption: Encryption | None) -> Mapping[str, str]:
    """For a connection; none without TLS. Any thread that owns the connection."""
    if encryption is None:
        return {}
    if encryption.variables is None:
        encryption.variables = _variables(encryption)
    return encryption.variables


def _variables(encryption: Encryption) -> dict[str, str]:
    bits = str(encryption.key_bits)
    found = {
        "SSL_PROTOCOL": encryption.protocol.replace("TLSv1.0", "TLSv1"),
        "SSL_CIPHER": encryption.cipher,
        "SSL_CIPHER_USEKEYSIZE": bits,
        "SSL_CIPHER_ALGKEYSIZE": bits,
        "SSL_CLIENT_VERIFY": "NONE",
    }
    certificate = encryption.certificate
    if certificate is not None:
        found |= {
            "SSL_CLIENT_VERIFY": "SUCCESS",
            "SSL_CLIENT_M_VERSION": str(certificate.get("version", "")),
            "SSL_CLIENT_M_SERIAL": str(certificate.get("serialNumber", "")),
            "SSL_CLIENT_V_START": str(certificate.get("notBefore", "")),
            "SSL_CLIENT_V_END": str(certificate.get("notAfter", "")),
            "SSL_CLIENT_CERT": _pem(encryption.certificate_der or b""),
        }
        _add_name(found, "SSL_CLIENT_S_DN", cast(Name, certificate.get("subject", ())))
        _add_name(found, "SSL_CLIENT_I_DN", cast(Name, certificate.get("issuer", ())))
        _add_alternatives(found, cast(Iterable[tuple[str, str]], certificate.get("subjectAltName", ())))
    # As `environ` has texts: bytes as latin-1 (PEP 3333).
    return {name: value.encode("utf-8").decode("latin-1") for name, value in found.items()}


def _add_name(found: dict[str, str], variable: str, name: Name) -> None:
    """The whole as in RFC 4514, the last part first, and each part; the second of one kind ends in _1."""
    whole = []
    for part in name:
        shown = []
        for kind, value in part:
            short = _PARTS.get(kind, kind)
            shown.append(f"{'emailAddress' if short == 'Email' else short}={_escaped(value)}")
            key, number = f"{variable}_{short}", 0
            while key in found:
                number += 1
                key = f"{variable}_{short}_{number}"
            found[key] = value
        whole.append("+".join(shown))
    found[variable] = ",".join(reversed(whole))


def _add_alternatives(found: dict[str, str], alternatives: Iterable[tuple[str, str]]) -> None:
    counts = {"DNS": 0, "email": 0}
    for kind, value in alternatives:
        if kind in counts:
            found[f"SSL_CLIENT_SAN_{'Email' if kind == 'email' else kind}_{counts[kind]}"] = value
            counts[kind] += 1


def _escaped(value: str) -> str:
    value = value.translate(_SPECIAL)
    if value.startswith(("#", " ")):
        value = "\\" + value
    return value[:-1] + "\\ " if value.endswith(" ") and len(value) > 1 else value


def _pem(der: bytes) -> str:
    import ssl  # which a server without TLS does not

    return ssl.DER_cert_to_PEM_cert(der)
