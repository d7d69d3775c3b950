"""The host names of a certificate, and when it is valid, which `ssl` tells of peers only (RFC 5280 section 4.1)."""

from __future__ import annotations

import datetime as dt
from typing import Final

# OBJECT IDENTIFIER 2.5.29.17, subjectAltName.
_SUBJECT_ALT_NAME: Final = b"\x06\x03\x55\x1d\x11"
# 2.5.4.3, commonName.
_COMMON_NAME: Final = b"\x06\x03\x55\x04\x03"
_BOOLEAN: Final = 0x01
_UTC_TIME: Final = 0x17
_VERSION: Final = 0xA0  # [0] EXPLICIT, not in certificates of version 1
_DNS_NAME: Final = 0x82  # [2] IMPLICIT IA5String


def host_names(der: bytes) -> list[str]:
    """The DNS names among the subjectAltNames of a certificate in DER, in lower case. Raises ValueError.

    Without subjectAltNames, its commonName, as old tools make them.
    """
    _, identifier, rest = der.partition(_SUBJECT_ALT_NAME)
    if not identifier:
        return _common_names(_fields(der)[4])
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


def validity(der: bytes) -> tuple[dt.datetime, dt.datetime]:
    """From when, and until when, a certificate in DER is valid. Raises ValueError."""
    begin, first, rest = _element(_fields(der)[3])
    end, last, _ = _element(rest)
    return _time(begin, first), _time(end, last)


def _time(tag: int, value: bytes) -> dt.datetime:
    text = value.decode("ascii")
    if tag == _UTC_TIME:  # RFC 5280 section 4.1.2.5.1
        text = ("19" if text >= "5" else "20") + text
    return dt.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=dt.timezone.utc)


def _common_names(subject: bytes) -> list[str]:
    _, identifier, rest = subject.partition(_COMMON_NAME)
    name = _element(rest)[1] if identifier else b""
    return [name.decode("ascii").lower()] if name.isascii() and name else []


def _fields(der: bytes) -> list[bytes]:
    """Serial number, algorithm, issuer, validity, subject, and what follows them."""
    _, certificate, _ = _element(der)
    _, rest, _ = _element(certificate)
    fields = []
    while rest:
        tag, value, rest = _element(rest)
        if tag != _VERSION:
            fields.append(value)
    if len(fields) < 5:
        raise ValueError("the certificate is cut off")
    return fields


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
