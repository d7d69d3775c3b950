"""The host names of a certificate, which `ssl` tells of peers only (RFC 5280 section 4.2.1.6)."""

from __future__ import annotations

from typing import Final

# OBJECT IDENTIFIER 2.5.29.17, subjectAltName.
_SUBJECT_ALT_NAME: Final = b"\x06\x03\x55\x1d\x11"
_BOOLEAN: Final = 0x01
_DNS_NAME: Final = 0x82  # [2] IMPLICIT IA5String


def host_names(der: bytes) -> list[str]:
    """The DNS names among the subjectAltNames of a certificate in DER, in lower case. Raises ValueError."""
    _, identifier, rest = der.partition(_SUBJECT_ALT_NAME)
    if not identifier:
        return []
    tag, value, rest = _element(rest)
    if tag == _BOOLEAN:  # whether it is critical
        _, value, rest = _element(rest)
    _, names, _ = _element(value)  # an OCTET STRING with a SEQUENCE in it
    found = []
    while names:
        tag, value, names = _element(names)
        if tag == _DNS_NAME:
            found.append(value.decode("ascii").lower())
    return found


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """The tag and the value of the first element of DER, and what follows it."""
    if len(data) < 2:
        raise ValueError("the certificate is cut off")
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise ValueError("the certificate is cut off")
    return tag, data[start : start + length], data[start + length :]
